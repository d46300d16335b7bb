import { RookeryError, type RookeryErrorOptions, Status } from '../core/index.js';

/** The service's answer is larger than `grpc.maxSendBytes`. Ask for less, or for pages. */
export class ResponseTooLargeError extends RookeryError {
  static override readonly reason = 'RESPONSE_TOO_LARGE';
  static override readonly status = Status.ResourceExhausted;

  constructor(limitBytes: number, sizeBytes: number) {
    super(`response message larger than ${limitBytes} bytes: ${sizeBytes}`, {
      metadata: { limitBytes: String(limitBytes) },
    });
  }
}

/** A request message cannot be read: truncated, not valid protobuf, bad UTF-8, or not what its compression says. */
export class MalformedMessageError extends RookeryError {
  static override readonly reason = 'MALFORMED_MESSAGE';
  static override readonly status = Status.InvalidArgument;

  constructor(what: string, options?: RookeryErrorOptions) {
    super(`malformed request message: ${what}`, options);
  }
}

/**
 * The message flag says compressed, but the call names no compression. The client is at fault: name it in `grpc-encoding`;
 * sending it again as it is will fail again.
 */
export class UnexpectedCompressionError extends RookeryError {
  static override readonly reason = 'UNEXPECTED_COMPRESSION';
  static override readonly status = Status.Internal;
  static override readonly fault = 'client';

  constructor() {
    super('compressed flag set with identity or empty grpc-encoding');
  }
}

/** No service or method of this name is served here. Reflection lists those that are. */
export class UnknownRpcError extends RookeryError {
  static override readonly reason = 'RPC_NOT_FOUND';
  static override readonly status = Status.Unimplemented;
}

/**
 * The method takes one request message and got none, or more than one. Send exactly one; sending it again as it is will
 * fail again.
 */
export class MessageCountError extends RookeryError {
  static override readonly reason = 'MESSAGE_COUNT';
  static override readonly status = Status.Unimplemented;

  constructor(found: 'none' | 'more than one') {
    super(`wrong number of request messages: ${found} (expected: 1)`);
  }
}

/**
 * The request messages are compressed in a way that is not known here; `grpc-accept-encoding` names those that are.
 * Compress by one of them, or not at all.
 */
export class UnsupportedEncodingError extends RookeryError {
  static override readonly reason = 'UNSUPPORTED_ENCODING';
  static override readonly status = Status.Unimplemented;

  constructor(encoding: string, accepted: string) {
    super(`grpc-encoding ${printable(encoding)} is not supported (expected: ${accepted})`);
  }
}

/**
 * The content type names a message format other than protobuf. Send `application/grpc` or `application/grpc+proto`; sending
 * it again as it is will fail again.
 */
export class UnsupportedCodecError extends RookeryError {
  static override readonly reason = 'UNSUPPORTED_CODEC';
  static override readonly status = Status.Unimplemented;

  constructor(contentType: string) {
    super(
      `content type ${printable(contentType)} is not supported (expected: application/grpc or application/grpc+proto)`,
    );
  }
}

/** A gRPC request has another HTTP method than POST. Send it by POST; sending it again as it is will fail again. */
export class NotPostError extends RookeryError {
  static override readonly reason = 'GRPC_NOT_POST';
  static override readonly status = Status.Unimplemented;
  static override readonly httpStatus = 405;

  constructor(method: string) {
    super(`HTTP method ${printable(method)} is not allowed for gRPC (expected: POST)`);
  }
}

/** The `grpc-timeout` header is not up to eight digits and a unit. Correct the request; the status is what other gRPC servers answer. */
export class MalformedTimeoutError extends RookeryError {
  static override readonly reason = 'MALFORMED_TIMEOUT';
  static override readonly status = Status.Internal;
  static override readonly fault = 'client';
  static override readonly httpStatus = 400;

  constructor(value: string) {
    super(`grpc-timeout ${printable(value)} is malformed (expected: 1 to 8 digits and one of H M S m u n)`);
  }
}

/** The value of a metadata entry whose name ends in `-bin` is not base64. Correct the request; the status is what other gRPC servers answer. */
export class MalformedMetadataError extends RookeryError {
  static override readonly reason = 'MALFORMED_METADATA';
  static override readonly status = Status.Internal;
  static override readonly fault = 'client';
  static override readonly httpStatus = 400;

  constructor(key: string) {
    super(`metadata ${printable(key)} is not base64`);
  }
}

/**
 * A stream of reflection has received what one stream may: `grpc.maxReflectionRequests`, `grpc.maxReflectionBytes`. Keep the
 * descriptors that were sent.
 */
export class ReflectionLimitError extends RookeryError {
  static override readonly reason = 'REFLECTION_LIMIT';
  static override readonly status = Status.ResourceExhausted;

  constructor(limit: number, unit: 'requests' | 'bytes') {
    super(`reflection stream exceeds ${limit} ${unit}`);
  }
}

/** Reflection wants a token, and the server has nothing to check one with. Set `grpc.reflection`, or provide authentication. */
export class ReflectionClosedError extends RookeryError {
  static override readonly reason = 'REFLECTION_CLOSED';
  static override readonly status = Status.PermissionDenied;

  constructor() {
    super('reflection is closed');
  }
}

/** A name in a request of reflection is longer than any file or symbol. */
export class ReflectionNameError extends RookeryError {
  static override readonly reason = 'REFLECTION_NAME';
  static override readonly status = Status.InvalidArgument;

  constructor(limit: number, length: number) {
    super(`reflection request: name of ${length} characters (expected: at most ${limit})`);
  }
}

/** The caller reads more slowly than the service produces, and more waits than the service keeps. Read faster, or ask for less. */
export class SlowReaderError extends RookeryError {
  static override readonly reason = 'SLOW_READER';
  static override readonly status = Status.ResourceExhausted;

  constructor(messages: number, bytes: number) {
    super(`the caller reads too slowly: ${messages} messages of ${bytes} bytes are waiting`);
  }
}

/** A decorated handler and the protobuf description do not fit together; the start stops. */
export class RpcBindingError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'RpcBindingError';
  }
}

/** Cuts what a stranger sent to a length that is good for a message. */
export function printable(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
