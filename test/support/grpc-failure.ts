import { fromBinary } from '@bufbuild/protobuf';
import { anyUnpack } from '@bufbuild/protobuf/wkt';
import { createRegistry } from '@bufbuild/protobuf';
import * as grpc from '@grpc/grpc-js';
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RequestInfoSchema,
  RetryInfoSchema,
} from '../../src/gen/google/rpc/error_details_pb.js';
import { StatusSchema } from '../../src/gen/google/rpc/status_pb.js';

/** One wrong field, as google.rpc.BadRequest tells it. */
export interface Violation {
  readonly field: string;
  readonly description: string;
  readonly reason: string;
}

/** How a call failed: the status, and the google.rpc details where there are some. */
export interface Failed {
  /** Name of the code, such as `NOT_FOUND`. */
  readonly status: string;
  readonly message: string;
  readonly reason?: string;
  readonly domain?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly violations?: readonly Violation[];
  readonly retryAfterMs?: number;
  readonly requestId?: string;
}

const registry = createRegistry(BadRequestSchema, ErrorInfoSchema, RequestInfoSchema, RetryInfoSchema);

/** Reads a status with its `grpc-status-details-bin`; a detail of a type that is not expected is an error. */
export function failureOf(status: grpc.StatusObject): Failed {
  const failed: Record<string, unknown> = { status: grpc.status[status.code], message: status.details };
  const [bytes] = status.metadata.get('grpc-status-details-bin');
  if (bytes === undefined) return failed as unknown as Failed;
  const { code, message, details } = fromBinary(StatusSchema, bytes as Buffer);
  if (code !== status.code) throw new Error(`code ${code} in the details, ${status.code} in grpc-status`);
  if (message !== status.details)
    throw new Error(`message "${message}" in the details, "${status.details}" in grpc-message`);
  for (const packed of details) Object.assign(failed, readable(anyUnpack(packed, registry), packed.typeUrl));
  return failed as unknown as Failed;
}

function readable(detail: ReturnType<typeof anyUnpack>, typeUrl: string): object {
  switch (detail?.$typeName) {
    case 'google.rpc.ErrorInfo': {
      const { reason, domain, metadata } = detail as unknown as {
        reason: string;
        domain: string;
        metadata: Record<string, string>;
      };
      return { reason, domain, ...(Object.keys(metadata).length > 0 && { metadata: { ...metadata } }) };
    }
    case 'google.rpc.BadRequest': {
      const { fieldViolations } = detail as unknown as { fieldViolations: Violation[] };
      return { violations: fieldViolations.map(({ field, description, reason }) => ({ field, description, reason })) };
    }
    case 'google.rpc.RetryInfo': {
      const { retryDelay } = detail as unknown as { retryDelay?: { seconds: bigint; nanos: number } };
      return { retryAfterMs: Number(retryDelay?.seconds ?? 0n) * 1000 + (retryDelay?.nanos ?? 0) / 1e6 };
    }
    case 'google.rpc.RequestInfo':
      return { requestId: (detail as unknown as { requestId: string }).requestId };
    default:
      throw new Error(`unexpected detail ${typeUrl}`);
  }
}
