import { FieldKind } from './field-rules.js';
import { Http2Headers } from './http2-headers.js';

/** What a request says before its body: RFC 9113 section 8.3.1. */
export interface Http2RequestHead {
  readonly method: string;
  /** In lower case. Empty for CONNECT. */
  readonly scheme: string;
  /** `:authority`, or `host` where that is all there is. */
  readonly authority: string;
  /** With the query. Empty for CONNECT. */
  readonly path: string;
  readonly headers: Http2Headers;
  /** There is no body. */
  readonly endStream: boolean;
  /** A field of which there can be one, `authorization` or `content-type`, that was sent more than once; empty: none. */
  readonly repeated: string;
}

/** `content-length` was not sent. */
export const unknownLength = -1;

// More digits are no safe integer.
const maxDigits = 15;
const portAtEnd = /[^:]:\d+$/;
const defaultPorts: Readonly<Record<string, RegExp>> = { http: /:(?:80)?$/, https: /:(?:443)?$/ };

/**
 * Takes the fields of one header block and checks them as RFC 9113 sections 8.1 to 8.5 ask of a server.
 *
 * `malformed` says what is wrong; the rest of the block is then only counted.
 */
export class FieldCollector {
  malformed = '';
  contentLength = unknownLength;
  #isTrailers = false;
  #method: string | undefined;
  #scheme: string | undefined;
  #authority: string | undefined;
  #path: string | undefined;
  #host: string | undefined;
  #repeated = '';
  /** One bit for each kind of field of which there can be one. */
  #seen = 0;
  #fields: string[] = [];

  /** For the decoder. */
  readonly onField = (name: string, value: string, kind: number): void => {
    if (this.malformed === '') this.#add(name, value, kind);
  };

  begin(isTrailers: boolean): void {
    this.malformed = '';
    this.contentLength = unknownLength;
    this.#isTrailers = isTrailers;
    this.#method = undefined;
    this.#scheme = undefined;
    this.#authority = undefined;
    this.#path = undefined;
    this.#host = undefined;
    this.#repeated = '';
    this.#seen = 0;
    this.#fields = [];
  }

  /** Fields so far that are no pseudo-headers. */
  get fieldCount(): number {
    return this.#fields.length >>> 1;
  }

  takeTrailers(): Http2Headers {
    return new Http2Headers(this.#fields);
  }

  /** Undefined: the request is malformed. Of a list that is not whole, nothing is missed. */
  takeHead(endStream: boolean, isWhole: boolean): Http2RequestHead | undefined {
    if (this.malformed === '' && isWhole) this.#checkHead(endStream);
    if (this.malformed !== '') return undefined;
    return {
      method: this.#method ?? '',
      scheme: schemeOf(this.#scheme),
      authority: this.#authority ?? this.#host ?? '',
      path: this.#path ?? '',
      headers: new Http2Headers(this.#fields),
      endStream,
      repeated: this.#repeated,
    };
  }

  #add(name: string, value: string, kind: number): void {
    if (kind === FieldKind.plain) {
      this.#fields.push(name, value);
    } else if (kind >= FieldKind.method && kind <= FieldKind.path) {
      this.#addPseudo(kind, name, value);
    } else if (kind >= FieldKind.authorization) {
      if ((this.#seen & (1 << kind)) !== 0) this.#repeated = name;
      this.#seen |= 1 << kind;
      this.#fields.push(name, value);
    } else {
      this.#addSpecial(kind, name, value);
      this.#fields.push(name, value);
    }
  }

  #addPseudo(kind: number, name: string, value: string): void {
    if (this.#isTrailers) this.malformed = `${name} in trailers`;
    else if (this.#fields.length > 0) this.malformed = `${name} after a field`;
    else if (kind === FieldKind.method) this.#method = this.#once(this.#method, name, value);
    else if (kind === FieldKind.scheme) this.#scheme = this.#once(this.#scheme, name, value);
    else if (kind === FieldKind.authority) this.#authority = this.#once(this.#authority, name, value);
    else this.#path = this.#once(this.#path, name, value);
  }

  #once(before: string | undefined, name: string, value: string): string {
    if (before !== undefined) this.malformed = `${name} twice`;
    return value;
  }

  #addSpecial(kind: number, name: string, value: string): void {
    if (kind === FieldKind.malformedValue) {
      this.malformed = `value of ${name}: forbidden`;
    } else if (kind === FieldKind.malformed) {
      // Unknown pseudo-headers too: a colon may not stand in a name.
      this.malformed = 'field name: forbidden character';
    } else if (kind === FieldKind.connectionSpecific) {
      this.malformed = `${name}: not in HTTP/2`;
    } else if (kind === FieldKind.te) {
      if (value !== 'trailers' && value.toLowerCase() !== 'trailers') this.malformed = 'te: other than trailers';
    } else if (kind === FieldKind.host) {
      this.#host = this.#once(this.#host, name, value);
    } else if (!this.#isTrailers) {
      this.#addContentLength(value);
    }
  }

  #addContentLength(value: string): void {
    const length = lengthOf(value);
    if (length === unknownLength) this.malformed = 'content-length: not a number';
    // The same number twice as well, as in HTTP/1.1: RFC 9110 section 8.6.
    else if (this.contentLength !== unknownLength) this.malformed = 'content-length: more than one';
    this.contentLength = length;
  }

  #checkHead(endStream: boolean): void {
    const method = this.#method;
    if (method === undefined) {
      this.malformed = ':method: missing';
    } else if (endStream && this.contentLength > 0) {
      this.malformed = 'content-length: without a body';
    } else if (method === 'CONNECT') {
      this.#checkConnect();
    } else {
      this.#checkTarget(method);
    }
  }

  // RFC 9113 section 8.5.
  #checkConnect(): void {
    if (this.#scheme !== undefined || this.#path !== undefined) this.malformed = 'CONNECT with :scheme or :path';
    else if (!portAtEnd.test(this.#authority ?? '')) this.malformed = 'CONNECT without host and port in :authority';
  }

  #checkTarget(method: string): void {
    const authority = this.#authority;
    const host = this.#host;
    if (this.#scheme === undefined || this.#path === undefined) {
      this.malformed = ':scheme or :path: missing';
    } else if (this.#path === '*' && method !== 'OPTIONS') {
      this.malformed = ':path: an asterisk is for OPTIONS';
    } else if ((authority ?? host ?? '') === '') {
      // Both schemes that reach a server have a mandatory authority.
      this.malformed = ':authority and host: missing or empty';
    } else if (host !== undefined && authority !== undefined && host !== authority) {
      const scheme = schemeOf(this.#scheme);
      if (entity(host, scheme) !== entity(authority, scheme)) this.malformed = 'host: differs from :authority';
    }
  }
}

function schemeOf(value = ''): string {
  return value === 'http' || value === 'https' ? value : value.toLowerCase();
}

/** Two that name the same give the same: RFC 9113 section 8.3.1 refers to RFC 3986 section 6.2. */
function entity(authority: string, scheme: string): string {
  return authority.toLowerCase().replace(defaultPorts[scheme] ?? /:$/, '');
}

/** 1*DIGIT, by hand: it is read for most requests, and a regular expression takes five times as long. */
function lengthOf(value: string): number {
  if (value.length === 0 || value.length > maxDigits) return unknownLength;
  let length = 0;
  for (let at = 0; at < value.length; at += 1) {
    const digit = value.charCodeAt(at) - 0x30;
    if (digit < 0 || digit > 9) return unknownLength;
    length = length * 10 + digit;
  }
  return length;
}
