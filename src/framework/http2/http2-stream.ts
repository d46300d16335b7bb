import type { ByteAccount } from '../wire/index.js';
import type { HeaderField } from './hpack/index.js';
import type { Http2Headers } from './http2-headers.js';

/** Fields to send, in this order, or a header block made of them once by `precompute`. */
export type Http2Fields = readonly HeaderField[] | Uint8Array;

/** Told of what happens on a stream, in the turn of the event loop in which it happens, and maybe before a call on the stream returns. */
export interface Http2StreamListener {
  /** More bytes of the request body; any split. They may be kept. */
  onData(chunk: Uint8Array): void;
  /** The caller has sent everything; its trailers are in `stream.trailers`. */
  onEnd(): void;
  /** More can be written, after `write` returned false. */
  onDrain(): void;
  /** The stream is gone, whoever ended it; called exactly once. `code` of RFC 9113 section 7, 0 when it ended well. */
  onClose(code: number): void;
  /**
   * The process stops waiting: the listener ends its response in this call, and throws nothing. Without it the stream is cut with its connection.
   *
   * @returns false where that cuts a request short, true where the response has come to an orderly end
   */
  onShutdown?(): boolean;
}

/** The other end of a connection, or of what a proxy forwards over one. */
export interface Http2Peer {
  readonly address: string;
  /** 0 where it is not known. */
  readonly port: number;
}

/**
 * One request and its answer: RFC 9113 section 8.1. Calls on a stream that is gone do nothing.
 *
 * Fields to send are checked: `Http2HeaderError` is thrown for what HTTP/2 cannot carry, and then nothing has been sent.
 * It is also thrown for a body without response headers before it. Blocks made by `precompute` are not checked again.
 */
export interface Http2Stream {
  readonly id: number;
  /** The sender of the request: the other end of the connection, unless what serves the connection sets another one. */
  peer: Http2Peer;
  /** What the memory of its connection is counted by. */
  readonly account: ByteAccount;
  /** Trailers of the request, once `onEnd` has been called. */
  readonly trailers: Http2Headers | undefined;
  readonly isClosed: boolean;
  /** The whole answer has been passed on, whatever became of the stream afterwards. */
  readonly isAnswered: boolean;
  /**
   * Names, values and 32 for each field that the caller reads of the headers or of the trailers of an answer
   * (SETTINGS_MAX_HEADER_LIST_SIZE); infinite if it has not said. Fields that are more end the stream with INTERNAL_ERROR.
   */
  readonly maxFieldsBytes: number;

  /** Bytes begin to flow. Until then the caller is held back by flow control. */
  listen(listener: Http2StreamListener): void;
  /** No more `onData` until `resume`; the caller is held back by flow control. */
  pause(): void;
  resume(): void;

  /** Sends an interim answer; `:status` from 100 to 199 comes first. */
  inform(fields: Http2Fields): void;
  /** Sends the response headers; `:status` comes first. */
  respond(fields: Http2Fields): void;
  /**
   * The same, for answers of which much never changes.
   *
   * @param fixed `:status` and what is always the same: one list for all such answers, which must not be changed; what
   *   was found out about it is remembered
   * @param fields those of this answer alone
   */
  respondWith(fixed: readonly HeaderField[], fields: readonly HeaderField[]): void;
  /** Sends the response headers as the whole answer. */
  respondOnly(fields: Http2Fields): void;
  /**
   * Sends body bytes, which must not be changed afterwards. False: enough is waiting to be sent, go on after `onDrain`.
   * What is written all the same is kept, while the account has room; the stream that finds none is reset with
   * ENHANCE_YOUR_CALM.
   */
  write(data: Uint8Array): boolean;
  /**
   * Ends the answer, after `data` if given, with trailers if given. Whatever the caller still sends is thrown away.
   *
   * @returns whether `data` has been copied: its bytes may be used again
   */
  end(trailers?: Http2Fields, data?: Uint8Array): boolean;
  /** Breaks the stream off with an error code of RFC 9113 section 7. */
  reset(code: number): void;
}
