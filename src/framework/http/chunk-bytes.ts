/**
 * What is written to an answer, as bytes.
 *
 * @throws TypeError it is neither text nor bytes
 */
export function bytesOf(chunk: unknown, encoding: unknown): Uint8Array {
  if (typeof chunk === 'string')
    return Buffer.from(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8');
  if (chunk instanceof Uint8Array) return chunk;
  throw new TypeError(`chunk: ${typeof chunk} (expected: string or Uint8Array)`);
}
