/** The connection cannot go on: RFC 9113 section 5.4.1. The peer is told by GOAWAY with `code`. */
export class Http2ConnectionError extends Error {
  override readonly name = 'Http2ConnectionError';

  constructor(
    /** One of `ErrorCode`. */
    readonly code: number,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Header fields that may not be sent as they are: RFC 9113 section 8.2. Nothing of them has been sent. */
export class Http2HeaderError extends TypeError {
  override readonly name = 'Http2HeaderError';
}

/** An option of the connection is outside its range. */
export class Http2OptionError extends RangeError {
  override readonly name = 'Http2OptionError';
}
