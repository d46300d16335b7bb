/** Headers of one direction; names in lower case, pseudo-headers left out. Several values of one name may arrive joined by commas. */
export type HeaderRecord = Readonly<Record<string, string | readonly string[] | undefined>>;

/** Headers to send, in this order. */
export type OutgoingHeaders = Record<string, string | string[]>;

/** What a request says before its first message. */
export interface RequestHead {
  readonly method: string;
  readonly path: string;
  readonly headers: HeaderRecord;
}

/** Told of what happens on a stream. */
export interface StreamListener {
  /** More bytes of the request body; any split. */
  onData(chunk: Uint8Array): void;
  /** The caller has sent everything. */
  onEnd(): void;
  /** More can be written, after `write` returned false. */
  onDrain(): void;
  /** The stream is gone, whoever ended it; called exactly once. */
  onClose(): void;
}

/**
 * One HTTP/2 stream as the server sees it: all that the gRPC protocol needs of the engine below.
 * Calls on a stream that is gone do nothing.
 */
export interface ServerStream {
  /** Address of the other end. */
  readonly peerAddress: string;
  readonly peerPort: number;

  /** Bytes begin to flow. */
  listen(listener: StreamListener): void;
  /** No more `onData` until `resume`; the caller is held back by flow control. */
  pause(): void;
  resume(): void;

  /** Sends the response headers. `:status` is 200. */
  respond(headers: OutgoingHeaders): void;
  /** Sends the response headers as the whole answer. */
  respondOnly(headers: OutgoingHeaders, httpStatus?: number): void;
  /** Sends body bytes. False: enough is waiting to be sent, go on after `onDrain`. */
  write(data: Uint8Array): boolean;
  /** Sends the trailers, after `data` if given. Whatever the caller still sends is thrown away. */
  end(trailers: OutgoingHeaders, data?: Uint8Array): void;
  /** Breaks the stream off with an error code of RFC 9113 section 7. */
  reset(code: number): void;
}

/** `CANCEL`, RFC 9113 section 7: the stream is no longer needed. */
export const resetCancel = 0x8;
