import { type ByteAccount, coarseNow } from '../wire/index.js';
import { ByteQueue } from './byte-queue.js';
import { ErrorCode } from './error-code.js';
import { ReceiveWindow } from './flow-control.js';
import { Http2HeaderError } from './http2.errors.js';
import type { Http2Headers } from './http2-headers.js';
import type { Http2Fields, Http2Peer, Http2Stream, Http2StreamListener } from './http2-stream.js';
import type { HeaderField } from './hpack/index.js';
import { checkOutgoing, checkOutgoingWith, Opening } from './outgoing-fields.js';

/** What a stream needs of its connection. */
export interface StreamHost extends Pick<Http2Stream, 'account' | 'maxFieldsBytes'> {
  /** The other end of the connection. */
  readonly remote: Http2Peer;
  readonly writeHighWaterBytes: number;
  /** A HEADERS frame, with CONTINUATION frames where it takes them. False: the peer would not read it, and the stream is gone. */
  sendFields(stream: Stream, fields: Http2Fields, endStream: boolean): boolean;
  /** The same, those of `fixed` first. */
  sendFieldsWith(stream: Stream, fixed: readonly HeaderField[], fields: readonly HeaderField[]): boolean;
  /** Sends all of it at once, or returns false. */
  sendData(stream: Stream, data: Uint8Array, endStream: boolean): boolean;
  /** Whether what `sendData` sent last has been copied. */
  readonly isDataCopied: boolean;
  /** An empty DATA frame with END_STREAM. */
  sendEnd(streamId: number): void;
  /** `stream.outgoing` has bytes. */
  offer(stream: Stream): void;
  /** Bytes wait for the consumer. */
  onWaiting(stream: Stream, bytes: number): void;
  /** So many more bytes of the answer wait, or fewer where negative. False: there is no room for them, and the stream is gone. */
  onUnsent(stream: Stream, bytes: number): boolean;
  /** The consumer has taken bytes. */
  giveBack(stream: Stream, bytes: number): void;
  /** END_STREAM has been sent. */
  onAnswered(stream: Stream): void;
  /** Sends RST_STREAM, and closes the stream. */
  resetStream(stream: Stream, code: number): void;
  /** A listener threw. */
  report(error: unknown, stream: Stream): void;
}

/** State of a stream: RFC 9113 section 5.1, from the moment its HEADERS have come (open, or half-closed on the remote side). */
export class Stream implements Http2Stream {
  readonly id: number;
  peer: Http2Peer;
  readonly account: ByteAccount;
  readonly window: ReceiveWindow;
  trailers: Http2Headers | undefined;
  isClosed = false;
  /** END_STREAM has come. */
  isRequestEnded = false;
  /** END_STREAM has been sent. */
  isAnswered = false;
  /** Its header fields are too many; the answer earns the peer nothing. */
  isRefused = false;
  /** Bytes of the body to come by `content-length`, or `unknownLength`. */
  bodyBytesLeft: number;
  /** That the connection knows to wait for the consumer. */
  waitingBytes = 0;
  // Sending side, for the outbox.
  sendWindowBytes: number;
  outgoing: ByteQueue | undefined;
  isInRing = false;
  nextInRing: Stream | undefined;
  /** Since when output has waited, by `coarseNow`; 0: there is none. */
  waitingSinceMs = 0;
  readonly #host: StreamHost;
  #listener: Http2StreamListener | undefined;
  #isPaused = false;
  #isDelivering = false;
  #isEndDelivered = false;
  #incoming: ByteQueue | undefined;
  #hasResponded = false;
  /** `end` has been called. */
  #isEnding = false;
  #closingFields: Http2Fields | undefined;
  #wantsDrain = false;
  #closeCode: number = ErrorCode.noError;

  constructor(host: StreamHost, id: number, windowBytes: number, sendWindowBytes: number, bodyBytes: number) {
    this.#host = host;
    this.peer = host.remote;
    this.id = id;
    this.account = host.account;
    this.window = new ReceiveWindow(windowBytes);
    this.sendWindowBytes = sendWindowBytes;
    this.bodyBytesLeft = bodyBytes;
  }

  get maxFieldsBytes(): number {
    return this.#host.maxFieldsBytes;
  }

  /** The last of the bytes that wait end the answer. */
  get endsWithData(): boolean {
    return this.#isEnding && this.#closingFields === undefined;
  }

  listen(listener: Http2StreamListener): void {
    this.#listener = listener;
    if (this.isClosed) this.#tellClosed();
    else this.#deliver();
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#deliver();
  }

