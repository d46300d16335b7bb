import type { IncomingHttpHeaders } from 'node:http';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import type { RookeryError } from '../core/index.js';
import { Http2Headers } from '../http2/index.js';
import { BodyParts } from './body-parts.js';
import { distinctHeaders, flatHeaders, headerOf, headersRecord } from './headers-record.js';
import type { RestConnection, RestHead, RestStream } from './rest-stream.js';
import { StreamSocket, type Transport } from './stream-socket.js';
import { readClock } from '../wire/index.js';

// No reason to keep more before the handler than one frame: what is behind waits in the engine, counted by its windows.
const readAheadBytes = 16_384;

const nothing = Buffer.alloc(0);

const noTrailers = new Http2Headers([]);

const readableOptions = { autoDestroy: false, highWaterMark: readAheadBytes } as const;

/** Ends the wait for a request body. */
export interface BodyWatch {
  /** The rest of the body does not come: what reads it fails with `error`, which is the response. */
  onBroken(error: RookeryError): void;
}

/** Who wants the body as a whole. */
export interface BodyTaker {
  /** A piece of it has come, and is to be kept. Returns why that cannot be, or `undefined`. */
  keep(piece: Buffer): Error | undefined;
  /** All of it. */
  onBody(bytes: Buffer): void;
  /** It is longer than it may be; the rest is thrown away. */
  onTooLong(): void;
  /** The rest of it will not come. */
  onBroken(error: Error): void;
}

/**
 * A request in the form of Node's `http.IncomingMessage`, for Fastify, Nest and what is plugged into them.
 *
 * What differs: `destroy()` only throws the rest of the body away, so that an answer may still follow. On HTTP/2
 * pseudo-headers are not among `headers`, `host` always is, and `socket` closes with the request.
 */
export class RestRequest extends Readable {
  readonly stream: RestStream;
  readonly method: string;
  readonly scheme: string;
  readonly authority: string;
  url: string;
  /** The caller went away before the answer was whole. */
  aborted = false;
  /** The whole body has come. */
  complete: boolean;
  /** When the whole body had come, on the clock of `performance.now()`; `undefined` where there is none. */
  receivedAtMs: number | undefined = undefined;
  /** Why no route is to serve it, as HTTP itself has it. */
  readonly refusal: RookeryError | undefined;
  /** Of a request that has a body. */
  bodyWatch: BodyWatch | undefined;
  /** Called once, before the body is read for the first time; never where it is not read. */
  onWanted: (() => void) | undefined;
  readonly #head: RestHead;
  readonly #connection: RestConnection;
  #headers: IncomingHttpHeaders | undefined;
  #socket: StreamSocket | undefined;
  #isRead = false;
  #taker: BodyTaker | undefined;
  #limitBytes = 0;
  #collectedBytes = 0;
  #collected: Buffer | BodyParts | undefined;
  /** The body went to a taker, past the stream. */
  #isTaken = false;

  constructor(stream: RestStream, head: RestHead, connection: RestConnection, refusal?: RookeryError) {
    super(readableOptions);
    this.stream = stream;
    this.method = head.method;
    this.scheme = head.scheme;
    this.authority = head.authority;
    this.url = head.path;
    this.complete = head.endStream;
    this.#head = head;
    this.#connection = connection;
    this.refusal = refusal;
    this.bodyWatch = undefined;
    this.onWanted = undefined;
  }

  /** Whether the head announced one, which may be empty. */
  get hasBody(): boolean {
    return !this.#head.endStream;
  }

