import type { Socket } from 'node:net';
import type { Http2ConnectionHandler } from './connection-handler.js';
import { ErrorCode } from './error-code.js';
import { type ByteAccount, coarseNow, Discard, noAccount, TurnShare, type Waiting } from '../wire/index.js';
import { Flag, largestStreamId } from './frame.js';
import { type ConnectionFrames, FrameHandler } from './frame-handler.js';
import { FrameReader } from './frame-reader.js';
import { Http2Counters } from './http2.counters.js';
import { Http2ConnectionError } from './http2.errors.js';
import { type Http2ConnectionOptions } from './http2.options.js';
import { Session } from './session.js';
import { UnreadBytes } from './unread-bytes.js';
import { drainPing, type TimedConnection, TimeLimits } from './time-limits.js';

// After an error: more than honest clients have on their way.
const maxDiscardedBytes = 4_194_304;

// So much is read while it waits for its turn among others like it: to stop reading and to begin again costs more.
const unreadBytes = 65_536;

/**
 * The server's end of an HTTP/2 connection: RFC 9113 sections 3.4, 5.4.1, 6.8.
 *
 * The socket is the connection's alone from now on; what has been read of it already is put back by `socket.unshift` before.
 * Nothing that a client sends makes it throw.
 */
export class Http2Connection implements Waiting {
  /** Those given to the constructor, or its own. */
  readonly counters: Http2Counters;
  readonly #socket: Socket;
  readonly #session: Session;
  readonly #reader: FrameReader;
  readonly #times: TimeLimits;
  #error: Http2ConnectionError | undefined;
  /** No more frames either way. */
  #isEnded = false;
  #isGone = false;
  #isLeaving = false;
  #isPingedAgain = false;
  #isReadingHeld = false;
  readonly #share: TurnShare;
  readonly #mayGoOn = (): boolean => this.#share.mayGoOn();
  readonly #unread: UnreadBytes;
  readonly #discard: Discard;
  #onGone: (() => void)[] = [];

