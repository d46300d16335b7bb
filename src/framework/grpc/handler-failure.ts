import { RpcException } from '@nestjs/microservices';
import { type Deadline, RookeryError } from '../core/index.js';
import { type Failure, toFailure } from '../pipeline/index.js';
import type { StatusDetail, StatusError } from './status-error.js';

/** What the caller is told, with the details that a `StatusError` names. */
export interface CallFailure extends Failure {
  /** Sent instead of ours; `undefined` for every other error. */
  readonly details?: readonly StatusDetail[];
}

/**
 * What the caller is told of whatever a handler or a filter threw. Filters written for Nest's own gRPC server throw plain
 * objects `{ code, message }` or `{ code, details }`; those count as the `RpcException` they were made from.
 *
 * @param deadline of the call
 */
export function failureOf(error: unknown, deadline?: Deadline): CallFailure {
  const failure = toFailure(isStatusObject(error) ? new RpcException(error) : error, deadline);
  // Of an error whose text was kept from the client, the details are, too.
  return isStatusError(error) && failure.message === error.message ? { ...failure, details: error.details } : failure;
}

function isStatusObject(error: unknown): error is { code: number } {
  if (typeof error !== 'object' || error === null || error instanceof Error) return false;
  return typeof (error as { code?: unknown }).code === 'number';
}

// By its shape, as two copies of the package may be installed.
function isStatusError(error: unknown): error is StatusError {
  return RookeryError.is(error) && Array.isArray((error as Partial<StatusError>).details);
}
