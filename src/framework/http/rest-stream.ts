import type { Socket } from 'node:net';
import type { Http2Headers, Http2RequestHead, Http2Stream } from '../http2/index.js';
import type { Transport } from './stream-socket.js';

/**
 * One request and its answer, whichever engine it is on: HTTP/1.1 has the same calls as HTTP/2, and sees to what is its
 * own, such as chunks and the life of the connection.
 */
export interface RestStream
  extends Pick<
    Http2Stream,
    | 'account'
    | 'peer'
    | 'listen'
    | 'pause'
    | 'resume'
    | 'inform'
    | 'respond'
    | 'respondWith'
    | 'respondOnly'
    | 'write'
    | 'end'
    | 'reset'
    | 'isClosed'
    | 'isAnswered'
  > {
  /** Once the body is whole; HTTP/1.1 has names and values in turn. */
  readonly trailers: Http2Headers | readonly string[] | undefined;
}

/** What of a request is there on HTTP/1.1 only. */
export interface Http1Facts {
  /** 0 for HTTP/1.0. */
  readonly httpVersionMinor: 0 | 1;
  /** Of the fields, as they were sent. */
  readonly rawNames: readonly string[];
}

/** What a request says before its body. */
export interface RestHead extends Omit<Http2RequestHead, 'repeated'> {
  /** Not there on HTTP/2. */
  readonly http1?: Http1Facts;
}

/** What `request.socket` is made of: the socket itself on HTTP/1.1, a view of it on HTTP/2, where many requests share it. */
export type RestConnection = Socket | Transport;
