import { RookeryError, Status } from '../core/index.js';

/** The caller makes more requests than `quota.ratePerSecond` and `quota.burst` allow. Try again after the time that the answer names. */
export class RateLimitedError extends RookeryError {
  static override readonly reason = 'RATE_LIMITED';
  static override readonly status = Status.ResourceExhausted;

  constructor(retryAfterMs: number) {
    super('too many requests', { retryAfterMs });
  }
}
