import { coarseNow, type SentBytes, StallWatch, startTicking, stopTicking, type Ticking } from '../wire/index.js';
import { ErrorCode } from './error-code.js';
import { Flag } from './frame.js';
import type { FrameReader } from './frame-reader.js';
import type { HeaderHandler } from './header-handler.js';
import type { Http2ConnectionError } from './http2.errors.js';
import type { Session } from './session.js';

/** What happens to a connection in time. */
export interface TimedConnection {
  /** Some of what has come waits for its turn: it is not the peer who is late. */
  readonly isHeld: boolean;
  /** Both steps of a graceful end begin. */
  goaway(): void;
  /** The peer has had time to see the first step. */
  finishGoaway(): void;
  fail(error: Http2ConnectionError): void;
  /** At once. */
  drop(): void;
}

// PING frames of ours: eight bytes that tell what they were for.
const keepalivePing = Buffer.from('rookery\0', 'latin1');
export const drainPing = Buffer.from('rookery\x01', 'latin1');

/** Between the two GOAWAY frames, for a peer that does not answer the PING between them. */
const goawayStepMs = 1000;

/** Who has not asked anything for so long may not ask for a while. */
const restAfterMs = 1000;

/** For the peer to read what we sent last: closing with unread input would take it away from it. */
const lingerMs = 1000;

/** All that a connection waits for has an end: RFC 9113 sections 6.5.3, 6.7, 6.8, 9.1, 10.5. */
export class TimeLimits implements Ticking {
  readonly #session: Session;
  readonly #headers: HeaderHandler;
  readonly #reader: FrameReader;
  readonly #connection: TimedConnection;
  readonly #stall: StallWatch;
  #startedAtMs: number;
  readonly #agesAtMs: number;
  receivedAtMs: number;
  hasPeerSettings = false;
  isAcknowledged = false;
  /** When the first GOAWAY was sent; 0: not yet. */
  goawayAtMs = 0;
  /** When the connection ended for us; 0: not yet. */
  endedAtMs = 0;
  /** What the socket has not taken by then are answers, and the peer is in its rights to be slow. */
  isOrderly = false;
  #tickedAtMs: number;
  #isAged = false;
  #insideHeadersSinceMs = 0;
  #pingedAtMs = 0;

  constructor(
    session: Session,
    headers: HeaderHandler,
    reader: FrameReader,
    connection: TimedConnection,
    socket: SentBytes,
  ) {
    this.#session = session;
    this.#headers = headers;
    this.#reader = reader;
    this.#connection = connection;
    this.#stall = new StallWatch(socket);
    startTicking(this);
    this.#startedAtMs = coarseNow();
    this.receivedAtMs = this.#startedAtMs;
    this.#tickedAtMs = this.#startedAtMs;
    // Connections made at the same time do not all come back at the same time.
    this.#agesAtMs = this.#startedAtMs + session.options.maxAgeMs * (0.9 + Math.random() * 0.2);
  }

  stop(): void {
    stopTicking(this);
  }

