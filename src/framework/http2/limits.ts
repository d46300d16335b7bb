import { ErrorCode } from './error-code.js';
import type { Http2Abuse, Http2Counters } from './http2.counters.js';
import { Http2ConnectionError } from './http2.errors.js';
import type { Http2ConnectionOptions, Rate } from './http2.options.js';

// As in grpc-go 1.85, internal/transport/http2_server.go, `maxPingStrikes`.
const toleratedStrikes = 2;

/** What a connection has brought: it only grows. */
export interface Progress {
  /** Streams opened, and HEADERS and DATA frames sent. */
  readonly progress: number;
  /** Requests that came to their end both ways, but for those that were refused. */
  readonly answers: number;
}

/** How many of something are left: a token bucket that looks at the clock only when it is empty. */
export class Budget {
  readonly #rate: Rate;
  #left: number;
  #filledAtMs: number;
  #filledAtProgress = 0;
  #filledAtAnswers = 0;

  constructor(rate: Rate, nowMs: number) {
    this.#rate = rate;
    this.#left = rate.burst;
    this.#filledAtMs = nowMs;
  }

  /** @returns false when there is none left */
  take(nowMs: number, made: Progress): boolean {
    if (this.#left < 1 && !this.#refill(nowMs, made)) return false;
    this.#left -= 1;
    return true;
  }

  #refill(nowMs: number, { progress, answers }: Progress): boolean {
    const { burst, perSecond, perProgress = 0, perAnswer = 0 } = this.#rate;
    const byTime = ((nowMs - this.#filledAtMs) * perSecond) / 1000;
    const byProgress = (progress - this.#filledAtProgress) * perProgress;
    const byAnswers = (answers - this.#filledAtAnswers) * perAnswer;
    this.#left = Math.min(burst, this.#left + byTime + byProgress + byAnswers);
    this.#filledAtMs = nowMs;
    this.#filledAtProgress = progress;
    this.#filledAtAnswers = answers;
    return this.#left >= 1;
  }
}

/** What has a rate. */
type RatedAbuse =
  | 'reset'
  | 'settings'
  | 'ping'
  | 'windowUpdate'
  | 'priority'
  | 'emptyData'
  | 'padding'
  | 'unknownFrame';

/**
 * Keeps count of what costs us more than the peer (RFC 9113 section 10.5), and cuts the connection when it is too much.
 * Each method throws `Http2ConnectionError` with ENHANCE_YOUR_CALM.
 */
export class Limits implements Progress {
  readonly #options: Http2ConnectionOptions;
  readonly #counters: Http2Counters;
  /** Made when they are needed: most connections need one or two. */
  readonly #budgets: Partial<Record<RatedAbuse, Budget>> = {};
  readonly #minPingIntervalMs: number;
  #pingedAtMs = Number.NEGATIVE_INFINITY;
  #pingedAtProgress = 0;
  #pingStrikes = 0;
  progress = 0;
  answers = 0;

  constructor(options: Http2ConnectionOptions, counters: Http2Counters) {
    this.#options = options;
    this.#counters = counters;
    this.#minPingIntervalMs = options.minPingIntervalMs;
  }

  /** A stream that was not over was reset by the peer. */
  onPeerReset(nowMs: number): void {
    this.#counters.streamsResetByPeer += 1;
    this.#spend('reset', nowMs);
  }

  /** The peer did what we answer with RST_STREAM. */
  onStreamError(nowMs: number): void {
    this.#spend('reset', nowMs);
  }

  onSettings(nowMs: number): void {
    this.#counters.settings += 1;
    this.#spend('settings', nowMs);
  }

  onPing(nowMs: number): void {
    this.#counters.pings += 1;
    this.#spend('ping', nowMs);
  }

  /** A PING that is to be answered. Who sends them too soon is borne with twice, and anew after we have sent something. */
  onKeepalive(nowMs: number): void {
    if (this.progress !== this.#pingedAtProgress) this.#pingStrikes = 0;
    else if (nowMs - this.#pingedAtMs < this.#minPingIntervalMs) this.#pingStrikes += 1;
    this.#pingedAtMs = nowMs;
    this.#pingedAtProgress = this.progress;
    if (this.#pingStrikes > toleratedStrikes) throw this.cut('ping');
  }

  onWindowUpdate(nowMs: number): void {
    this.#counters.windowUpdates += 1;
    this.#spend('windowUpdate', nowMs);
  }

  onPriority(nowMs: number): void {
    this.#counters.priorities += 1;
    this.#spend('priority', nowMs);
  }

  onEmptyData(nowMs: number): void {
    this.#counters.emptyData += 1;
    this.#spend('emptyData', nowMs);
  }

  onPadding(nowMs: number): void {
    this.#counters.paddings += 1;
    this.#spend('padding', nowMs);
  }

  onUnknownFrame(nowMs: number): void {
    this.#counters.unknownFrames += 1;
    this.#spend('unknownFrame', nowMs);
  }

  /** The error to cut the connection with. */
  cut(abuse: Http2Abuse, code: number = ErrorCode.enhanceYourCalm): Http2ConnectionError {
    this.#counters.cut[abuse] += 1;
    // gRPC clients know these words, and ask less often from then on.
    return new Http2ConnectionError(code, abuse === 'ping' ? 'too_many_pings' : `too much or too slow: ${abuse}`);
  }

  #spend(abuse: RatedAbuse, nowMs: number): void {
    const budget = (this.#budgets[abuse] ??= new Budget(this.#options[`${abuse}Rate`], nowMs));
    if (!budget.take(nowMs, this)) throw this.cut(abuse);
  }
}
