/**
 * A header block is malformed, or the peer broke a rule of the compression: the connection cannot go on, because the
 * two dynamic tables are no longer known to be the same. Connection error COMPRESSION_ERROR, RFC 9113 section 4.3.
 */
export class HpackError extends Error {
  override readonly name = 'HpackError';
}
