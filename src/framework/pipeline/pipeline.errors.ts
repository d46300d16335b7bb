import { type FieldViolation, RookeryError, Status } from '../core/index.js';
import { isEnough, reported } from './field-violation.js';

/** The request does not have the expected form. `errors` in the envelope, `BadRequest` on gRPC, name each field, up to 32. */
export class ValidationError extends RookeryError {
  static override readonly reason = 'VALIDATION_FAILED';
  static override readonly status = Status.InvalidArgument;

  constructor(violations: readonly FieldViolation[]) {
    const told = reported(violations);
    super(summary(told, isEnough(violations)), { violations: told });
  }
}

/**
 * The error for what the caller sent, without a stack: that would only name the reader, and looking through the stack
 * costs ten times what the rest of the error does, for whoever sends wrong requests in numbers.
 */
export function refusedRequest(violations: readonly FieldViolation[]): ValidationError {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return new ValidationError(violations);
  } finally {
    Error.stackTraceLimit = limit;
  }
}

/** A request body, or a message of a request, is larger than `server.limits.maxBodyBytes`. Send less, or in parts. */
export class RequestTooLargeError extends RookeryError {
  static override readonly reason = 'REQUEST_TOO_LARGE';
  static override readonly status = Status.ResourceExhausted;
  static override readonly httpStatus = 413;

  /** @param size what it has, such as `: 2000000`, or what is known of it; empty when nothing is */
  constructor(limitBytes: number, size = '') {
    super(`request larger than ${limitBytes} bytes${size}`, { metadata: { limitBytes: String(limitBytes) } });
  }
}

/** A request message has more list items, map entries, nested messages and unknown fields than `server.limits.maxMessageElements`. Send them in several requests. */
export class TooManyElementsError extends RookeryError {
  static override readonly reason = 'TOO_MANY_ELEMENTS';
  static override readonly status = Status.ResourceExhausted;
  static override readonly httpStatus = 413;

  constructor(maxElements: number) {
    super(`request message with more than ${maxElements} elements`, { metadata: { maxElements: String(maxElements) } });
  }
}

/** A request message is nested deeper than `server.limits.maxMessageDepth`. Send it flatter. */
export class MessageTooDeepError extends RookeryError {
  static override readonly reason = 'MESSAGE_TOO_DEEP';
  static override readonly status = Status.InvalidArgument;

  constructor(maxDepth: number) {
    super(`request message nested deeper than ${maxDepth} levels`, { metadata: { maxDepth: String(maxDepth) } });
  }
}

// The first violation tells most callers all they need; the rest is in the details.
function summary(violations: readonly FieldViolation[], areMore: boolean): string {
  const [first] = violations;
  if (first === undefined) return 'the request is not valid';
  const others = violations.length - 1;
  if (areMore) return `${first.message} (and more than ${others} more, of which ${others} are reported)`;
  const rest = others > 0 ? ` (and ${others} more)` : '';
  return `${first.message}${rest}`;
}
