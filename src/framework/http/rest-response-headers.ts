import { type OutgoingHttpHeader, type OutgoingHttpHeaders, validateHeaderName, validateHeaderValue } from 'node:http';
import { Stream } from 'node:stream';
import type { HeaderField } from '../http2/index.js';
import {
  addField,
  closeField,
  dateField,
  eachHeader,
  type GivenHeaders,
  statusField,
  type Unsent,
  unsentOnHttp1,
  unsentOnHttp2,
} from './rest-fields.js';
import { readClock } from '../wire/index.js';

/** Nobody has said how long the body will be. Whatever is taken from it, it stays what it is. */
export const unknownLength: number = Number.NEGATIVE_INFINITY;

/** Something was asked of an answer that is too far for it; `code` is Node's. */
export class StreamStateError extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** Node's error for headers that come too late. */
export function headersAreSent(what: string): Error {
  return new StreamStateError('ERR_HTTP_HEADERS_SENT', `cannot ${what} headers after they are sent to the client`);
}

/** Status and headers of an answer, until they are sent. */
export class RestResponseHeaders extends Stream {
  statusCode = 200;
  /** Sent on HTTP/1.1 only; empty for the one that belongs to the status. */
  statusMessage = '';
  /** False: an HTTP/1.1 connection closes after this answer. */
  shouldKeepAlive = true;
  sendDate = true;
  headersSent = false;
  writableEnded = false;
  /** When it was whole, on the clock of `performance.now()`; `null` where the peer was behind before that. */
  answeredAtMs: number | null | undefined = undefined;
  /** By `content-length`: what is still to be written. */
  protected bodyBytesLeft: number = unknownLength;
  protected readonly isHttp1: boolean;
  protected readonly unsent: Unsent;
  readonly #headers = new Map<string, OutgoingHttpHeader>();

  constructor(isHttp1: boolean) {
    super();
    this.isHttp1 = isHttp1;
    this.unsent = isHttp1 ? unsentOnHttp1 : unsentOnHttp2;
  }

  /** Nothing more will be written. */
  protected markEnd(): void {
    this.writableEnded = true;
    if (this.answeredAtMs === undefined) this.answeredAtMs = readClock();
  }

  get writableHighWaterMark(): number {
    return 65_536;
  }

  get writableObjectMode(): boolean {
    return false;
  }

  get writableCorked(): number {
    return 0;
  }

  setHeader(name: string, value: OutgoingHttpHeader): this {
    if (this.headersSent) throw headersAreSent('set');
    validateHeaderName(name);
    for (const each of [value].flat()) validateHeaderValue(name, each as string);
    this.#headers.set(name.toLowerCase(), value);
    return this;
  }

  /** Node's own name, which middleware for Express asks by. */
  get _header(): boolean {
    return this.headersSent;
  }

  /** For what expects it: time limits are those of the service. */
  setTimeout(): this {
    return this;
  }

  cork(): void {
    // The engine gathers what a turn brings.
  }

  uncork(): void {
    // See cork().
  }

  setHeaders(headers: Iterable<[string, OutgoingHttpHeader]>): this {
    for (const [name, value] of headers) this.setHeader(name, value);
    return this;
  }

  appendHeader(name: string, value: string | readonly string[]): this {
    const before = this.getHeader(name);
    return this.setHeader(name, before === undefined ? (value as string) : [before, value].flat().map(String));
  }

  /** Whether any header was set before `writeHead`. */
  get hasHeaders(): boolean {
    return this.#headers.size > 0;
  }

  getHeader(name: string): OutgoingHttpHeader | undefined {
    return this.#headers.get(name.toLowerCase());
  }

  getHeaders(): OutgoingHttpHeaders {
    return Object.assign(Object.create(null) as OutgoingHttpHeaders, Object.fromEntries(this.#headers));
  }

  getHeaderNames(): string[] {
    return [...this.#headers.keys()];
  }

  getRawHeaderNames(): string[] {
    return this.getHeaderNames();
  }

  hasHeader(name: string): boolean {
    return this.#headers.has(name.toLowerCase());
  }

  removeHeader(name: string): void {
    if (this.headersSent) throw headersAreSent('remove');
    this.#headers.delete(name.toLowerCase());
  }

  /** What goes out: status, `given` over what was set before, date. */
  protected takeFields(given: GivenHeaders | undefined): HeaderField[] {
    const status = statusField(this.statusCode);
    const fields = [
      this.isHttp1 && this.statusMessage !== ''
        ? { name: ':status', value: `${status.value} ${this.statusMessage}` }
        : status,
    ];
    let hasDate = !this.sendDate;
    const add = (name: string, value: unknown): void => {
      if (name === 'date') hasDate = true;
      else if (name === 'content-length') this.bodyBytesLeft = Number(value);
      addField(fields, name, value);
    };
    if (this.#headers.size === 0) {
      if (given !== undefined) eachHeader(given, this.unsent, add);
    } else {
      if (given !== undefined)
        eachHeader(given, this.unsent, (name, value) => this.#headers.set(name, value as OutgoingHttpHeader));
      eachHeader(this.getHeaders(), this.unsent, add);
    }
    if (!hasDate) fields.push(dateField());
    if (this.isHttp1 && !this.shouldKeepAlive) fields.push(closeField);
    return fields;
  }
}
