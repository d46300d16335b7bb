import { ErrorCode, fieldsOf, type Http2Fields } from '../../http2/index.js';
import { MalformedMessageError } from '../grpc.errors.js';
import type { CarrierStream, OutgoingFields, ServerStream, StreamListener } from '../server-stream.js';
import { Base64Reader, encodeBase64, MalformedBase64Error } from './base64.js';
import { trailerFrame } from './trailer-frame.js';
import { type WebFormat, webType } from './web-format.js';

/**
 * A gRPC-Web call, as the gRPC protocol sees it: what the server sends as trailers goes into the body, in the text form
 * all of the body is base64, and the content type says so.
 *
 * @see https://github.com/grpc/grpc/blob/v1.71.0/doc/PROTOCOL-WEB.md
 */
export class GrpcWebStream implements ServerStream {
  readonly account: ServerStream['account'];
  readonly peer: ServerStream['peer'];
  readonly #inner: CarrierStream;
  readonly #format: WebFormat;
  readonly #complete: (headers: OutgoingFields) => void;
  #listener: StreamListener | undefined;
  // Headers wait for the end of the turn: if the whole answer is there by then, its length is known, and HTTP/1.1 needs no
  // chunks for it.
  #waiting: OutgoingFields | undefined;

  /** @param complete adds what every answer carries besides */
  constructor(inner: CarrierStream, format: WebFormat, complete: (headers: OutgoingFields) => void) {
    this.account = inner.account;
    this.peer = inner.peer;
    this.#inner = inner;
    this.#format = format;
    this.#complete = complete;
  }

  get isClosed(): boolean {
    return this.#inner.isClosed;
  }

  get maxFieldsBytes(): number {
    return this.#inner.maxFieldsBytes ?? Number.POSITIVE_INFINITY;
  }

  listen(listener: StreamListener): void {
    this.#listener = listener;
    this.#inner.listen(this.#format.isRequestText ? new TextListener(listener) : listener);
  }

  /** The rest of the request does not come: the call ends with the status of `error`. */
  fail(error: Error): void {
    this.#listener?.onMalformed?.(error);
  }

  pause(): void {
    this.#inner.pause();
  }

  resume(): void {
    this.#inner.resume();
  }

  respond(fields: Http2Fields): void {
    this.#waiting = this.#headers(fields);
    setImmediate(sendWaiting, this);
  }

  respondOnly(fields: Http2Fields): void {
    this.#inner.respondOnly(this.#headers(fields));
  }

  write(data: Uint8Array): boolean {
    this.#flush();
    return this.#inner.write(this.#body(data));
  }

  end(trailers: Http2Fields = [], data?: Uint8Array): boolean {
    const frame = trailerFrame(trailers);
    const body = this.#body(data === undefined ? frame : Buffer.concat([data, frame]));
    this.#waiting?.push({ name: 'content-length', value: String(body.length) });
    this.#flush();
    this.#inner.end(undefined, body);
    return true;
  }

  reset(code: number): void {
    this.#inner.reset(code);
  }

  /** @internal The turn is over. */
  sendWaiting(): void {
    try {
      this.#flush();
    } catch {
      // Fields that cannot be sent; who gave them has gone on.
      this.#inner.reset(ErrorCode.internalError);
    }
  }

  #flush(): void {
    const headers = this.#waiting;
    if (headers === undefined) return;
    this.#waiting = undefined;
    this.#inner.respond(headers);
  }

  #headers(fields: Http2Fields): OutgoingFields {
    const headers = fieldsOf(fields).map((field) =>
      field.name === 'content-type' ? { ...field, value: webType(field.value, this.#format.isAnswerText) } : field,
    );
    this.#complete(headers);
    return headers;
  }

  #body(data: Uint8Array): Uint8Array {
    return this.#format.isAnswerText ? encodeBase64(data) : data;
  }
}

function sendWaiting(stream: GrpcWebStream): void {
  stream.sendWaiting();
}

/** Takes the base64 off a request body. */
class TextListener implements StreamListener {
  readonly #listener: StreamListener;
  readonly #reader = new Base64Reader();
  #isMalformed = false;

  constructor(listener: StreamListener) {
    this.#listener = listener;
  }

  onData(chunk: Uint8Array): void {
    this.#pass(() => this.#reader.read(chunk));
  }

  onEnd(): void {
    this.#pass(() => this.#reader.end());
    if (!this.#isMalformed) this.#listener.onEnd();
  }

  onDrain(): void {
    this.#listener.onDrain();
  }

  onClose(code: number): void {
    this.#listener.onClose(code);
  }

  onShutdown(): boolean {
    return this.#listener.onShutdown?.() ?? false;
  }

  #pass(decode: () => Buffer): void {
    if (this.#isMalformed) return;
    let data: Buffer;
    try {
      data = decode();
    } catch (cause) {
      if (!(cause instanceof MalformedBase64Error)) throw cause;
      this.#isMalformed = true;
      this.#listener.onMalformed?.(new MalformedMessageError('the body is not base64', { cause }));
      return;
    }
    if (data.length > 0) this.#listener.onData(data);
  }
}
