import type { Socket } from 'node:net';
import type { Http1Peer, Http1Stream } from './http1-stream.js';
import type { Http1Refusal } from './refusal.js';
import type { Http1RequestHead } from './request-head.js';

/** Told of what comes over a connection. */
export interface Http1Handler {
  /** The other end, where the socket's own address is not the one. */
  readonly peer?: Http1Peer;
  /** A request has begun. `stream.listen` may be called now or later. An exception breaks the connection off. */
  onRequest(stream: Http1Stream, head: Http1RequestHead): void;
  /**
   * A request that breaks the rules, or has not come in time; `head` is as much of it as there is. The connection closes
   * after the answer. If that happens amid a body, `stream` is the one that `onRequest` was given, and `head` is empty: it
   * goes on without `onData` and `onEnd`, to be answered; where its answer has begun, the connection is broken off instead.
   */
  onRefused(stream: Http1Stream, refusal: Http1Refusal, head: Partial<Http1RequestHead>): void;
  /**
   * `connection: upgrade`, or CONNECT. True takes the socket: the engine has let go of it, nothing is in flight on it, and it
   * is paused; `bytes` is all that has come since the request began. False: it is a request as any other.
   */
  onUpgrade(head: Http1RequestHead, bytes: Buffer, socket: Socket): boolean;
  /** The connection is gone, and its stream before it. Not called for a socket that `onUpgrade` has taken. */
  onClose?(): void;
  /** `onRequest`, `onRefused` or a listener threw; the stream has been reset. Without it the exception goes to the process. */
  onError?(error: unknown): void;
}
