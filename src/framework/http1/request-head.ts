import { refusal, type Http1Refusal } from './refusal.js';
import { lowerList } from './characters.js';
import { FieldKind, type FieldName } from './field-names.js';
import type { HeadReader } from './head-reader.js';

/** What a request says before its body: RFC 9112 sections 3 and 5. The strings are parts of one, which they keep. */
export interface Http1RequestHead {
  /** As sent: methods are told apart by case. */
  readonly method: string;
  /** Origin form with the query, to which the absolute form is reduced; `*` with OPTIONS; empty for CONNECT. */
  readonly path: string;
  /** `host`, to which the authority of a target in absolute form must be equal; of CONNECT the target; may be empty. */
  readonly authority: string;
  readonly httpVersionMinor: 0 | 1;
  /** name in lower case, value, name, value … in order. */
  readonly fields: readonly string[];
  /** The names of `fields` as sent. Made when it is asked for. */
  readonly rawNames: readonly string[];
  /** There is no body. */
  readonly endStream: boolean;
  /** The caller waits with its body for `inform` with status 100. */
  readonly expectsContinue: boolean;
}

/** How long a body is that comes in chunks. */
export const inChunks = -1;

export class RequestHead implements Http1RequestHead {
  readonly method: string;
  path = '';
  authority = '';
  readonly httpVersionMinor: 0 | 1;
  readonly fields: string[];
  expectsContinue = false;
  /** By `content-length`, or `inChunks`. */
  bodyBytes = 0;
  /** The caller may ask more on the connection; `isClosing`: it does not. */
  isKeptAlive: boolean;
  isClosing = false;
  wantsUpgrade = false;
  readonly #text: string;

  constructor(method: string, minorVersion: number, fields: string[], text: string) {
    this.method = method;
    this.httpVersionMinor = minorVersion === 0 ? 0 : 1;
    this.isKeptAlive = minorVersion !== 0;
    this.fields = fields;
    this.#text = text;
  }

  get endStream(): boolean {
    return this.bodyBytes === 0;
  }

  get rawNames(): readonly string[] {
    const lines = this.#text.split('\r\n');
    return this.fields.flatMap((_, i) => (i % 2 === 0 ? [(lines[i / 2 + 1] ?? '').split(':', 1)[0] ?? ''] : []));
  }
}

/** What of a head has come before it was refused. */
export function headSoFar(reader: HeadReader, bytes: Buffer, start: number): Partial<Http1RequestHead> {
  if (reader.targetEnd === 0) return {};
  const head = splitHead(
    reader,
    bytes,
    start,
    start + Math.max(reader.targetEnd, reader.ends[reader.fieldCount - 1] ?? 0),
  );
  const { method, fields, httpVersionMinor, path } = head;
  return { method, fields, httpVersionMinor, ...(path.startsWith('/') && { path }) };
}

/** Makes the head of what `reader` has read in `bytes` from `start` to `end`, or says what is wrong with it. */
export function requestHead(reader: HeadReader, bytes: Buffer, start: number, end: number): RequestHead | Http1Refusal {
  const head = splitHead(reader, bytes, start, end);
  return heedFields(head, reader.names) ?? heedTarget(head) ?? head;
}

/** Names and values of a trailer section. */
export function fieldsIn(reader: HeadReader, bytes: Buffer, start: number): string[] {
  const { ends, fieldCount, names, starts } = reader;
  const fields: string[] = [];
  for (let i = 0; i < fieldCount; i += 1) {
    const value = bytes.toString('latin1', start + (starts[i] as number), start + (ends[i] as number));
    fields.push((names[i] as FieldName).name, value);
  }
  return fields;
}

function splitHead(reader: HeadReader, bytes: Buffer, start: number, end: number): RequestHead {
  const { beginAt, ends, fieldCount, names, starts } = reader;
  const text = bytes.toString('latin1', start + beginAt, end);
  const fields: string[] = [];
  for (let i = 0; i < fieldCount; i += 1) {
    const value = text.slice((starts[i] as number) - beginAt, (ends[i] as number) - beginAt);
    fields.push((names[i] as FieldName).name, value);
  }
  const methodEnd = reader.methodEnd - beginAt;
  const head = new RequestHead(methodIn(text, methodEnd), reader.minorVersion, fields, text);
  head.path = text.slice(methodEnd + 1, reader.targetEnd - beginAt);
  return head;
}

const usualMethods = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS'];

// The same string for the same method: whoever looks it up in a table finds it by its address.
function methodIn(text: string, end: number): string {
  for (const method of usualMethods) if (method.length === end && text.startsWith(method)) return method;
  return text.slice(0, end);
}

const none = -2;
const digits = /^\d{1,16}$/;