  /** Whether something is held up because the body has not come. */
  get isBodyAwaited(): boolean {
    return !this.complete && !this.aborted && (this.#taker !== undefined || (this.#isRead && !this.destroyed));
  }

  get httpVersion(): string {
    const { http1 } = this.#head;
    return http1 === undefined ? '2.0' : `1.${http1.httpVersionMinor}`;
  }

  get httpVersionMajor(): number {
    return this.#head.http1 === undefined ? 2 : 1;
  }

  get httpVersionMinor(): number {
    return this.#head.http1?.httpVersionMinor ?? 0;
  }

  get headers(): IncomingHttpHeaders {
    if (this.#headers === undefined) {
      this.#headers = headersRecord(this.#head.headers);
      // Without one, HTTP/1.0 has none.
      if (this.#head.http1 === undefined) this.#headers.host ??= this.authority;
    }
    return this.#headers;
  }

  /** One of `headers`, without making the record of all of them. */
  field(name: string): string | undefined {
    if (this.#headers === undefined) {
      const value = headerOf(this.#head.headers, name);
      return value === undefined && name === 'host' && this.#head.http1 === undefined ? this.authority : value;
    }
    const value = this.#headers[name];
    return Array.isArray(value) ? value[0] : value;
  }

  /** Address of the peer. */
  get peerAddress(): string {
    return this.stream.peer.address;
  }

  get headersDistinct(): Record<string, string[]> {
    return distinctHeaders(this.#head.headers);
  }

  get rawHeaders(): string[] {
    const { http1, headers } = this.#head;
    const flat = flatHeaders(headers);
    http1?.rawNames.forEach((name, at) => {
      flat[2 * at] = name;
    });
    return flat;
  }

  /** Filled when the body has been read to its end. */
  get trailers(): Record<string, string> {
    return this.#trailers.toRecord();
  }

  get trailersDistinct(): Record<string, string[]> {
    return distinctHeaders(this.#trailers);
  }

  get rawTrailers(): string[] {
    return flatHeaders(this.#trailers);
  }

  get socket(): StreamSocket | Socket {
    if (this.#head.http1 !== undefined) return this.#connection as Socket;
    this.#socket ??= new StreamSocket(this.#connection as Transport, this.stream);
    return this.#socket;
  }

  get connection(): StreamSocket | Socket {
    return this.socket;
  }

  /** For what expects it: time limits are those of the service. */
  setTimeout(): this {
    return this;
  }

  get #trailers(): Http2Headers {
    const { trailers = noTrailers } = this.stream;
    return trailers instanceof Http2Headers ? trailers : new Http2Headers(trailers);
  }

  /** Hands the body to `taker` in one piece, without the ways of a stream. In place of reading it, and once. */
  collect(limitBytes: number, taker: BodyTaker): void {
    this.#isTaken = true;
    if (this.complete) {
      taker.onBody(nothing);
      return;
    }
    this.#limitBytes = limitBytes;
    this.#taker = taker;
    this.#want();
  }

  /** Tells who collects the body that it will not come. Returns whether there is somebody. */
  breakOff(error: Error): boolean {
    const taker = this.#taker;
    this.#letGo();
    taker?.onBroken(error);
    return taker !== undefined;
  }

  override _read(): void {
    this.#isRead = true;
    if (this.complete) this.push(null);
    else this.#want();
  }

  #want(): void {
    const { onWanted } = this;
    if (onWanted !== undefined) {
      this.onWanted = undefined;
      onWanted();
    }
    this.stream.resume();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.stream.pause();
    // As in HTTP/1.1: nobody has to listen for the error of a caller who has left.
    done(this.listenerCount('error') > 0 ? error : null);
  }

  /** @internal A part of the body has come. */
  onData(chunk: Uint8Array): void {
    if (this.#isTaken) this.#collect(chunk as Buffer);
    else if (!this.destroyed && !this.push(chunk)) this.stream.pause();
  }

  /** @internal The body is whole. */
  onEnd(): void {
    if (this.aborted) return;
    this.complete = true;
    this.receivedAtMs = readClock();
    if (this.#isRead && !this.destroyed) this.push(null);
    const taker = this.#taker;
    if (taker === undefined) return;
    const collected = this.#collected;
    this.#letGo();
    taker.onBody(collected instanceof BodyParts ? collected.whole() : (collected ?? nothing));
  }

  /** @internal The stream is gone. */
  onClose(isAnswered: boolean): void {
    if (!isAnswered) {
      this.aborted = true;
      this.emit('aborted');
    }
    if (!this.complete || this.aborted || this.#isRead || this.listenerCount('close') > 0) {
      const isBroken = this.aborted && !this.complete;
      const error = isBroken ? Object.assign(new Error('aborted'), { code: 'ECONNRESET' }) : undefined;
      if (error !== undefined) this.breakOff(error);
      if (error === undefined && this.#isTaken && !this.#isRead) this.#closeAtEnd();
      else this.destroy(error);
    }
    this.#socket?.close();
  }

  #collect(chunk: Buffer): void {
    const taker = this.#taker;
    if (taker === undefined) return;
    this.#collectedBytes += chunk.length;
    if (this.#collectedBytes > this.#limitBytes) {
      this.#letGo();
      taker.onTooLong();
      return;
    }
    const refusal = taker.keep(chunk);
    if (refusal !== undefined) {
      this.#letGo();
      taker.onBroken(refusal);
    } else if (this.#collected === undefined) this.#collected = chunk;
    else {
      if (!(this.#collected instanceof BodyParts)) {
        const first = this.#collected;
        this.#collected = new BodyParts();
        this.#collected.add(first);
      }
      this.#collected.add(chunk);
    }
  }

  #letGo(): void {
    this.#taker = undefined;
    this.#collected = undefined;
  }

  // To who listens, the stream ends before it closes, as where it was read.
  #closeAtEnd(): void {
    this.once('end', () => this.destroy());
    this.resume();
  }
}
