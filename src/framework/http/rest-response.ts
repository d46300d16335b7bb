import type { OutgoingHttpHeader } from 'node:http';
import type { Socket } from 'node:net';
import { ErrorCode, type HeaderField } from '../http2/index.js';
import { bytesOf } from './chunk-bytes.js';
import { addField, closeField, dateField, eachHeader, type GivenHeaders, isBodiless } from './rest-fields.js';
import { failResponse, openResponseStream, settleResponse } from './response-bounds.js';
import { ResponseFlow, skipped, type Written } from './response-flow.js';
import type { RestRequest } from './rest-request.js';
import type { RestStream } from './rest-stream.js';
import { RestResponseHeaders, headersAreSent, StreamStateError, unknownLength } from './rest-response-headers.js';
import type { StreamSocket } from './stream-socket.js';

type Done = Written | null | undefined;
type Encoding = BufferEncoding | null | undefined;

const nothing = Buffer.alloc(0);

/** Who wants to know of the end of an answer, and pays for no listener. */
export interface ResponseWatcher {
  /** It is out, or broken off. */
  onClosed(): void;
}

/**
 * The answer to a request in the form of Node's `http.ServerResponse`, for Fastify, Nest and what is plugged into them.
 *
 * There is no machinery of `Writable` in it: what the peer has room for goes to the engine as it comes, an answer in one
 * piece in one write of the socket. `write()` returns false while the peer is behind, and 'drain' follows.
 */
export class RestResponse extends RestResponseHeaders {
  readonly req: RestRequest;
  readonly stream: RestStream;
  writableFinished = false;
  destroyed = false;
  closed = false;
  errored: Error | null = null;
  readonly writable = true;
  /** Told of the end before the listeners of 'close'. */
  watcher: ResponseWatcher | undefined;
  #trailers: HeaderField[] | undefined;
  /** Made by `writeHead`, and not sent yet because there may be no body. */
  #waiting: HeaderField[] | undefined;
  /** It ends with nothing written and no length said. */
  #isEmpty = false;
  #isStream = false;
  /** Of what is written in parts. */
  #flow: ResponseFlow | undefined;

  constructor(stream: RestStream, request: RestRequest) {
    super(request.httpVersionMajor === 1);
    this.stream = stream;
    this.req = request;
  }

  get socket(): StreamSocket | Socket {
    return this.req.socket;
  }

  get connection(): StreamSocket | Socket {
    return this.req.socket;
  }

  get finished(): boolean {
    return this.writableEnded;
  }

  get writableNeedDrain(): boolean {
    return this.#flow?.isBehind === true;
  }

  get writableLength(): number {
    return this.writableNeedDrain ? this.writableHighWaterMark : 0;
  }

