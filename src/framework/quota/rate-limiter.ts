import { BurstyRateLimiter, RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';

const windowSeconds = 1;
// Long enough for a page that loads all its parts at once, short enough that a caller gets its burst back soon.
const burstWindowSeconds = 10;
// Cannot be another caller's key: those have a kind and a colon in front.
const overflowKey = 'overflow';

/** How many requests a caller may make. */
export interface RateLimit {
  /** In each second, 1 or more. */
  readonly ratePerSecond: number;
  /** Above that, in each ten seconds; 0 or more. */
  readonly burst: number;
  /** Keys told apart, 1 or more. */
  readonly maxKeys: number;
}

/** Counts requests by key in memory: so many a second, and some more out of a burst. */
export class RateLimiter {
  readonly #limiter: RateLimiterMemory | BurstyRateLimiter;
  readonly #maxKeys: number;
  readonly #windowMs: number;
  #keys = new Set<string>();
  #keysSinceMs = 0;

  constructor({ ratePerSecond, burst, maxKeys }: RateLimit) {
    const rate = new RateLimiterMemory({ points: ratePerSecond, duration: windowSeconds });
    this.#limiter =
      burst === 0
        ? rate
        : new BurstyRateLimiter(rate, new RateLimiterMemory({ points: burst, duration: burstWindowSeconds }));
    this.#maxKeys = maxKeys;
    this.#windowMs = (burst === 0 ? windowSeconds : burstWindowSeconds) * 1000;
  }

  /** Counts one request. Resolves with the time to wait, in ms, where it is one too many, else with `undefined`. */
  async take(key: string): Promise<number | undefined> {
    try {
      await this.#limiter.consume(this.#admit(key));
      return undefined;
    } catch (rejection) {
      if (rejection instanceof RateLimiterRes) return Math.max(1, Math.ceil(rejection.msBeforeNext));
      throw rejection;
    }
  }

  // The library keeps what it counts for a window, however many keys there are: no more than `maxKeys` new ones get in
  // per window, so it holds at most twice as many.
  #admit(key: string): string {
    const nowMs = Date.now();
    if (nowMs - this.#keysSinceMs >= this.#windowMs) {
      this.#keys = new Set();
      this.#keysSinceMs = nowMs;
    }
    if (this.#keys.has(key)) return key;
    if (this.#keys.size >= this.#maxKeys) return overflowKey;
    this.#keys.add(key);
    return key;
  }
}
