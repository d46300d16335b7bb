/**
 * HTTP/2 (RFC 9113) for servers, on a socket that is connected: frames, HPACK, streams, flow control, limits against abuse.
 *
 * ```ts
 * const options = http2ConnectionOptions({ maxConcurrentStreams: 100 });
 * net.createServer((socket) => {
 *   new Http2Connection(socket, options, {
 *     onStream(stream, head) {
 *       stream.respond([{ name: ':status', value: '200' }]);
 *       stream.end(undefined, Buffer.from(`hello from ${head.path}`));
 *     },
 *   });
 * });
 * ```
 */
export { Http2Connection } from './connection.js';
export { ErrorCode } from './error-code.js';
export { fieldsOf, listBytes } from './fields-of.js';
export { type HeaderField, precompute } from './hpack/index.js';
export { type Http2Abuse, Http2Counters } from './http2.counters.js';
export { Http2ConnectionError, Http2HeaderError, Http2OptionError } from './http2.errors.js';
export { type Http2ConnectionOptions, http2ConnectionOptions, type Rate } from './http2.options.js';
export { Http2Headers } from './http2-headers.js';
export type { Http2Fields, Http2Stream, Http2StreamListener } from './http2-stream.js';
export type { Http2RequestHead } from './request-head.js';
export type { Http2ConnectionHandler } from './connection-handler.js';
export type { ByteAccount } from '../wire/index.js';
