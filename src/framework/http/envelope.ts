import { STATUS_CODES } from 'node:http';
import type { FieldViolation } from '../core/index.js';
import type { Failure } from '../pipeline/index.js';

/** What every JSON answer of the REST side looks like. */
export interface Envelope<T> {
  /** The HTTP status. */
  readonly code: number;
  /** The answer; `null` for an error, and where there is nothing to say. */
  readonly data: T | null;
  /** `success`, or what went wrong, for people. */
  readonly message: string;
}

/** The envelope of an error. */
export interface ErrorEnvelope extends Envelope<never> {
  /** Stable name of the cause, for programs; `docs/errors.md` lists them. */
  readonly reason: string;
  /** What to look for in the server's log. */
  readonly requestId: string;
  /** The wrong fields, where there are some. */
  readonly errors?: readonly FieldViolation[];
}

/** Wraps an answer. */
export function successEnvelope<T>(code: number, data: T | null): Envelope<T> {
  return { code, data, message: 'success' };
}

/** Wraps a failure. */
export function errorEnvelope(failure: Failure, requestId: string): ErrorEnvelope {
  return { code: failure.httpStatus, data: null, message: failure.message, ...detailsOf(failure, requestId) };
}

/**
 * The same failure for a caller that asked for `application/problem+json`.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9457.html#section-3.1 the members; `reason`, `requestId`, `errors` are extensions
 */
export function problem(failure: Failure, requestId: string): object {
  return {
    type: 'about:blank',
    title: STATUS_CODES[failure.httpStatus] ?? 'Error',
    status: failure.httpStatus,
    detail: failure.message,
    ...detailsOf(failure, requestId),
  };
}

// `failure.metadata` stays out: the envelope's members are fixed, and the message says what matters to people.
function detailsOf(failure: Failure, requestId: string): Pick<ErrorEnvelope, 'reason' | 'requestId' | 'errors'> {
  return {
    reason: failure.reason,
    requestId,
    ...(failure.violations.length > 0 && { errors: failure.violations }),
  };
}
