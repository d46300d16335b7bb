import { RookeryError, Status } from 'rookery/core';

/** The database cannot be reached, or takes no connection at the moment. Try again later. */
export class DatabaseUnavailableError extends RookeryError {
  static override readonly reason = 'DATABASE_UNAVAILABLE';
  static override readonly status = Status.Unavailable;
  static override readonly fault = 'upstream';

  constructor(options: { readonly cause: unknown }) {
    super('the database cannot be reached', { ...options, retryAfterMs: 1000 });
  }
}

/**
 * A statement took longer than `database.statementTimeoutMs`, or waited longer than `database.lockTimeoutMs` for others.
 * The service is at fault, or under load: try again later, a change only where it may be made twice.
 */
export class DatabaseTimeoutError extends RookeryError {
  static override readonly reason = 'DATABASE_TIMEOUT';
  static override readonly status = Status.DeadlineExceeded;
  static override readonly fault = 'upstream';

  constructor(options: { readonly cause: unknown }) {
    super('the database did not answer in time', options);
  }
}

/**
 * A row breaks a unique constraint. Repositories turn it into what it means for the caller; one that gets through is
 * an internal error.
 */
export class UniqueViolation extends Error {
  override readonly name = 'UniqueViolation';

  /** @param constraint name of the constraint: table and columns joined by `_`, such as `users_email_key` */
  constructor(
    readonly constraint: string,
    options: { readonly cause: unknown },
  ) {
    super(`unique constraint ${constraint} broken`, options);
  }
}