  constructor(
    socket: Socket,
    options: Http2ConnectionOptions,
    handler: Http2ConnectionHandler,
    counters: Http2Counters = new Http2Counters(),
    account: ByteAccount = noAccount,
  ) {
    this.counters = counters;
    this.#socket = socket;
    this.#unread = new UnreadBytes(account);
    this.#share = new TurnShare(this, account);
    this.#discard = new Discard(socket, account, maxDiscardedBytes);
    this.#session = new Session(socket, options, handler, counters, account);
    const frames = new FrameHandler(this.#session, this.#frameEvents());
    this.#reader = new FrameReader(frames, options.maxFrameBytes);
    this.#times = new TimeLimits(this.#session, frames.headers, this.#reader, this.#timeEvents(), socket);
    this.#session.onIdle = () => this.#onIdle();
    this.#session.sendPreface();
    // Each write is all that a turn has brought: nothing is gained by waiting for more.
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#onBytes(chunk));
    socket.on('drain', () => this.#onDrain());
    socket.on('end', () => this.#end(ErrorCode.noError));
    socket.on('error', ignore);
    socket.on('close', () => this.#onClose());
    if (socket.destroyed) queueMicrotask(() => this.#onClose());
  }

  /** Number of streams that are open. */
  get streams(): number {
    return this.#session.streams.size;
  }

  /** Ends gracefully: no new streams, and the socket closes when those that are open are done. May be called twice. */
  goaway(): void {
    if (this.#isEnded || this.#times.goawayAtMs > 0) return;
    // First "soon", then the number, when the peer has had time to stop: RFC 9113 section 6.8.
    this.#times.goawayAtMs = coarseNow();
    this.#session.writer.goaway(largestStreamId, ErrorCode.noError);
    this.#session.writer.ping(Flag.none, drainPing, 0);
  }

  /**
   * Has the listeners of all open streams end their responses now.
   *
   * @returns the number of requests that this cuts short
   */
  shutDownStreams(): number {
    return [...this.#session.streams.values()].filter((stream) => !stream.shutDown()).length;
  }

  /**
   * Ends gracefully, and by force when streams are still open after `graceMs`.
   *
   * @returns true when all streams came to their end
   */
  async close(graceMs: number): Promise<boolean> {
    if (this.#isGone) return true;
    this.goaway();
    let isForced = false;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        isForced = !this.#isEnded || this.#socket.writableLength > 0;
        this.#end(ErrorCode.noError);
        this.#drop();
      }, graceMs);
      this.#onGone.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
    return !isForced;
  }

  /** Ends at once: streams are closed, the peer is told `code` of RFC 9113 section 7 if it listens. */
  destroy(code: number = ErrorCode.noError): void {
    this.#end(code);
    this.#socket.destroySoon();
  }

  #frameEvents(): ConnectionFrames {
    return {
      onPeerSettings: () => {
        this.#times.hasPeerSettings = true;
      },
      onSettingsAck: () => {
        this.#times.isAcknowledged = true;
        this.#session.decoder.settingsAcknowledged();
      },
      onPingAck: (bytes, at) => {
        if (drainPing.compare(bytes, at, at + drainPing.length) === 0) this.#onDrainPing();
      },
      onPeerGoaway: () => {
        this.#isLeaving = true;
        this.#onIdle();
      },
    };
  }

  #timeEvents(): TimedConnection {
    const unread = this.#unread;
    return {
      get isHeld() {
        return !unread.isEmpty;
      },
      goaway: () => this.goaway(),
      finishGoaway: () => this.#finishGoaway(),
      fail: (error) => this.#fail(error),
      drop: () => this.#drop(),
    };
  }

  #onBytes(chunk: Buffer): void {
    if (this.#isEnded) {
      this.#discard.add(chunk.length);
      return;
    }
    this.#times.receivedAtMs = coarseNow();
    if (this.#unread.isEmpty) this.#read(chunk);
    else this.#unread.add(chunk, false);
    this.#holdReading();
  }

  /** @internal Goes on with what has come. */
  onTurn(): void {
    for (let chunk = this.#unread.shift(); chunk !== undefined; chunk = this.#unread.shift())
      if (!this.#read(chunk)) break;
    if (this.#unread.isEmpty) this.#releaseReading();
    this.#holdReading();
  }

  /** Returns false: it is the turn of others. */
  #read(chunk: Buffer): boolean {
    if (this.#isEnded) return true;
    try {
      const taken = this.#share.mayGoOn() ? this.#reader.push(chunk, this.#mayGoOn) : 0;
      if (taken === chunk.length || this.#isEnded) return true;
      this.#unread.add(chunk.subarray(taken), true);
      return false;
    } catch (error) {
      this.#fail(error);
      return true;
    }
  }

  // A peer that does not read is not read either: its acknowledgements and answers would pile up here.
  #holdReading(): void {
    const { writableLength, writableNeedDrain } = this.#socket;
    // Without a need there is no 'drain' to go on by.
    const isBehind = writableNeedDrain && writableLength > this.#session.options.maxSocketBacklogBytes;
    const isUnread = !this.#unread.isEmpty && (this.#share.isBehind || this.#unread.length > unreadBytes);
    if (this.#isReadingHeld || this.#isEnded || !(isBehind || isUnread)) return;
    this.#isReadingHeld = true;
    this.#socket.pause();
  }

  #releaseReading(): void {
    if (!this.#isReadingHeld) return;
    this.#isReadingHeld = false;
    this.#socket.resume();
  }

  #onDrain(): void {
    this.#session.writer.onSocketDrain();
    if (this.#unread.isEmpty) this.#releaseReading();
    if (!this.#isEnded) this.#session.outbox.pump();
  }

  #onIdle(): void {
    const isDrained = this.#isLeaving || this.#session.lastServedId < largestStreamId;
    if (isDrained && this.#session.streams.size === 0) this.#finish();
  }

  // Twice there and back: clients answer a PING before they send the requests that they had ready.
  #onDrainPing(): void {
    if (this.#isPingedAgain) {
      this.#finishGoaway();
    } else if (this.#times.goawayAtMs > 0 && !this.#isEnded) {
      this.#isPingedAgain = true;
      this.#session.writer.ping(Flag.none, drainPing, 0);
    }
  }

  #finishGoaway(): void {
    const session = this.#session;
    if (this.#isEnded || this.#times.goawayAtMs === 0 || session.lastServedId < largestStreamId) return;
    session.lastServedId = session.lastStreamId;
    session.writer.goaway(session.lastStreamId, ErrorCode.noError);
    this.#onIdle();
  }

  #fail(error: unknown): void {
    if (this.#isEnded) return;
    const known =
      error instanceof Http2ConnectionError
        ? error
        : new Http2ConnectionError(ErrorCode.internalError, 'the connection failed', { cause: error });
    this.#error = known;
    this.counters.connectionErrors += 1;
    this.#end(known.code, known.message);
  }

  /** With a last GOAWAY. */
  #end(code: number, why?: string): void {
    if (this.#isEnded) return;
    const { lastServedId, lastStreamId } = this.#session;
    // The number that was said before must not grow: RFC 9113 section 6.8.
    this.#session.writer.goaway(Math.min(lastStreamId, lastServedId), code, why);
    this.#finish();
    this.#session.closeStreams(code === ErrorCode.noError ? ErrorCode.cancel : code);
  }

  /** What is written goes out; what still comes is read and thrown away, so that the peer gets to see it; up to a bound. */
  #finish(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#forgetUnread();
    this.#reader.stop();
    this.#times.endedAtMs = coarseNow();
    this.#times.isOrderly = this.#error === undefined;
    this.#session.writer.close();
    this.#releaseReading();
    this.#socket.end();
  }

  #forgetUnread(): void {
    this.#unread.clear();
    this.#share.close();
  }

  #drop(): void {
    this.#end(ErrorCode.noError);
    this.#socket.destroy();
  }

  #onClose(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#isEnded = true;
    this.#forgetUnread();
    this.#reader.stop();
    this.#times.stop();
    this.#session.writer.close();
    this.#session.closeStreams(ErrorCode.cancel);
    for (const resolve of this.#onGone) resolve();
    this.#session.handler.onClose?.(this.#error);
  }
}

function ignore(): void {
  // 'close' follows, and says all that there is to do.
}
