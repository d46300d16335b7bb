import { STATUS_CODES } from 'node:http';
import { HttpException } from '@nestjs/common';
import { RpcException } from '@nestjs/microservices';
import {
  type Deadline,
  DeadlineExceededError,
  type Fault,
  faultOf,
  type FieldViolation,
  httpStatusOf,
  InternalError,
  RookeryError,
  Status,
  statusName,
  statusOfHttp,
  UpstreamFailedError,
  UpstreamUnavailableError,
} from '../core/index.js';
import { declaredCause, foreignOutcome, isFastifyError, quotesForeignText } from './foreign-error.js';

/** What the caller is told of an error, ready for either face. */
export interface Failure {
  readonly status: Status;
  readonly httpStatus: number;
  readonly reason: string;
  readonly message: string;
  readonly violations: readonly FieldViolation[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly retryAfterMs: number | undefined;
  readonly httpHeaders: Readonly<Record<string, string>>;
  /** Whose fault it is; see `faultOf()`. */
  readonly fault: Fault | undefined;
  /** Something of it was kept from the client: it goes to the log with its cause. */
  readonly isFault: boolean;
}

// Calls to others get the time that the request has left; what ends them may come this much before the request's own end.
const earlyMs = 25;

/**
 * The one place where errors become outcomes, for both faces: the `RookeryError` family as it declares itself, Nest's
 * `HttpException` and `RpcException` by their status, an `AbortSignal`'s reason by what it is, and everything else,
 * thrown strings and `undefined` included, as INTERNAL without a word of its own text.
 *
 * Nothing that another service said, and nothing about the connection to it, gets further than here: a failed call to one
 * is UPSTREAM_UNAVAILABLE or UPSTREAM_FAILED, whatever it was wrapped in, unless `passOn()` has made it ours. Once the
 * request's own deadline has passed or its client is gone, that is the outcome of whatever failed without a declaration.
 *
 * @param deadline of the request
 */
export function toFailure(error: unknown, deadline?: Deadline): Failure {
  if (RookeryError.is(error)) return fromDeclared(error, deadline);
  if (error instanceof HttpException) return fromHttpException(error, deadline);
  if (error instanceof RpcException) return fromRpcException(error, deadline);
  return fromFastifyError(error, deadline) ?? fromUndeclared(error, deadline);
}

function fromDeclared(error: RookeryError, deadline: Deadline | undefined): Failure {
  if (error.origin === 'passedOn') return fromRookeryError(error, deadline);
  if (error.origin === 'foreign') return fromUndeclared(error, deadline);
  const stated = error.fault ?? faultOf(error.status, undefined, deadline);
  if (stated !== 'service' && error.cause === undefined) return fromRookeryError(error, deadline);
  if (error.fault === undefined && quotesForeignText(error.message, error)) {
    return fromUndeclared(foreignCauseOf(error, error.status), deadline);
  }
  const isCausedByOthers = stated === 'service' && foreignOutcome(error.cause) !== undefined;
  return fromRookeryError(error, deadline, isCausedByOthers ? 'upstream' : error.fault);
}

function fromRookeryError(error: RookeryError, deadline: Deadline | undefined, stated = error.fault): Failure {
  const { status } = error;
  const fault = faultOf(status, stated, deadline);
  const isInternal = status === Status.Internal || status === Status.DataLoss || status === Status.Unknown;
  return {
    status,
    httpStatus: error.httpStatus,
    reason: error.reason,
    message: error.message,
    violations: error.violations,
    metadata: error.metadata,
    retryAfterMs: error.retryAfterMs,
    httpHeaders: error.httpHeaders,
    fault,
    isFault: isInternal && fault !== 'client',
  };
}

// Without a declaration, whatever it is: all that may be told is what became of the request.
function fromUndeclared(error: unknown, deadline: Deadline | undefined): Failure {
  if (deadline?.reason !== undefined) return fromRookeryError(deadline.reason, deadline);
  const outcome = foreignOutcome(error);
  if (outcome === undefined) {
    const cause = declaredCause(error);
    // What is wrong with the request stays the client's fault, also where the handler put another error around it.
    return cause !== undefined && faultOf(cause.status, cause.fault, deadline) === 'client'
      ? { ...internal(), fault: 'client' }
      : internal();
  }
  if (outcome === 'late') {
    const { cause } = error as { cause?: unknown };
    if (RookeryError.is(cause) && cause.origin === 'own') return fromRookeryError(cause, deadline);
    if (deadline !== undefined && deadline.remainingMs() <= earlyMs) {
      return fromRookeryError(new DeadlineExceededError(deadline.timeoutMs), deadline);
    }
  }
  const neutral = outcome === 'failed' ? new UpstreamFailedError() : new UpstreamUnavailableError();
  return { ...fromRookeryError(neutral, deadline), isFault: true };
}

function fromHttpException(exception: HttpException, deadline: Deadline | undefined): Failure {
  const httpStatus = exception.getStatus();
  const status = statusOfHttp(httpStatus);
  const body: unknown = exception.getResponse();
  const message = body instanceof Error ? (STATUS_CODES[httpStatus] ?? 'error') : messageOf(exception, body);
  const isForeign = body instanceof Error ? foreignOutcome(body) !== undefined : quotesForeignText(message, exception);
  if (isForeign) return fromUndeclared(body instanceof Error ? body : foreignCauseOf(exception, status), deadline);
  // 500 is what Nest itself throws for the unexpected: its text may be anything.
  if (status !== Status.Internal && status !== Status.Ok) return { ...plain(status, message, deadline), httpStatus };
  const undeclared = fromUndeclared(exception.cause, deadline);
  if (undeclared.reason !== InternalError.reason) return undeclared;
  return { ...undeclared, httpStatus: Math.max(500, httpStatus) };
}

// `class-validator` messages arrive as an array in the response body of Nest's own ValidationPipe.
function messageOf(exception: HttpException, body: unknown): string {
  const message = typeof body === 'object' && body !== null && 'message' in body ? body.message : body;
  if (Array.isArray(message)) return message.join('; ');
  return typeof message === 'string' ? message : exception.message;
}

function fromRpcException(exception: RpcException, deadline: Deadline | undefined): Failure {
  const error: unknown = exception.getError();
  if (RookeryError.is(error)) return fromDeclared(error, deadline);
  if (foreignOutcome(error) !== undefined) return fromUndeclared(error, deadline);
  if (typeof error === 'string') {
    // Nest's own refusal by a guard that returned false.
    if (error === 'Forbidden resource') return plain(Status.PermissionDenied, 'forbidden', deadline);
    return told(Status.Unknown, error, exception, deadline);
  }
  const { code, message, details } = error as { code?: unknown; message?: unknown; details?: unknown };
  if (typeof code !== 'number' || code < 1 || code > 16) return fromUndeclared(undefined, deadline);
  const text = typeof details === 'string' ? details : message;
  return told(code as Status, typeof text === 'string' ? text : statusName(code), exception, deadline);
}

function told(status: Status, text: string, exception: Error, deadline: Deadline | undefined): Failure {
  return quotesForeignText(text, exception)
    ? fromUndeclared(foreignCauseOf(exception, status), deadline)
    : plain(status, text, deadline);
}

// The exception has the other side's words; where its cause does not tell what became of the call, its status does.
function foreignCauseOf(exception: Error, status: Status): unknown {
  if (foreignOutcome(exception.cause) !== undefined) return exception.cause;
  return { code: status, details: '', metadata: {} };
}

// Fastify's errors about the request carry a 4xx `statusCode` and a stable `code`.
function fromFastifyError(error: unknown, deadline: Deadline | undefined): Failure | undefined {
  if (!isFastifyError(error)) return undefined;
  const { statusCode, code } = error as { statusCode?: unknown; code?: unknown };
  if (typeof statusCode !== 'number' || statusCode < 400 || statusCode > 499) return undefined;
  if (typeof code !== 'string' || !code.startsWith('FST_')) return undefined;
  return { ...plain(statusOfHttp(statusCode), error.message, deadline), httpStatus: statusCode };
}

function internal(): Failure {
  return fromRookeryError(new InternalError(), undefined);
}

function plain(status: Status, message: string, deadline: Deadline | undefined): Failure {
  return {
    status,
    httpStatus: httpStatusOf(status),
    reason: statusName(status),
    message,
    violations: [],
    metadata: {},
    retryAfterMs: undefined,
    httpHeaders: {},
    fault: faultOf(status, undefined, deadline),
    isFault: false,
  };
}
