import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import { type Any, anyIs } from '@bufbuild/protobuf/wkt';
import type { ServiceError } from '@grpc/grpc-js';
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from '../../gen/google/rpc/error_details_pb.js';
import { StatusSchema } from '../../gen/google/rpc/status_pb.js';
import { codecOf } from './codec/message-codec.js';
import {
  type ErrorOrigin,
  httpStatusOf,
  RookeryError,
  type RookeryErrorOptions,
  Status,
  statusName,
} from '../core/index.js';
import type { StatusDetail } from './status-error.js';

/**
 * A call to another service failed. `status` and `reason` are the other side's own; where it gave no reason (another
 * framework, a broken connection) it is the name of the status. They are for the code that made the call: a handler that
 * lets it through answers UPSTREAM_UNAVAILABLE or UPSTREAM_FAILED, unless it throws `passOn(error)`.
 */
export class RemoteError extends RookeryError {
  static override readonly reason: string = 'REMOTE_CALL_FAILED';
  static override readonly status: Status = Status.Unavailable;
  static override readonly fault = 'upstream';
  readonly #status: Status;
  readonly #reason: string;
  /** The other side's details as they came. */
  readonly details: readonly StatusDetail[];
  /** Address of the other side as the client was told it, and the method that was called; for the log. */
  readonly peer: string | undefined;
  readonly method: string | undefined;

  constructor(status: Status, reason: string, message: string, options: RemoteErrorOptions = {}) {
    super(message, options);
    this.#status = status;
    this.#reason = reason;
    this.details = options.details ?? [];
    this.peer = options.peer;
    this.method = options.method;
  }

  override get origin(): ErrorOrigin {
    return 'foreign';
  }

  override get reason(): string {
    return this.#reason;
  }

  override get status(): Status {
    return this.#status;
  }

  override get httpStatus(): number {
    return httpStatusOf(this.#status);
  }
}

/** Where a call went. */
export interface CallTarget {
  readonly peer: string;
  readonly method: string;
}

interface RemoteErrorOptions extends RookeryErrorOptions, Partial<CallTarget> {
  readonly details?: readonly StatusDetail[];
}

/** Makes ours of what the gRPC client throws; anything else comes back as it is. */
export function remoteError(error: unknown, target?: CallTarget): unknown {
  if (!(error instanceof Error) || typeof (error as Partial<ServiceError>).code !== 'number') return error;
  if (typeof (error as Partial<ServiceError>).details !== 'string') return error;
  const { details, metadata } = error as ServiceError;
  const code: number = (error as ServiceError).code;
  const status = (code >= 1 && code <= 16 ? code : Status.Unknown) as Status;
  const told = detailsOf(metadata?.get('grpc-status-details-bin')[0]);
  const options: RemoteErrorOptions = {
    ...target,
    cause: error,
    details: told.details,
    metadata: told.metadata,
    violations: told.violations,
    ...(told.retryAfterMs !== undefined && { retryAfterMs: told.retryAfterMs }),
  };
  return new RemoteError(status, told.reason ?? statusName(status), details, options);
}

// More than any server tells: trailers are small, and what the other side sends may be anything.
const limits = { maxMessageElements: 1000, maxMessageDepth: 10 };
const maxViolations = 100;

interface Details {
  details: readonly StatusDetail[];
  reason: string | undefined;
  metadata: Record<string, string>;
  violations: { field: string; rule: string; message: string }[];
  retryAfterMs: number | undefined;
}

function detailsOf(bytes: unknown): Details {
  const details: Details = { details: [], reason: undefined, metadata: {}, violations: [], retryAfterMs: undefined };
  if (!(bytes instanceof Uint8Array)) return details;
  try {
    const all = decode(StatusSchema, bytes).details;
    for (const any of all) read(any, details);
    details.details = all.map(({ typeUrl, value }) => ({ typeUrl, value }));
  } catch {
    // Other people's trailers: what cannot be read tells nothing.
  }
  return details;
}

function decode<D extends DescMessage>(desc: D, bytes: Uint8Array): MessageShape<D> {
  return codecOf(desc).decode(bytes, 0, bytes.length, limits, 0);
}

function read(any: Any, details: Details): void {
  if (anyIs(any, ErrorInfoSchema)) {
    const { reason, metadata } = decode(ErrorInfoSchema, any.value);
    details.reason = reason;
    details.metadata = metadata;
  } else if (anyIs(any, BadRequestSchema)) {
    for (const { field, reason, description } of decode(BadRequestSchema, any.value).fieldViolations) {
      if (details.violations.length === maxViolations) return;
      details.violations.push({ field, rule: camel(reason), message: description });
    }
  } else if (anyIs(any, RetryInfoSchema)) {
    const delay = decode(RetryInfoSchema, any.value).retryDelay;
    if (delay !== undefined) details.retryAfterMs = Number(delay.seconds) * 1000 + delay.nanos / 1_000_000;
  }
}

// `IS_EMAIL` is the rule `isEmail`.
function camel(reason: string): string {
  return reason.toLowerCase().replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}
