import type { Socket } from 'node:net';
import { type ByteAccount, coarseNow, steadyNow } from '../wire/index.js';
import type { Http1Counters } from './http1.counters.js';
import type { Http1Handler } from './http1-handler.js';
import { type Http1ConnectionOptions, keepAliveLinesOf } from './http1.options.js';
import { Incoming } from './incoming.js';
import type { IncomingHost } from './incoming-host.js';
import type { Http1Peer } from './http1-stream.js';
import { type Http1Refusal, refusal } from './refusal.js';
import type { Http1RequestHead, RequestHead } from './request-head.js';
import { CloseCode, Stream, type StreamHost } from './stream.js';
import { TimeLimits, type TimedConnection } from './time-limits.js';
import { Writer, type WriterHost } from './writer.js';

/** What a session needs of who listens to the socket. */
export interface SessionSocket {
  /** Listens to the socket, or does not any more. */
  attach(): void;
  detach(): void;
}

const lastLines = 'connection: close\r\n\r\n';

/** State of one connection that its parts work on: RFC 9112 section 9. */
export class Session implements IncomingHost, StreamHost, TimedConnection, WriterHost {
  readonly counters: Http1Counters;
  readonly account: ByteAccount;
  readonly remote: Http1Peer;
  readonly writer: Writer;
  readonly writeHighWaterBytes: number;
  readonly incoming: Incoming;
  readonly times: TimeLimits;
  isLeaving = false;
  /** Nothing more is served. */
  isEnded = false;
  readonly #socket: Socket;
  readonly #events: SessionSocket;
  readonly #options: Http1ConnectionOptions;
  readonly #handler: Http1Handler;
  readonly #keepAliveLines: string;
  /** The request that is being answered. */
  #stream: Stream | undefined;
  #isContinueDue = false;
  #requests = 0;
  /** The answer at hand is the last one. */
  #isClosing = false;

  constructor(
    socket: Socket,
    options: Http1ConnectionOptions,
    handler: Http1Handler,
    counters: Http1Counters,
    events: SessionSocket,
    account: ByteAccount,
  ) {
    this.account = account;
    this.#socket = socket;
    this.#options = options;
    this.#handler = handler;
    this.counters = counters;
    this.#events = events;
    this.#keepAliveLines = keepAliveLinesOf(options);
    this.remote = handler.peer ?? { address: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 };
    this.writeHighWaterBytes = options.writeHighWaterBytes;
    this.writer = new Writer(socket, this, account);
    this.incoming = new Incoming(options, this);
    this.times = new TimeLimits(options, this, this.incoming, socket);
  }

  get isAnswering(): boolean {
    return this.#stream !== undefined;
  }

  get isReady(): boolean {
    return this.#stream === undefined && !this.writer.isBlocked;
  }

  onUpgrade(head: RequestHead, bytes: Buffer): boolean {
    this.writer.flush();
    this.#events.detach();
    let isTaken = false;
    try {
      isTaken = this.#handler.onUpgrade(head, bytes, this.#socket);
    } catch (error) {
      this.#events.attach();
      this.#socket.destroy();
      this.#throw(error);
      return false;
    }
    if (!isTaken) {
      this.#events.attach();
      if (!this.incoming.isHolding) this.#socket.resume();
      return false;
    }
    this.counters.upgrades += 1;
    this.isEnded = true;
    this.times.stop();
    return true;
  }

