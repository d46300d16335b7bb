import { RookeryError, Status } from 'rookery/core';

/** There is no user of that id. */
export class UserNotFoundError extends RookeryError {
  static override readonly reason = 'USER_NOT_FOUND';
  static override readonly status = Status.NotFound;

  constructor(readonly id: string) {
    super(`user ${id} not found`, { metadata: { id } });
  }
}

/** Another user has that email, perhaps in other letter case. Choose another email, or change the user that has it. */
export class UserEmailTakenError extends RookeryError {
  static override readonly reason = 'USER_EMAIL_TAKEN';
  static override readonly status = Status.AlreadyExists;

  constructor(
    readonly email: string,
    options: { readonly cause?: unknown } = {},
  ) {
    super(`email ${email} is taken`, { ...options, metadata: { email } });
  }
}

/** A watcher read so slowly that changes were lost. Watch again, with `include_existing`, to be up to date. */
export class UserWatchOverrunError extends RookeryError {
  static override readonly reason = 'USER_WATCH_OVERRUN';
  static override readonly status = Status.Aborted;

  constructor(readonly missed: number) {
    super(`the watcher reads too slowly, ${missed} changes are lost`, { metadata: { missed: String(missed) } });
  }
}
