import { RookeryError, Status } from '../core/index.js';

/** The caller makes more requests than `quota.ratePerSecond` and `quota.burst` allow. Try again after the time that the answer names. */
export class RateLimitedError extends RookeryError {
  static override readonly reason = 'RATE_LIMITED';
  static override readonly status = Status.ResourceExhausted;

  constructor(retryAfterMs: number) {
    super('too many requests', { retryAfterMs });
  }
}

/**
 * The caller has as many requests or streams at work as `quota.maxConcurrentRequests` or `quota.maxConcurrentStreams`
 * allows; `metadata.limit` says how many. Wait for one of them to end, and try again.
 */
export class ConcurrencyLimitedError extends RookeryError {
  static override readonly reason = 'CONCURRENCY_LIMITED';
  static override readonly status = Status.ResourceExhausted;

  constructor(kind: 'requests' | 'streams', limit: number) {
    super(`more than ${limit} ${kind} of one caller`, { metadata: { limit: String(limit) }, retryAfterMs: 1000 });
  }
}
