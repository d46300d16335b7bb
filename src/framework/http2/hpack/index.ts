/**
 * HPACK, RFC 7541: the header compression of HTTP/2, one decoder and one encoder per connection.
 *
 * ```ts
 * const decoder = new HpackDecoder({ maxTableBytes: 4096, maxListBytes: 16_384 });
 * const outcome = decoder.decode(block, 0, block.length, (name, value) => headers.set(name, value));
 *
 * const encoder = new HpackEncoder({ maxTableBytes: 4096 });
 * const target = Buffer.allocUnsafe(encoder.maxEncodedBytes(fields));
 * const end = encoder.encode(fields, target, 0);
 * ```
 */
export { HpackDecoder } from './decoder.js';
export { type HeaderField, HpackEncoder, precompute } from './encoder.js';
export { HpackError } from './hpack-error.js';
