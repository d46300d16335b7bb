import type { ByteAccount } from '../wire/index.js';

/** A header or trailer field to send. */
export interface Http1Field {
  /** A token; by convention in lower case. */
  readonly name: string;
  readonly value: string;
}

/** Fields to send, in this order, or a block made of them once by `precompute`. */
export type Http1Fields = readonly Http1Field[] | Uint8Array;

/** Told of what happens on a stream, in the turn of the event loop in which it happens, and maybe before a call on the stream returns. */
export interface Http1StreamListener {
  /** More bytes of the request body; any split. They may be kept. */
  onData(chunk: Uint8Array): void;
  /** The caller has sent everything; its trailers are in `stream.trailers`. */
  onEnd(): void;
  /** More can be written, after `write` returned false. */
  onDrain(): void;
  /**
   * The stream is gone, whoever ended it; called exactly once. `code` as on HTTP/2 (RFC 9113 section 7): 0 when the answer
   * is out, 8 when the caller has gone, what `reset` was given, 2 when this side
   * failed, 11 when there was no room for what the client has not read.
   */
  onClose(code: number): void;
  /**
   * The process stops waiting: the listener ends its response in this call, and throws nothing. Without it the stream is cut with its connection.
   *
   * @returns false where that cuts a request short, true where the response has come to an orderly end
   */
  onShutdown?(): boolean;
}

/** The other end of a connection, or of what a proxy forwards over one. */
export interface Http1Peer {
  readonly address: string;
  /** 0 where it is not known. */
  readonly port: number;
}

/**
 * One request and its answer: RFC 9112. Of the same form as a stream of HTTP/2, so that one face serves both. Calls on a
 * stream that is gone do nothing.
 *
 * Fields to send are checked: `Http1HeaderError` is thrown for what HTTP/1.1 cannot carry, and then nothing has been sent.
 * It is also thrown for a body without response headers before it. How the body is delimited is the engine's business: by
 * `content-length` where that is given, else in chunks, or to HTTP/1.0 by the end of the connection; so is `connection`,
 * except that `close` is heeded.
 */
export interface Http1Stream {
  /** Of the requests of its connection, from 1 on. */
  readonly id: number;
  /** The sender of the request: the other end of the connection, unless what serves the connection sets another one. */
  peer: Http1Peer;
  /** What the memory of its connection is counted by. */
  readonly account: ByteAccount;
  /** Room for the fields of one head. HTTP/1.1 has no way to say it. */
  readonly maxFieldsBytes: number;
  /** Trailers of the request, once `onEnd` has been called: name in lower case, value, name, value … */
  readonly trailers: readonly string[] | undefined;
  readonly isClosed: boolean;
  /** The whole answer has been passed on, whatever became of the stream afterwards. */
  readonly isAnswered: boolean;

  /** Bytes begin to flow. Until then the caller is held back. */
  listen(listener: Http1StreamListener): void;
  /** No more `onData` until `resume`; the caller is held back by the socket. */
  pause(): void;
  resume(): void;

  /** Sends an interim answer; `:status` 100 or from 102 to 199 comes first. To HTTP/1.0 nothing is sent. */
  inform(fields: Http1Fields): void;
  /** Sends the response headers; `:status` comes first, with a reason phrase of its own behind it if there is to be one. */
  respond(fields: Http1Fields): void;
  /**
   * The same, for answers of which much never changes.
   *
   * @param fixed `:status` and what is always the same: one list for all such answers, which must not be changed; what
   *   it comes to is remembered
   * @param fields those of this answer alone
   */
  respondWith(fixed: readonly Http1Field[], fields: readonly Http1Field[]): void;
  /** Sends the response headers as the whole answer. */
  respondOnly(fields: Http1Fields): void;
  /**
   * Sends body bytes, which must not be changed afterwards. False: enough is waiting to be sent, go on after `onDrain`.
   * What is written all the same is kept, while the account has room; without it the connection is broken off. Nothing is
   * sent in answer to HEAD, and with 204, 205 and 304.
   */
  write(data: Uint8Array): boolean;
  /**
   * Ends the answer, after `data` if given, with trailers if given; those need a body in chunks, and are left out elsewhere.
   * A body that is not as long as `content-length` said breaks the connection.
   *
   * @returns whether `data` has been copied: its bytes may be used again
   */
  end(trailers?: Http1Fields, data?: Uint8Array): boolean;
  /** Breaks the connection off, so that the caller sees that the answer is not whole. */
  reset(code: number): void;
}
