import type { Socket } from 'node:net';
import { coarseNow, StallWatch, startTicking, stopTicking, type Ticking } from '../wire/index.js';
import type { Http1ConnectionOptions } from './http1.options.js';
import type { Incoming } from './incoming.js';

/** What happens to a connection in time. */
export interface TimedConnection {
  /** A request is being answered. */
  readonly isAnswering: boolean;
  /** A request has not come in time. */
  onLate(): void;
  /** Nothing has been asked for long. */
  onIdle(): void;
  /** The peer takes nothing. */
  onStalled(): void;
  /** At once. */
  drop(): void;
}

// For a peer that sends a request at the last moment: it has been told a second less.
const idleGraceMs = 1000;

// A peer that has been refused may finish what it was about to send, or else it may not see the answer: RFC 9112 section
// 9.6. As long as each second brings some of it, ten at most.
const lingerMs = 1000;
const maxLingerMs = 10_000;

/** All that a connection waits for has an end: RFC 9112 section 9.5. */
export class TimeLimits implements Ticking {
  readonly #options: Http1ConnectionOptions;
  readonly #connection: TimedConnection;
  readonly #incoming: Incoming;
  readonly #socket: Socket;
  /** Since when there is no request. */
  idleSinceMs: number;
  /** When the connection ended for us; 0: not yet. */
  endedAtMs = 0;
  #tickedAtMs: number;
  readonly #stall: StallWatch;
  #lingerSinceMs = 0;
  #lingerBytes = 0;

  constructor(options: Http1ConnectionOptions, connection: TimedConnection, incoming: Incoming, socket: Socket) {
    this.#options = options;
    this.#connection = connection;
    this.#incoming = incoming;
    this.#socket = socket;
    this.#stall = new StallWatch(socket);
    startTicking(this);
    this.#tickedAtMs = coarseNow();
    this.idleSinceMs = this.#tickedAtMs;
  }

  stop(): void {
    stopTicking(this);
  }

  onTick(nowMs: number): void {
    const passedMs = nowMs - this.#tickedAtMs;
    this.#tickedAtMs = nowMs;
    if (this.#isStalled(nowMs)) this.#connection.onStalled();
    else if (this.endedAtMs > 0) this.#checkLinger(nowMs);
    else if (this.#incoming.sinceMs > 0) this.#checkRequest(nowMs, passedMs);
    else if (!this.#connection.isAnswering) this.#checkIdle(nowMs);
  }

  #isStalled(nowMs: number): boolean {
    const { sendStallTimeoutMs } = this.#options;
    const stalledMs = this.#stall.look(nowMs);
    return sendStallTimeoutMs > 0 && stalledMs >= sendStallTimeoutMs;
  }

  #checkRequest(nowMs: number, passedMs: number): void {
    const incoming = this.#incoming;
    const { bodyTimeoutMs, headersTimeoutMs } = this.#options;
    const limitMs = incoming.isInHead ? headersTimeoutMs : bodyTimeoutMs;
    incoming.onTick();
    if (incoming.isHeld) incoming.sinceMs += passedMs;
    else if (limitMs > 0 && nowMs - incoming.sinceMs >= limitMs) {
      this.#connection.onLate();
    }
  }

  #checkIdle(nowMs: number): void {
    const { keepAliveTimeoutMs } = this.#options;
    // What waits for its turn is no silence.
    if (this.#incoming.isHeld) return;
    if (keepAliveTimeoutMs > 0 && nowMs - this.idleSinceMs >= keepAliveTimeoutMs + idleGraceMs)
      this.#connection.onIdle();
  }

  /** The peer has its time from when all is out. */
  #checkLinger(nowMs: number): void {
    const { bytesRead, writableLength } = this.#socket;
    if (writableLength > 0) {
      this.endedAtMs = nowMs;
      this.#lingerSinceMs = nowMs;
    } else if (bytesRead !== this.#lingerBytes || this.#lingerSinceMs === 0) {
      this.#lingerBytes = bytesRead;
      this.#lingerSinceMs = nowMs;
    }
    if (nowMs - this.#lingerSinceMs >= lingerMs || nowMs - this.endedAtMs >= maxLingerMs) this.#connection.drop();
  }
}
