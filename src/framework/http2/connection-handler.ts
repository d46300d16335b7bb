import type { Http2ConnectionError } from './http2.errors.js';
import type { Http2Peer, Http2Stream } from './http2-stream.js';
import type { Http2RequestHead } from './request-head.js';

/** Told of what comes over a connection. */
export interface Http2ConnectionHandler {
  /** The other end, where the socket's own address is not the one. */
  readonly peer?: Http2Peer;
  /** A request has begun. `stream.listen` may be called now or later. An exception resets the stream. */
  onStream(stream: Http2Stream, head: Http2RequestHead): void;
  /**
   * A request whose header fields are more than `maxHeaderListBytes`; `head` has those up to `maxReadHeaderListBytes`, and
   * empty strings for what is missing. To be answered at once. Without it the answer is 431.
   */
  onHeadersTooLarge?(stream: Http2Stream, head: Http2RequestHead): void;
  /** The connection is gone, and all its streams before it. `error`: what it was cut for, by us. */
  onClose?(error: Http2ConnectionError | undefined): void;
  /** `onStream` or a listener threw; the stream has been reset. Without it the exception goes to the process. */
  onError?(error: unknown, stream: Http2Stream): void;
}
