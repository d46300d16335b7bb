import type { HeaderField, Http2RequestHead, Http2Stream, Http2StreamListener } from '../http2/index.js';

/** Header or trailer fields to send, in this order; names in lower case. */
export type OutgoingFields = HeaderField[];

/** What a request says before its first message. */
export type RequestHead = Pick<Http2RequestHead, 'method' | 'path' | 'headers'>;

/** Told of what happens on a stream, maybe before a call on the stream returns. */
export interface StreamListener extends Http2StreamListener {
  /** The request body is not what its content type says; nothing more of it comes. Never called by the engine. */
  onMalformed?(error: Error): void;
}

/**
 * One request and its answer, as far as the gRPC protocol needs it. On HTTP/2 it is the engine's own stream; what carries
 * gRPC by other means brings its own.
 *
 * Calls on a stream that is gone do nothing. A block of fields that `respond` gets is read before it returns: the next
 * call writes its own request id into it.
 */
export type ServerStream = Pick<
  Http2Stream,
  | 'account'
  | 'peer'
  | 'maxFieldsBytes'
  | 'listen'
  | 'pause'
  | 'resume'
  | 'respond'
  | 'respondOnly'
  | 'write'
  | 'end'
  | 'reset'
  | 'isClosed'
>;

/** What gRPC-Web is carried by, on either version of HTTP: trailers are in the body, so that their size is no matter. */
export type CarrierStream = Omit<ServerStream, 'maxFieldsBytes'> & Partial<Pick<ServerStream, 'maxFieldsBytes'>>;