  open(head: RequestHead): Stream {
    const stream = new Stream(this, (this.#requests += 1), head.method === 'HEAD', head.httpVersionMinor);
    this.counters.requests += 1;
    this.#stream = stream;
    this.#isContinueDue = head.expectsContinue;
    this.#isClosing = head.isClosing || !head.isKeptAlive || this.#requests === this.#options.maxRequestsPerConnection;
    return stream;
  }

  serve(stream: Stream, head: RequestHead): void {
    try {
      this.#handler.onRequest(stream, head);
    } catch (error) {
      this.report(error, stream);
    }
  }

  onRefusal(why: Http1Refusal, head: Partial<Http1RequestHead>): void {
    this.counters.refused[why.kind] += 1;
    const isAmidBody = this.incoming.isInBody;
    this.incoming.stop();
    if (isAmidBody && this.#stream === undefined) {
      this.finish();
      return;
    }
    if (this.#stream?.hasResponded === true) {
      this.breakOff(this.#stream, CloseCode.malformed);
      return;
    }
    this.#isClosing = true;
    const stream = this.#stream ?? this.#refusedStream(head);
    this.#stream = stream;
    try {
      this.#handler.onRefused(stream, why, head);
    } catch (error) {
      this.report(error, stream);
    }
  }

  onUnreadEnd(): void {
    this.times.idleSinceMs = steadyNow();
  }

  holdSocket(isHeld: boolean): void {
    if (isHeld) this.#socket.pause();
    else this.#socket.resume();
  }

  beginAnswer(stream: Stream, isClosing: boolean, isAll: boolean): string {
    if (isClosing || this.#isCutShort(stream, isAll)) this.#isClosing = true;
    // What has come already is not cut: that answer is the last one.
    else if (this.isLeaving && !(stream.isRequestEnded && this.incoming.hasMore)) this.#isClosing = true;
    return this.#isClosing ? lastLines : this.#keepAliveLines;
  }

  onWanted(): void {
    this.incoming.read();
  }

  onAnswered(stream: Stream): void {
    this.#stream = undefined;
    if (this.#isClosing) this.finish();
    this.times.idleSinceMs = steadyNow();
    stream.close(CloseCode.ended);
    if (this.isEnded) return;
    if (stream.isRequestEnded) this.incoming.read();
    else this.incoming.onAnswered();
  }

  breakOff(stream: Stream, code: number): void {
    if (code === CloseCode.gone) this.counters.aborted += 1;
    else this.counters.reset += 1;
    this.drop();
    stream.close(code);
  }

  report(error: unknown, stream: Stream): void {
    if (stream.isClosed) this.#throw(error);
    else {
      this.breakOff(stream, CloseCode.failed);
      this.#throw(error);
    }
  }

  onFlushed(): void {
    if (!this.writer.isBlocked) this.onSocketDrain();
  }

  onSocketDrain(): void {
    this.writer.releaseIdle();
    if (this.isEnded) return;
    this.#stream?.onWritable();
    this.incoming.read();
  }

  /** The process stops waiting. Returns the number of requests that are cut short. */
  shutDown(): number {
    if (this.isEnded) return 0;
    this.isLeaving = true;
    const stream = this.#stream;
    if (stream !== undefined) {
      this.#isClosing = true;
      return stream.shutDown() ? 0 : 1;
    }
    const cut = this.incoming.isReceiving ? 1 : 0;
    this.finish();
    return cut;
  }

  /** The peer has ended its side. */
  onPeerEnd(): void {
    if (this.isEnded) return;
    if (this.#stream !== undefined) this.breakOff(this.#stream, CloseCode.gone);
    else if (this.incoming.isInHead)
      this.onRefusal(refusal('malformed', 'headers: end too early'), this.incoming.headSoFar());
    else this.finish();
  }

  onLate(): void {
    const what = this.incoming.isInHead ? 'headers' : 'body';
    if (this.#stream === undefined && what === 'body') {
      this.counters.unreadBodies += 1;
      this.finish();
    } else this.onRefusal(refusal('timeout', `${what}: too late`), this.incoming.headSoFar());
  }

  onIdle(): void {
    this.counters.idleTimeouts += 1;
    this.finish();
  }

  onStalled(): void {
    this.counters.stalled += 1;
    this.drop();
    this.#stream?.close(CloseCode.gone);
  }

  /** What is written goes out; what still comes is read and thrown away, so that the peer gets to see it. */
  finish(): void {
    if (this.isEnded) return;
    this.isEnded = true;
    this.times.endedAtMs = coarseNow();
    this.incoming.stop();
    this.writer.close();
    this.#socket.end();
  }

  /** What is written goes out as far as the kernel takes it at once. */
  drop(): void {
    this.isEnded = true;
    this.incoming.stop();
    this.writer.close();
    this.#socket.destroy();
  }

  /** The socket is gone. */
  onGone(): void {
    this.isEnded = true;
    this.incoming.stop();
    this.times.stop();
    this.writer.close();
    const stream = this.#stream;
    this.#stream = undefined;
    if (stream !== undefined && !stream.isClosed) {
      this.counters.aborted += 1;
      stream.close(CloseCode.gone);
    }
    this.#handler.onClose?.();
  }

  #refusedStream({ method, httpVersionMinor = 1 }: Partial<Http1RequestHead>): Stream {
    const stream = new Stream(this, (this.#requests += 1), method === 'HEAD', httpVersionMinor);
    stream.isRequestEnded = true;
    return stream;
  }

  /** The rest of the request will not be read, or nobody can say where it ends. */
  #isCutShort(stream: Stream, isAll: boolean): boolean {
    if (stream.isRequestEnded) return false;
    // Whoever waits for 100 and gets an answer may send the body or not: RFC 9110 section 10.1.1.
    if (this.#isContinueDue && !stream.isContinued && !this.incoming.isBodyBegun && !this.incoming.hasMore) return true;
    return (isAll || stream.isPaused) && this.incoming.isTooMuch;
  }

  #throw(error: unknown): void {
    if (this.#handler.onError !== undefined) {
      this.#handler.onError(error);
      return;
    }
    // As an exception of any listener would.
    queueMicrotask(() => {
      throw error;
    });
  }
}
