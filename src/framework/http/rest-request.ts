import type { IncomingHttpHeaders } from 'node:http';
import { Readable } from 'node:stream';
import type { Http2RequestHead, Http2Stream } from '../http2/index.js';
import { distinctHeaders, flatHeaders, headersRecord } from './headers-record.js';
import { StreamSocket, type Transport } from './stream-socket.js';

// No reason to keep more before the handler than one frame: what is behind waits in the engine, counted by its windows.
const readAheadBytes = 16_384;

const readableOptions = { autoDestroy: false, highWaterMark: readAheadBytes } as const;

/**
 * A request over HTTP/2 in the form of Node's `http.IncomingMessage`, for Fastify, Nest and what is plugged into them.
 *
 * What differs: pseudo-headers are not among `headers`, `host` always is; `socket` closes with the request; `destroy()` only
 * throws the rest of the body away, so that an answer may still follow.
 */
export class RestRequest extends Readable {
  readonly stream: Http2Stream;
  readonly method: string;
  readonly scheme: string;
  readonly authority: string;
  url: string;
  /** The caller went away before the answer was whole. */
  aborted = false;
  /** The whole body has come. */
  complete: boolean;
  readonly #head: Http2RequestHead;
  readonly #transport: Transport;
  #headers: IncomingHttpHeaders | undefined;
  #socket: StreamSocket | undefined;
  #isRead = false;

  constructor(stream: Http2Stream, head: Http2RequestHead, transport: Transport) {
    super(readableOptions);
    this.stream = stream;
    this.method = head.method;
    this.scheme = head.scheme;
    this.authority = head.authority;
    this.url = head.path;
    this.complete = head.endStream;
    this.#head = head;
    this.#transport = transport;
  }

  get httpVersion(): string {
    return '2.0';
  }

  get httpVersionMajor(): number {
    return 2;
  }

  get httpVersionMinor(): number {
    return 0;
  }

  get headers(): IncomingHttpHeaders {
    if (this.#headers === undefined) {
      this.#headers = headersRecord(this.#head.headers);
      this.#headers.host ??= this.authority;
    }
    return this.#headers;
  }

  get headersDistinct(): Record<string, string[]> {
    return distinctHeaders(this.#head.headers);
  }

  get rawHeaders(): string[] {
    return flatHeaders(this.#head.headers);
  }

  /** Filled when the body has been read to its end. */
  get trailers(): Record<string, string> {
    return this.stream.trailers?.toRecord() ?? {};
  }

  get rawTrailers(): string[] {
    return this.stream.trailers === undefined ? [] : flatHeaders(this.stream.trailers);
  }

  get socket(): StreamSocket {
    this.#socket ??= new StreamSocket(this.#transport, this.stream.isClosed);
    return this.#socket;
  }

  get connection(): StreamSocket {
    return this.socket;
  }

  /** For what expects it: time limits are those of the service. */
  setTimeout(): this {
    return this;
  }

  override _read(): void {
    this.#isRead = true;
    if (this.complete) this.push(null);
    else this.stream.resume();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.stream.pause();
    // As in HTTP/1.1: nobody has to listen for the error of a caller who has left.
    done(this.listenerCount('error') > 0 ? error : null);
  }

  /** @internal A part of the body has come. */
  onData(chunk: Uint8Array): void {
    if (!this.destroyed && !this.push(chunk)) this.stream.pause();
  }

  /** @internal The body is whole. */
  onEnd(): void {
    if (this.aborted) return;
    this.complete = true;
    if (this.#isRead && !this.destroyed) this.push(null);
  }

  /** @internal The stream is gone. */
  onClose(isAnswered: boolean): void {
    if (!isAnswered) {
      this.aborted = true;
      this.emit('aborted');
    }
    if (!this.complete || this.aborted || this.#isRead || this.listenerCount('close') > 0) {
      const isBroken = this.aborted && !this.complete;
      this.destroy(isBroken ? Object.assign(new Error('aborted'), { code: 'ECONNRESET' }) : undefined);
    }
    this.#socket?.close();
  }
}
