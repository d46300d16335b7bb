import type { IncomingHttpHeaders } from 'node:http';
import type { Http2Headers } from '../http2/index.js';
import { isCodingList } from './coding-list.js';

type Fields = Pick<Http2Headers, 'forEach'>;

// Of these the first line counts, of all others the lines are joined. Node's own list but for the two conditions by a date,
// of which a server must ignore those with more than one: RFC 9110 sections 13.1.3 and 13.1.4.
const singleValued: ReadonlySet<string> = new Set([
  'age',
  'authorization',
  'content-length',
  'content-type',
  'etag',
  'expires',
  'from',
  'host',
  'last-modified',
  'location',
  'max-forwards',
  'proxy-authorization',
  'referer',
  'retry-after',
  'server',
  'user-agent',
]);

/**
 * Header fields as `request.headers` of Node has them, but for an `accept-encoding` that is not well formed: it is left out.
 *
 * @see https://nodejs.org/download/release/v24.15.0/docs/api/http.html#messageheaders how lines of one name are joined
 */
export function headersRecord(fields: Fields): IncomingHttpHeaders {
  const record: IncomingHttpHeaders = {};
  fields.forEach((name, value) => {
    const before = record[name];
    if (name === 'set-cookie') (record['set-cookie'] ??= []).push(value);
    // A record inherits a `constructor`.
    else if (typeof before !== 'string') record[name] = value;
    else if (!singleValued.has(name)) record[name] = `${before}${name === 'cookie' ? '; ' : ', '}${value}`;
  });
  // @fastify/compress skips what it does not understand of a list; a malformed list is to be ignored as a whole.
  const codings = record['accept-encoding'];
  if (typeof codings === 'string' && !isCodingList(codings)) delete record['accept-encoding'];
  return record;
}

/** One of these, without the others; of `set-cookie` the first line. */
export function headerOf(fields: Pick<Http2Headers, 'first' | 'get'>, name: string): string | undefined {
  return singleValued.has(name) || name === 'set-cookie' ? fields.first(name) : fields.get(name);
}

/** All lines of each name. */
export function distinctHeaders(fields: Fields): Record<string, string[]> {
  const record: Record<string, string[]> = Object.create(null) as Record<string, string[]>;
  fields.forEach((name, value) => {
    (record[name] ??= []).push(value);
  });
  return record;
}

/** name, value, name, value …, as they came. */
export function flatHeaders(fields: Fields): string[] {
  const flat: string[] = [];
  fields.forEach((name, value) => flat.push(name, value));
  return flat;
}
