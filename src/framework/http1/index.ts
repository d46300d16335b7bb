/**
 * HTTP/1.1 (RFC 9112) for servers, on a socket that is connected: requests, answers, chunks, pipelining, limits against abuse.
 *
 * ```ts
 * const options = http1ConnectionOptions({ maxHeaderBytes: 8192 });
 * net.createServer({ allowHalfOpen: true }, (socket) => {
 *   new Http1Connection(socket, options, {
 *     onRequest(stream, head) {
 *       const body = Buffer.from(`hello from ${head.path}`);
 *       stream.respond([
 *         { name: ':status', value: '200' },
 *         { name: 'content-length', value: String(body.length) },
 *       ]);
 *       stream.end(undefined, body);
 *     },
 *     onRefused: (stream, { status }) => stream.respondOnly([{ name: ':status', value: String(status) }]),
 *     onUpgrade: () => false,
 *   });
 * });
 * ```
 */
export { precompute } from './answer-head.js';
export { Http1Connection } from './connection.js';
export { Http1Counters } from './http1.counters.js';
export { Http1HeaderError, Http1OptionError } from './http1.errors.js';
export type { Http1Handler } from './http1-handler.js';
export { type Http1ConnectionOptions, http1ConnectionOptions } from './http1.options.js';
export type { Http1Field, Http1Fields, Http1Stream, Http1StreamListener } from './http1-stream.js';
export type { Http1Refusal, Http1RefusalKind } from './refusal.js';
export type { Http1RequestHead } from './request-head.js';
export type { ByteAccount } from '../wire/index.js';