  inform(fields: Http2Fields): void {
    if (!(fields instanceof Uint8Array)) checkOutgoing(fields, Opening.interim);
    if (!this.isClosed && !this.#hasResponded) this.#host.sendFields(this, fields, false);
  }

  respond(fields: Http2Fields): void {
    if (!(fields instanceof Uint8Array)) checkOutgoing(fields, Opening.final);
    if (this.isClosed || this.#hasResponded) return;
    this.#hasResponded = true;
    this.#host.sendFields(this, fields, false);
  }

  respondWith(fixed: readonly HeaderField[], fields: readonly HeaderField[]): void {
    checkOutgoingWith(fixed, fields);
    if (this.isClosed || this.#hasResponded) return;
    this.#hasResponded = true;
    this.#host.sendFieldsWith(this, fixed, fields);
  }

  respondOnly(fields: Http2Fields): void {
    if (!(fields instanceof Uint8Array)) checkOutgoing(fields, Opening.final);
    if (this.isClosed || this.#hasResponded) return;
    this.#hasResponded = true;
    this.#isEnding = true;
    if (this.#host.sendFields(this, fields, true)) this.#host.onAnswered(this);
  }

  write(data: Uint8Array): boolean {
    if (this.#cannotSend() || data.length === 0) return true;
    if (!this.#hasOutgoing() && this.#host.sendData(this, data, false)) return true;
    this.#enqueue(data);
    if (!this.#hasOutgoing() || (this.outgoing?.bytes ?? 0) < this.#host.writeHighWaterBytes) return true;
    this.#wantsDrain = true;
    return false;
  }

  end(trailers?: Http2Fields, data?: Uint8Array): boolean {
    const closing = trailers !== undefined && trailers.length > 0 ? trailers : undefined;
    if (closing !== undefined && !(closing instanceof Uint8Array)) checkOutgoing(closing, Opening.trailers);
    if (this.#cannotSend()) return true;
    this.#isEnding = true;
    this.#closingFields = closing;
    this.#wantsDrain = false;
    const hasData = data !== undefined && data.length > 0;
    if (!this.#hasOutgoing()) {
      const isSent = hasData && this.#host.sendData(this, data, closing === undefined);
      if (isSent || !hasData) {
        const isCopied = !hasData || this.#host.isDataCopied;
        this.#finish(isSent && closing === undefined);
        return isCopied;
      }
    }
    if (hasData) this.#enqueue(data);
    return !hasData;
  }

  reset(code: number): void {
    if (!this.isClosed) this.#host.resetStream(this, code);
  }

  /** The outbox has sent `bytes` of `outgoing`. */
  onSent(withEndStream: boolean, bytes: number): void {
    this.#host.onUnsent(this, -bytes);
    if (this.#hasOutgoing()) {
      this.waitingSinceMs = coarseNow();
      return;
    }
    this.waitingSinceMs = 0;
    if (this.#isEnding) this.#finish(withEndStream);
    else if (this.#wantsDrain) {
      this.#wantsDrain = false;
      try {
        this.#listener?.onDrain();
      } catch (error) {
        this.#host.report(error, this);
      }
    }
  }

  /** Body bytes that the windows had room for. */
  onData(bytes: Buffer, start: number, end: number): void {
    if (this.isAnswered) {
      this.#host.giveBack(this, end - start);
    } else if (this.#listener === undefined || this.#isPaused || this.#isDelivering || this.#hasIncoming()) {
      this.#incoming ??= new ByteQueue();
      this.#incoming.push(bytes, start, end);
      this.#host.onWaiting(this, end - start);
    } else {
      this.#hand(this.#listener, bytes.subarray(start, end));
    }
  }

  /** END_STREAM has come. */
  onEnd(): void {
    this.isRequestEnded = true;
    this.#deliver();
  }

  /** The process stops waiting. Returns whether the response comes to an orderly end. */
  shutDown(): boolean {
    if (this.isClosed || this.isAnswered || this.#isEnding) return true;
    return this.#listener?.onShutdown?.() ?? false;
  }

  /** The stream is over for the connection too. */
  close(code: number): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#closeCode = code;
    this.#host.onUnsent(this, -(this.outgoing?.bytes ?? 0));
    this.#host.giveBack(this, this.#incoming?.bytes ?? 0);
    this.#incoming = undefined;
    this.outgoing = undefined;
    this.#closingFields = undefined;
    this.waitingSinceMs = 0;
    this.#tellClosed();
  }

  #cannotSend(): boolean {
    if (this.isClosed || this.#isEnding) return true;
    if (!this.#hasResponded) throw new Http2HeaderError('a body needs response headers before it (call respond first)');
    return false;
  }

  #hasOutgoing(): boolean {
    return this.outgoing !== undefined && this.outgoing.bytes > 0;
  }

  #hasIncoming(): boolean {
    return this.#incoming !== undefined && this.#incoming.bytes > 0;
  }

  #enqueue(data: Uint8Array): void {
    (this.outgoing ??= new ByteQueue()).push(data, 0, data.length);
    if (!this.#host.onUnsent(this, data.length)) return;
    if (this.waitingSinceMs === 0) this.waitingSinceMs = coarseNow();
    this.#host.offer(this);
  }

  /** The body is out. */
  #finish(isEndStreamSent: boolean): void {
    if (!isEndStreamSent) {
      if (this.#closingFields === undefined) this.#host.sendEnd(this.id);
      else if (!this.#host.sendFields(this, this.#closingFields, true)) return;
    }
    this.#host.onAnswered(this);
  }

  #deliver(): void {
    const listener = this.#listener;
    if (listener === undefined || this.#isDelivering) return;
    this.#isDelivering = true;
    while (!this.#isPaused && !this.isAnswered) {
      const piece = this.#incoming?.peek();
      if (piece === undefined) break;
      this.#incoming?.drop(piece.length);
      this.#hand(listener, piece);
    }
    this.#isDelivering = false;
    if (this.isRequestEnded && !this.#isPaused && !this.#isEndDelivered && !this.isClosed && !this.#hasIncoming()) {
      this.#isEndDelivered = true;
      try {
        listener.onEnd();
      } catch (error) {
        this.#host.report(error, this);
      }
    }
  }

  #hand(listener: Http2StreamListener, piece: Uint8Array): void {
    try {
      listener.onData(piece);
    } catch (error) {
      this.#host.report(error, this);
    }
    this.#host.giveBack(this, piece.length);
  }

  #tellClosed(): void {
    try {
      this.#listener?.onClose(this.#closeCode);
    } catch (error) {
      this.#host.report(error, this);
    }
  }
}