  onTick(nowMs: number): void {
    const passedMs = nowMs - this.#tickedAtMs;
    this.#tickedAtMs = nowMs;
    if (this.endedAtMs > 0) {
      this.#checkEnd(nowMs);
      return;
    }
    if (this.#connection.isHeld) this.#excuse(passedMs);
    const error = this.#overdue(nowMs);
    if (error !== undefined) {
      this.#connection.fail(error);
      return;
    }
    this.#session.writer.releaseIdle();
    this.#checkRest(nowMs);
    this.#checkStreams(nowMs);
    this.#checkKeepalive(nowMs);
    this.#checkAge(nowMs);
  }

  /** So much time does not count. */
  #excuse(ms: number): void {
    this.#startedAtMs += ms;
    this.receivedAtMs += ms;
    this.#session.idleSinceMs += ms;
    this.#headers.openSinceMs += ms;
    if (this.#insideHeadersSinceMs > 0) this.#insideHeadersSinceMs += ms;
    if (this.#pingedAtMs > 0) this.#pingedAtMs += ms;
  }

  /** The peer has its time from when all is out. */
  #checkEnd(nowMs: number): void {
    const { maxAgeGraceMs, sendStallTimeoutMs: stallMs } = this.#session.options;
    const stalledMs = this.#stall.look(nowMs);
    const isStalled = stallMs > 0 && stalledMs >= stallMs;
    const isOverAge = this.#isAged && nowMs - this.goawayAtMs >= maxAgeGraceMs;
    if (this.isOrderly && this.#stall.waitingBytes > 0 && !isStalled && !isOverAge) this.endedAtMs = nowMs;
    else if (nowMs - this.endedAtMs >= lingerMs) this.#connection.drop();
  }

  #overdue(nowMs: number): Http2ConnectionError | undefined {
    const { limits, options } = this.#session;
    const isOver = (sinceMs: number, limitMs: number): boolean => limitMs > 0 && nowMs - sinceMs >= limitMs;
    if (!this.hasPeerSettings && isOver(this.#startedAtMs, options.handshakeTimeoutMs)) {
      return limits.cut('handshakeTimeout', ErrorCode.settingsTimeout);
    }
    if (this.hasPeerSettings && !this.isAcknowledged && isOver(this.#startedAtMs, options.settingsTimeoutMs)) {
      return limits.cut('settingsTimeout', ErrorCode.settingsTimeout);
    }
    this.#noteHeaders(nowMs);
    if (this.#insideHeadersSinceMs > 0 && isOver(this.#insideHeadersSinceMs, options.headerTimeoutMs)) {
      return limits.cut('headerTimeout');
    }
    // Whatever has come shows that the peer lives.
    if (this.receivedAtMs >= this.#pingedAtMs) this.#pingedAtMs = 0;
    const stalledMs = this.#stall.look(nowMs);
    // PING waits behind it, and its answer may not even be read.
    if (this.#pingedAtMs > 0 && this.#stall.waitingBytes > 0) this.#pingedAtMs = nowMs;
    if (this.#pingedAtMs > 0 && isOver(this.#pingedAtMs, options.keepaliveTimeoutMs)) {
      return limits.cut('keepaliveTimeout', ErrorCode.noError);
    }
    const { sendStallTimeoutMs: stallMs } = options;
    if (stallMs > 0 && stalledMs >= stallMs) return limits.cut('sendStall');
    return undefined;
  }

  /** A block of several frames, or one frame that does not come to its end. */
  #noteHeaders(nowMs: number): void {
    if (this.#headers.openId !== 0) this.#insideHeadersSinceMs = this.#headers.openSinceMs;
    else if (!this.#reader.isInsideHeaders) this.#insideHeadersSinceMs = 0;
    else if (this.#insideHeadersSinceMs === 0) this.#insideHeadersSinceMs = nowMs;
  }

  #checkStreams(nowMs: number): void {
    const { counters, options, outbox, streams, writer } = this.#session;
    // Where the socket is stuck, it is not for the streams to pay.
    if (options.sendStallTimeoutMs === 0 || writer.isBlocked) return;
    for (const stream of streams.values()) {
      if (stream.waitingSinceMs === 0) continue;
      // One that only waits for its turn is not stalled.
      const sinceMs =
        stream.sendWindowBytes > 0 ? Math.max(stream.waitingSinceMs, outbox.sentAtMs) : stream.waitingSinceMs;
      if (nowMs - sinceMs < options.sendStallTimeoutMs) continue;
      counters.streamsStalled += 1;
      stream.reset(ErrorCode.enhanceYourCalm);
    }
  }

  /** What only speeds up the next requests goes while there are none. */
  #checkRest(nowMs: number): void {
    const { decoder, encoder, idleSinceMs, streams } = this.#session;
    if (streams.size > 0 || nowMs - idleSinceMs < restAfterMs) return;
    encoder.rest();
    decoder.rest();
  }

  #checkKeepalive(nowMs: number): void {
    const { keepaliveIntervalMs } = this.#session.options;
    if (keepaliveIntervalMs === 0 || this.#pingedAtMs > 0 || nowMs - this.receivedAtMs < keepaliveIntervalMs) return;
    this.#pingedAtMs = nowMs;
    this.#session.writer.ping(Flag.none, keepalivePing, 0);
  }

  #checkAge(nowMs: number): void {
    const { counters, idleSinceMs, options, streams } = this.#session;
    const isIdle = options.idleTimeoutMs > 0 && streams.size === 0 && nowMs - idleSinceMs >= options.idleTimeoutMs;
    const isOld = options.maxAgeMs > 0 && nowMs >= this.#agesAtMs;
    if (this.goawayAtMs === 0) {
      if (!isIdle && !isOld) return;
      if (isOld) counters.agedOut += 1;
      else counters.idleTimeouts += 1;
      this.#isAged = isOld;
      this.#connection.goaway();
      return;
    }
    if (nowMs - this.goawayAtMs >= goawayStepMs) this.#connection.finishGoaway();
    if (this.#isAged && nowMs - this.goawayAtMs >= options.maxAgeGraceMs) this.#connection.drop();
  }
}
