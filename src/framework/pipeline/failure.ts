import { HttpException } from '@nestjs/common';
import { RpcException } from '@nestjs/microservices';
import {
  type FieldViolation,
  httpStatusOf,
  InternalError,
  RookeryError,
  Status,
  statusName,
  statusOfHttp,
} from '../core/index.js';

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
  /** The service's own fault: goes to the log with its cause. */
  readonly isFault: boolean;
}

/**
 * The one place where errors become outcomes, for both faces: the `RookeryError` family as it declares itself, Nest's
 * `HttpException` and `RpcException` by their status, an `AbortSignal`'s reason by what it is, and everything else,
 * thrown strings and `undefined` included, as INTERNAL without a word of its own text.
 */
export function toFailure(error: unknown): Failure {
  if (RookeryError.is(error)) return fromRookeryError(error);
  if (error instanceof HttpException) return fromHttpException(error);
  if (error instanceof RpcException) return fromRpcException(error);
  if (error instanceof Error && RookeryError.is(error.cause) && error.name === 'AbortError') {
    return fromRookeryError(error.cause);
  }
  return fromFastifyError(error) ?? fault();
}

function fromRookeryError(error: RookeryError): Failure {
  return {
    status: error.status,
    httpStatus: error.httpStatus,
    reason: error.reason,
    message: error.message,
    violations: error.violations,
    metadata: error.metadata,
    retryAfterMs: error.retryAfterMs,
    httpHeaders: error.httpHeaders,
    isFault: error.status === Status.Internal || error.status === Status.DataLoss || error.status === Status.Unknown,
  };
}

function fromHttpException(exception: HttpException): Failure {
  const httpStatus = exception.getStatus();
  const status = statusOfHttp(httpStatus);
  // 500 is what Nest itself throws for the unexpected: its text may be anything.
  if (status === Status.Internal || status === Status.Ok) return { ...fault(), httpStatus: Math.max(500, httpStatus) };
  return { ...plain(status, messageOf(exception)), httpStatus };
}

// `class-validator` messages arrive as an array in the response body of Nest's own ValidationPipe.
function messageOf(exception: HttpException): string {
  const body = exception.getResponse();
  const message = typeof body === 'object' ? (body as { message?: unknown }).message : body;
  if (Array.isArray(message)) return message.join('; ');
  return typeof message === 'string' ? message : exception.message;
}

function fromRpcException(exception: RpcException): Failure {
  const error = exception.getError();
  if (typeof error === 'string') {
    // Nest's own refusal by a guard that returned false.
    return error === 'Forbidden resource' ? plain(Status.PermissionDenied, 'forbidden') : plain(Status.Unknown, error);
  }
  const { code, message, details } = error as { code?: unknown; message?: unknown; details?: unknown };
  if (typeof code !== 'number' || code < 1 || code > 16) return fault();
  const text = typeof details === 'string' ? details : message;
  return plain(code as Status, typeof text === 'string' ? text : statusName(code));
}

// Fastify's errors about the request carry a 4xx `statusCode` and a stable `code`.
function fromFastifyError(error: unknown): Failure | undefined {
  if (!(error instanceof Error)) return undefined;
  const { statusCode, code } = error as { statusCode?: unknown; code?: unknown };
  if (typeof statusCode !== 'number' || statusCode < 400 || statusCode > 499) return undefined;
  if (typeof code !== 'string' || !code.startsWith('FST_')) return undefined;
  return { ...plain(statusOfHttp(statusCode), error.message), httpStatus: statusCode };
}

function fault(): Failure {
  return fromRookeryError(new InternalError());
}

function plain(status: Status, message: string): Failure {
  return {
    status,
    httpStatus: httpStatusOf(status),
    reason: statusName(status),
    message,
    violations: [],
    metadata: {},
    retryAfterMs: undefined,
    httpHeaders: {},
    isFault: false,
  };
}
