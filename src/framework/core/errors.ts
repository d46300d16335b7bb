import type { Fault } from './fault.js';
import { httpStatusOf, Status } from './status.js';

/** One wrong field of a request. */
export interface FieldViolation {
  /** Path of the field as JSON names it, such as `items[2].name`; empty for the request as a whole. */
  readonly field: string;
  /** Name of the broken rule, such as `isEmail`. */
  readonly rule: string;
  /** What was expected, for people. */
  readonly message: string;
}

/** What an error may carry besides its message. */
export interface RookeryErrorOptions {
  /** What went wrong underneath; written to the log, never sent. */
  readonly cause?: unknown;
  /** Values that belong to the reason; sent as `ErrorInfo.metadata` on gRPC. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** The wrong fields, for an error about the request. */
  readonly violations?: readonly FieldViolation[];
  /** When to try again, in ms; sent as `RetryInfo` and `Retry-After`. */
  readonly retryAfterMs?: number;
  /** Headers for the HTTP answer, such as `allow`; names in lower case. */
  readonly httpHeaders?: Readonly<Record<string, string>>;
}

/** Whose words an error has: the service's own, another service's, or another service's that were passed on by name. */
export type ErrorOrigin = 'own' | 'foreign' | 'passedOn';

const brand = Symbol.for('rookery.error');

/**
 * The one family of errors a caller may see. A subclass fixes a stable `reason` for programs, the gRPC `status`
 * and, where the canonical HTTP status is not the right one, an `httpStatus`; `message` is for people and may change.
 *
 * @example
 * class UserNotFoundError extends RookeryError {
 *   static override readonly reason = 'USER_NOT_FOUND';
 *   static override readonly status = Status.NotFound;
 *   constructor(id: string) { super(`user ${id} not found`, { metadata: { id } }); }
 * }
 */
export class RookeryError extends Error {
  /** Stable name of the cause in UPPER_SNAKE_CASE. */
  static readonly reason: string = 'INTERNAL';
  /** gRPC code. */
  static readonly status: Status = Status.Internal;
  /** HTTP status where it differs from the canonical mapping of `status`. */
  static readonly httpStatus: number | undefined = undefined;
  /** Whose fault it is, where `status` alone would not tell; see `faultOf()`. */
  static readonly fault: Fault | undefined = undefined;

  readonly metadata: Readonly<Record<string, string>>;
  readonly violations: readonly FieldViolation[];
  readonly retryAfterMs: number | undefined;
  readonly httpHeaders: Readonly<Record<string, string>>;

  constructor(message: string, options: RookeryErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.metadata = options.metadata ?? {};
    this.violations = options.violations ?? [];
    this.retryAfterMs = options.retryAfterMs;
    this.httpHeaders = options.httpHeaders ?? {};
  }

  get reason(): string {
    return (this.constructor as typeof RookeryError).reason;
  }

  get status(): Status {
    return (this.constructor as typeof RookeryError).status;
  }

  get httpStatus(): number {
    return (this.constructor as typeof RookeryError).httpStatus ?? httpStatusOf(this.status);
  }

  get fault(): Fault | undefined {
    return (this.constructor as typeof RookeryError).fault;
  }

  /** `foreign`: status and text are another service's, and no client sees them. */
  get origin(): ErrorOrigin {
    return 'own';
  }

  get [brand](): true {
    return true;
  }

  /** Whether `error` belongs to the family; true also across two installed copies of the package, where `instanceof` fails. */
  static is(error: unknown): error is RookeryError {
    return typeof error === 'object' && error !== null && (error as Record<symbol, unknown>)[brand] === true;
  }
}

/** Throws `error`; for the right-hand side of `??` and `||`. */
export function raise(error: Error): never {
  throw error;
}
