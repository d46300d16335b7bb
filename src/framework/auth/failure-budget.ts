import { LRUCache } from 'lru-cache';
import { type Live, peerGroupOf } from '../core/index.js';
import { TooManyFailedTokensError, UnauthenticatedError } from './auth.errors.js';
import type { FailureOptions } from './auth.options.js';

// What is remembered of a peer is some hundred bytes; one that makes room for another begins with a full budget.
const maxPeers = 10_000;

/** What one peer has left. */
interface Budget {
  left: number;
  filledAtMs: number;
  /** Tokens that are being checked. */
  running: number;
  readonly waiting: (() => void)[];
}

/**
 * Bounds how many tokens that turn out to be invalid a peer may have checked. No more are checked at a time than may fail:
 * further ones wait for those, so that a peer with valid tokens is never refused, however many it sends at once.
 */
export class FailureBudget {
  readonly #options: Live<FailureOptions>;
  readonly #now: () => number;
  readonly #peers = new LRUCache<string, Budget>({ max: maxPeers });
  /** Since the start. */
  failed = 0;
  refused = 0;

  /** @param now a clock in ms, for tests */
  constructor(options: Live<FailureOptions>, now: () => number = () => performance.now()) {
    this.#options = options;
    this.#now = now;
  }

  /** Peers whose budget is not full, or was not when they were seen last. */
  get size(): number {
    return this.#peers.size;
  }

  /**
   * Checks a token of `peer`.
   *
   * @throws TooManyFailedTokensError  the peer has sent too many that are invalid; `check` has not been called
   * @throws what `check` throws
   */
  async run<T>(peer: string, check: () => Promise<T>): Promise<T> {
    if (this.#options.value.burst === 0) return check();
    const group = peerGroupOf(peer);
    const budget = this.#budgetOf(group);
    try {
      // Nothing is awaited between the look and the count, or as many as come at once would all see room.
      while (this.#isFull(budget)) {
        const { promise, resolve } = Promise.withResolvers<void>();
        budget.waiting.push(resolve);
        await promise;
      }
      budget.running += 1;
      try {
        return await check();
      } catch (error) {
        if (countsAsFailure(error)) this.#fail(budget);
        throw error;
      } finally {
        budget.running -= 1;
      }
    } finally {
      budget.waiting.shift()?.();
      if (budget.running === 0 && budget.left >= this.#options.value.burst) this.#peers.delete(group);
    }
  }

  /** Counts a failure that no check is needed for. */
  note(peer: string): void {
    if (this.#options.value.burst > 0) this.#fail(this.#budgetOf(peerGroupOf(peer)));
  }

  // As many are being checked as may fail. With none of them there is nothing to wait for.
  #isFull(budget: Budget): boolean {
    const isFull = budget.running >= Math.floor(this.#refill(budget));
    if (!isFull || budget.running > 0) return isFull;
    this.refused += 1;
    throw new TooManyFailedTokensError(this.#retryAfterMs(budget));
  }

  #fail(budget: Budget): void {
    this.failed += 1;
    budget.left = Math.max(0, budget.left - 1);
  }

  #retryAfterMs({ left }: Budget): number {
    return Math.ceil(((1 - left) * 1000) / this.#options.value.perSecond);
  }

  #refill(budget: Budget): number {
    const { burst, perSecond } = this.#options.value;
    const nowMs = this.#now();
    budget.left = Math.min(burst, budget.left + ((nowMs - budget.filledAtMs) * perSecond) / 1000);
    budget.filledAtMs = nowMs;
    return budget.left;
  }

  #budgetOf(group: string): Budget {
    let budget = this.#peers.get(group);
    if (budget === undefined) {
      budget = { left: this.#options.value.burst, filledAtMs: this.#now(), running: 0, waiting: [] };
      this.#peers.set(group, budget);
    }
    return budget;
  }
}

// A token with a good signature was issued to its bearer: that it is too old, or for another service, is no attempt.
function countsAsFailure(error: unknown): boolean {
  return error instanceof UnauthenticatedError && !error.isGenuine;
}
