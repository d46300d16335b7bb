import type { OutgoingHttpHeader, OutgoingHttpHeaders } from 'node:http';
import { trimOws } from '../core/index.js';
import type { HeaderField } from '../http2/index.js';

/** What `writeHead` takes: a record, a list of pairs, or names and values in turn. */
export type GivenHeaders = OutgoingHttpHeaders | readonly OutgoingHttpHeader[] | readonly (readonly string[])[];

/** Names that are not sent, whoever gave them. */
export type Unsent = ReadonlySet<string>;

/** They speak of a connection, of which HTTP/2 knows by itself: RFC 9113 section 8.2.2. */
export const unsentOnHttp2: Unsent = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);

/** How a body is framed and how long the connection stays, the engine knows by itself. */
export const unsentOnHttp1: Unsent = new Set(['keep-alive', 'proxy-connection', 'transfer-encoding']);

/** Calls `visit` with each name, in lower case, and its value, but for what is `unsent`. */
export function eachHeader(given: GivenHeaders, unsent: Unsent, visit: (name: string, value: unknown) => void): void {
  const visitOne = (name: string, value: unknown): void => {
    const lower = name.toLowerCase();
    if (!unsent.has(lower)) visit(lower, value);
  };
  if (!Array.isArray(given)) {
    const record = given as OutgoingHttpHeaders;
    for (const name of Object.keys(record)) visitOne(name, record[name]);
  } else if (Array.isArray(given[0])) {
    for (const [name, value] of given as readonly (readonly string[])[]) visitOne(String(name), value);
  } else {
    for (let i = 0; i + 1 < given.length; i += 2) visitOne(String(given[i]), given[i + 1]);
  }
}

/** Adds one header; a list is a line for each. What is neither goes out as its text, as from Node: `true`, a bigint. */
export function addField(fields: HeaderField[], name: string, value: unknown): void {
  // White space at the ends, which Node lets pass, HTTP does not count (RFC 9110 section 5.5, RFC 9113 section 8.2.1).
  if (typeof value === 'string') fields.push({ name, value: trimOws(value) });
  else if (Array.isArray(value)) for (const each of value) addField(fields, name, each);
  // oxlint-disable-next-line typescript/no-base-to-string -- what Node would write
  else if (value !== undefined && typeof value !== 'symbol') fields.push({ name, value: String(value) });
  else throw new TypeError(`header ${name}: ${typeof value} (expected: string, number or list of them)`);
}

/** Whether an answer with this status has no body, whatever is given for one: RFC 9110 section 6.4.1. */
export function isBodiless(status: number): boolean {
  return status === 204 || status === 304 || status === 205;
}

/** An HTTP/1.1 connection ends with the answer. */
export const closeField: HeaderField = { name: 'connection', value: 'close' };

const statusFields = new Map<number, HeaderField>();

/** @throws RangeError it is no final status */
export function statusField(status: number): HeaderField {
  let field = statusFields.get(status);
  if (field === undefined) {
    if (!Number.isInteger(status) || status < 200 || status > 999)
      throw new RangeError(`status: ${status} (expected: 200 to 999)`);
    field = { name: ':status', value: String(status) };
    statusFields.set(status, field);
  }
  return field;
}

let dateSecond = 0;
let date: HeaderField = { name: 'date', value: '' };

/** The `date` of an answer, made once a second. */
export function dateField(): HeaderField {
  const second = Math.trunc(Date.now() / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    date = { name: 'date', value: new Date(second * 1000).toUTCString() };
  }
  return date;
}
