import { RpcException } from '@nestjs/microservices';
import { type Failure, toFailure } from '../pipeline/index.js';

/**
 * What the caller is told of whatever a handler or a filter threw. Filters written for Nest's own gRPC server throw plain
 * objects `{ code, message }` or `{ code, details }`; those count as the `RpcException` they were made from.
 */
export function failureOf(error: unknown): Failure {
  return toFailure(isStatusObject(error) ? new RpcException(error) : error);
}

function isStatusObject(error: unknown): error is { code: number } {
  if (typeof error !== 'object' || error === null || error instanceof Error) return false;
  return typeof (error as { code?: unknown }).code === 'number';
}