  writeHead(statusCode: number, reason?: string | GivenHeaders, headers?: GivenHeaders): this {
    if (this.headersSent) throw headersAreSent('write');
    this.statusCode = statusCode;
    if (typeof reason === 'string') this.statusMessage = reason;
    const fields = this.takeFields(typeof reason === 'object' ? reason : headers);
    // The engine refuses what cannot be sent: whoever calls `writeHead` is to hear of it, and may answer otherwise.
    if (this.#mayBeAll()) this.#waiting = fields;
    else this.stream.respond(fields);
    this.headersSent = true;
    return this;
  }

  /** Node's own name, which middleware for Express hooks into. */
  _implicitHeader(): void {
    this.writeHead(this.statusCode);
  }

  flushHeaders(): void {
    if (!this.#mayStream(0)) return;
    if (!this.headersSent) this.writeHead(this.statusCode);
    this.#flush();
  }

  writeContinue(): void {
    this.stream.inform([{ name: ':status', value: '100' }]);
  }

  writeProcessing(): void {
    this.stream.inform([{ name: ':status', value: '102' }]);
  }

  writeEarlyHints(hints: Record<string, string | string[]>, done?: () => void): void {
    const fields: HeaderField[] = [{ name: ':status', value: '103' }];
    eachHeader(hints, this.unsent, (name, value) =>
      addField(fields, name, Array.isArray(value) ? value.join(', ') : value),
    );
    this.stream.inform(fields);
    done?.();
  }

  addTrailers(trailers: GivenHeaders): void {
    const fields = (this.#trailers ??= []);
    eachHeader(trailers, this.unsent, (name, value) => addField(fields, name, value));
  }

  setTrailer(name: string, value: OutgoingHttpHeader): this {
    this.addTrailers({ [name]: value });
    return this;
  }

  write(chunk: string | Uint8Array, encoding?: Encoding | Done, done?: Done): boolean {
    const callback = typeof encoding === 'function' ? encoding : done;
    if (this.writableEnded)
      return this.#fail(new StreamStateError('ERR_STREAM_WRITE_AFTER_END', 'write after end'), callback);
    if (this.destroyed)
      return this.#fail(new StreamStateError('ERR_STREAM_DESTROYED', 'the answer was destroyed'), callback);
    const bytes = bytesOf(chunk, encoding);
    if (!this.#mayStream(bytes.length)) return skipped(false, callback);
    if (!this.headersSent) this.writeHead(this.statusCode);
    if (this.#isBodiless()) return skipped(true, callback);
    this.#flush();
    this.bodyBytesLeft -= bytes.length;
    // More than was said: what is over does not go out, and the end tells.
    if (this.bodyBytesLeft < 0 && this.bodyBytesLeft !== unknownLength) return skipped(true, callback);
    const isTaken = (this.#flow ??= new ResponseFlow(this)).write(bytes, callback ?? undefined);
    if (!isTaken) this.answeredAtMs = null;
    return isTaken;
  }

  end(
    chunk?: string | Uint8Array | null | (() => void),
    encoding?: Encoding | (() => void),
    done?: (() => void) | null,
  ): this {
    const data = typeof chunk === 'function' ? undefined : chunk;
    const callback = [chunk, encoding, done].find((each) => typeof each === 'function');
    if (this.writableEnded || this.destroyed) {
      const error = new StreamStateError('ERR_STREAM_ALREADY_FINISHED', 'the answer has ended already');
      if (callback) process.nextTick(callback, error);
      return this;
    }
    const bytes = data === undefined || data === null ? nothing : bytesOf(data, encoding);
    if (callback) this.once('finish', callback);
    if (!this.headersSent && bytes.length > 0 && !this.hasHeader('content-length') && this.#trailers === undefined) {
      if (!isBodiless(this.statusCode)) this.setHeader('content-length', bytes.length);
    }
    if (!this.headersSent) {
      this.#isEmpty = bytes.length === 0 && !this.hasHeader('content-length');
      this.writeHead(this.statusCode);
    }
    const isAll =
      this.#isBodiless() || (this.#waiting !== undefined && bytes.length === 0 && this.#trailers === undefined);
    if (isAll && this.#waiting !== undefined) {
      this.#sendHead(this.#waiting, true);
      this.markEnd();
      return this;
    }
    this.#flush();
    this.markEnd();
    this.#finish(this.#isBodiless() ? nothing : bytes);
    return this;
  }

  /**
   * Sends the whole answer at once; nothing of what was set before goes out.
   *
   * @param fixed status and what is the same in each answer; always the same list
   * @param fields the others, but for the date
   * @returns whether the bytes have been copied: they may be used again
   */
  answer(fixed: readonly HeaderField[], fields: HeaderField[], bytes: Uint8Array): boolean {
    this.headersSent = true;
    this.markEnd();
    if (this.sendDate) fields.push(dateField());
    if (this.isHttp1 && !this.shouldKeepAlive) fields.push(closeField);
    this.stream.respondWith(fixed, fields);
    const isCopied = this.stream.end(undefined, bytes);
    if (!this.stream.isAnswered) settleResponse(this);
    return isCopied;
  }

  /** Breaks the answer off: unless it is out, the caller sees that it is not whole. */
  destroy(error?: Error): this {
    if (this.destroyed) return this;
    this.destroyed = true;
    this.errored = error ?? null;
    if (!this.stream.isAnswered) this.stream.reset(ErrorCode.internalError);
    return this;
  }

  /** Breaks the answer off because its time is over. */
  cut(): void {
    this.stream.reset(ErrorCode.cancel);
  }

  /** @internal The peer can take more. */
  onDrain(): void {
    this.#flow?.onDrain();
  }

  /** @internal */
  onReady(): void {
    this.emit('drain');
  }

  /** @internal */
  onFailed(error: unknown): void {
    failResponse(this, error);
  }

  /** @internal The stream is gone. What comes of it comes later, as from a socket. */
  onClose(): void {
    process.nextTick(tellEnd, this);
  }

  /** @internal */
  tellEnd(): void {
    const isOut = this.writableEnded && this.stream.isAnswered;
    this.writableFinished = isOut;
    this.#flow?.close(isOut ? undefined : new StreamStateError('ERR_STREAM_DESTROYED', 'the client has gone'));
    if (isOut) this.emit('finish');
    this.destroyed = true;
    this.closed = true;
    this.watcher?.onClosed();
    this.emit('close');
  }

  // What is not ended at once is a stream, for which there may be no room: then the response says so instead.
  #mayStream(bytes: number): boolean {
    if (this.#isStream || this.writableEnded || this.#isBodiless()) return true;
    this.#isStream = true;
    return openResponseStream(this, bytes);
  }

  /** Whether the headers may turn out to be the whole answer, which is then one frame. */
  #mayBeAll(): boolean {
    return this.#isEmpty || this.bodyBytesLeft === 0 || this.#isBodiless();
  }

  #isBodiless(): boolean {
    return this.req.method === 'HEAD' || isBodiless(this.statusCode);
  }

  #flush(): void {
    const fields = this.#waiting;
    if (fields === undefined) return;
    this.#waiting = undefined;
    this.#sendHead(fields, false);
  }

  // Headers that the engine refuses are not out: an answer that says what went wrong may follow.
  #sendHead(fields: HeaderField[], isAll: boolean): void {
    try {
      if (isAll) this.stream.respondOnly(fields);
      else this.stream.respond(fields);
    } catch (error) {
      this.#waiting = undefined;
      this.headersSent = false;
      throw error;
    }
  }

  // A body that is not as long as was said is no message (RFC 9113 section 8.1.1): better none than half of one.
  #finish(bytes: Uint8Array): void {
    this.bodyBytesLeft -= bytes.length;
    if (this.bodyBytesLeft === 0 || this.bodyBytesLeft === unknownLength || this.#isBodiless()) {
      this.stream.end(this.#trailers, bytes);
      if (!this.stream.isAnswered) settleResponse(this);
      return;
    }
    this.stream.reset(ErrorCode.internalError);
  }

  #fail(error: Error, done: Done): boolean {
    process.nextTick(() => {
      done?.(error);
      if (this.listenerCount('error') > 0) this.emit('error', error);
    });
    return false;
  }
}

function tellEnd(response: RestResponse): void {
  response.tellEnd();
}
