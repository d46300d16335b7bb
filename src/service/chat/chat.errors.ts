import { RookeryError, Status } from 'rookery/core';

/** The room, or the process, has as many members as it may. Try again later. */
export class ChatFullError extends RookeryError {
  static override readonly reason = 'CHAT_FULL';
  static override readonly status = Status.ResourceExhausted;

  constructor(readonly limit: number) {
    super(`no more than ${limit} members`, { metadata: { limit: String(limit) } });
  }
}
