import type { IncomingMessage, ServerResponse } from 'node:http';
import { ErrorCode, fieldsOf, type HeaderField, type Http2Fields, Http2Headers } from '../../http2/index.js';
import type { RequestHead, ServerStream, StreamListener } from '../server-stream.js';

const ignore = (): void => {};

/** What a request of Node's HTTP/1.1 server says before its body. */
export function http1Head(request: IncomingMessage): RequestHead {
  const flat = [...request.rawHeaders];
  for (let i = 0; i < flat.length; i += 2) flat[i] = (flat[i] as string).toLowerCase();
  return { method: request.method ?? '', path: request.url ?? '', headers: new Http2Headers(flat) };
}

/**
 * A request and its answer on Node's HTTP/1.1 server, in the terms of a stream. It has no trailers; those given to `end`
 * are not sent.
 *
 * While nobody reads the request, Node does not see that the caller goes away either; the deadline sees to such a call.
 */
export class Http1ServerStream implements ServerStream {
  readonly peerAddress: string;
  readonly peerPort: number;
  readonly maxFieldsBytes = Number.POSITIVE_INFINITY;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  // Headers wait for the end of the turn: if the whole answer is there by then, its length is known.
  #head: readonly HeaderField[] | undefined;
  #isEnded = false;
  isClosed = false;

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.peerAddress = request.socket.remoteAddress ?? '';
    this.peerPort = request.socket.remotePort ?? 0;
    this.#request = request;
    this.#response = response;
  }

  listen(listener: StreamListener): void {
    const request = this.#request;
    const response = this.#response;
    request.on('data', (chunk: Buffer) => listener.onData(chunk));
    request.on('end', () => {
      if (!this.isClosed) listener.onEnd();
    });
    request.on('error', ignore);
    response.on('drain', () => listener.onDrain());
    response.on('error', ignore);
    // After the last byte as well as when the caller goes away. What is left of the request Node throws away itself.
    response.once('close', () => {
      this.isClosed = true;
      request.removeAllListeners('data');
      listener.onClose(response.writableFinished ? ErrorCode.noError : ErrorCode.cancel);
    });
  }

  pause(): void {
    if (!this.#isGone) this.#request.pause();
  }

  resume(): void {
    this.#request.resume();
  }

  respond(fields: Http2Fields): void {
    if (this.#isGone) return;
    this.#head = fieldsOf(fields);
    setImmediate(() => {
      if (this.#head === undefined || this.#isGone) return;
      this.#sendHead();
      this.#response.flushHeaders();
    });
  }

  respondOnly(fields: Http2Fields): void {
    if (this.#isGone) return;
    this.#head = fieldsOf(fields);
    this.#finish(undefined);
  }

  write(data: Uint8Array): boolean {
    if (this.#isGone) return true;
    this.#sendHead();
    return this.#response.write(data);
  }

  end(_trailers?: Http2Fields, data?: Uint8Array): boolean {
    if (!this.#isGone) this.#finish(data);
    return false;
  }

  reset(_code: number): void {
    this.#response.destroy();
  }

  get #isGone(): boolean {
    return this.#isEnded || this.isClosed || this.#response.destroyed;
  }

  #finish(data: Uint8Array | undefined): void {
    this.#sendHead(data?.length ?? 0);
    this.#isEnded = true;
    this.#response.end(data);
    // A body that nobody reads any more must not hold up the next request on the connection.
    this.#request.resume();
  }

  #sendHead(length?: number): void {
    const [status, ...fields] = this.#head ?? [];
    if (status === undefined) return;
    this.#head = undefined;
    const flat = fields.flatMap(({ name, value }) => [name, value]);
    // RFC 9110 section 8.6: not with a status that has no content.
    if (length !== undefined && status.value !== '204') flat.push('content-length', String(length));
    this.#response.writeHead(Number(status.value), flat);
  }
}