// RFC 9112 sections 3.2, 6.1 to 6.3 and 9.3.
function heedFields(head: RequestHead, names: readonly FieldName[]): Http1Refusal | undefined {
  let hosts = 0;
  let length = none;
  let codings = '';
  let hasUpgrade = false;
  let seen = 0;
  let repeated = '';
  for (let i = 1; i < head.fields.length; i += 2) {
    const { kind } = names[i >>> 1] as FieldName;
    if (kind === FieldKind.plain) continue;
    const value = head.fields[i] as string;
    if (kind === FieldKind.host) {
      hosts += 1;
      head.authority = value;
    } else if (kind === FieldKind.contentLength) {
      if (length !== none) return malformed('content-length: more than one (expected: one)');
      length = digits.test(value) ? Number(value) : none;
      if (length === none || !Number.isSafeInteger(length))
        return malformed('content-length: not a number up to 2^53-1');
    } else if (kind === FieldKind.transferEncoding) codings += `${codings === '' ? '' : ','}${value || ','}`;
    else if (kind === FieldKind.connection) heedConnection(head, value);
    else if (kind === FieldKind.upgrade) hasUpgrade = true;
    else if (kind === FieldKind.expect) head.expectsContinue ||= expectsContinue(head, value);
    else {
      if ((seen & (1 << kind)) !== 0) repeated = (names[i >>> 1] as FieldName).name;
      seen |= 1 << kind;
    }
  }
  head.wantsUpgrade &&= hasUpgrade && head.httpVersionMinor === 1;
  if (hosts > 1 || (hosts === 0 && head.httpVersionMinor === 1))
    return refusal('host', `the request has ${hosts} host headers (expected: 1)`);
  if (hosts > 0 && !isHost(head.authority)) return malformed('host: not a host with or without a port');
  head.bodyBytes = length === none ? 0 : length;
  const wrongCodings = codings === '' ? undefined : heedCodings(head, codings, length !== none);
  if (wrongCodings !== undefined || repeated === '') return wrongCodings;
  return refusal('repeated', `${repeated}: more than one (expected: one)`);
}

// RFC 9110 section 10.1.1. What else it asks for is for others to refuse.
function expectsContinue(head: RequestHead, value: string): boolean {
  return head.httpVersionMinor === 1 && lowerList(value).includes('100-continue');
}

function heedConnection(head: RequestHead, value: string): void {
  if (value === 'keep-alive' && head.httpVersionMinor === 1) return;
  for (const option of lowerList(value)) {
    if (option === 'upgrade') head.wantsUpgrade = true;
    else if (option === 'close') head.isClosing = true;
    else if (option === 'keep-alive') head.isKeptAlive = true;
  }
}

/** `codings` of all lines, joined. */
function heedCodings(head: RequestHead, codings: string, hasLength: boolean): Http1Refusal | undefined {
  if (head.httpVersionMinor === 0) return malformed('transfer-encoding: not in HTTP/1.0');
  if (hasLength) return malformed('transfer-encoding: with content-length (expected: one of them)');
  const list = lowerList(codings);
  if (list.at(-1) !== 'chunked' || list.indexOf('chunked') < list.length - 1) {
    return malformed('transfer-encoding: other than chunked once at the end');
  }
  if (list.length > 1) return refusal('transfer-coding', 'transfer-encoding: not known (expected: chunked)');
  head.bodyBytes = inChunks;
  return undefined;
}

// RFC 3986 section 3.2.2 and 3.2.3, without user information, which has no business there: RFC 9110 section 4.2.4.
const hostForm =
  /^(?:\[(?:[0-9A-Fa-f:.]+(?:%25[\w.~%-]+)?|[Vv][0-9A-Fa-f]+\.[\w.~!$&'()*+,;=:-]+)\]|(?:[\w.~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)(?::\d{0,5})?$/;
const absoluteForm = /^https?:\/\/([^/?]+)([/?].*)?$/i;
let lastHost = '';

// Nearly all requests that a server gets name the same host.
function isHost(value: string): boolean {
  if (value === lastHost) return true;
  if (!hostForm.test(value)) return false;
  lastHost = value;
  return true;
}

// RFC 9112 section 3.2: origin, authority, asterisk and absolute form.
function heedTarget(head: RequestHead): Http1Refusal | undefined {
  const target = head.path;
  if (head.method === 'CONNECT') {
    head.path = '';
    head.authority = target;
    // What follows are bytes for somebody else.
    head.isClosing = true;
    head.wantsUpgrade = true;
    head.bodyBytes = 0;
    return isHost(target) && /[^:]:\d+$/.test(target) ? undefined : malformed('target: not a host and a port');
  }
  if (target.startsWith('/') || (target === '*' && head.method === 'OPTIONS')) return undefined;
  const [, authority = '', rest = ''] = absoluteForm.exec(target) ?? [];
  if (authority === '' || !isHost(authority)) return malformed('target: neither a path nor a URL of http or https');
  // A proxy that goes by one of them and a server that goes by the other would speak of different things.
  if (
    head.authority.toLowerCase() !== authority.toLowerCase() &&
    (head.authority !== '' || head.httpVersionMinor === 1)
  ) {
    return malformed('target: its host differs from the field host');
  }
  head.authority = authority;
  head.path = rest === '' && head.method === 'OPTIONS' ? '*' : `${rest.startsWith('/') ? '' : '/'}${rest}`;
  return undefined;
}

function malformed(message: string): Http1Refusal {
  return refusal('malformed', message);
}
