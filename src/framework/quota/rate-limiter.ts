import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';

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
  readonly #rate: RateLimiterMemory;
  readonly #bursts: RateLimiterMemory;
  #limit: RateLimit;
  #keys = new Set<string>();
  #keysSinceMs = 0;

  constructor(limit: RateLimit) {
    this.#limit = limit;
    this.#rate = new RateLimiterMemory({ points: limit.ratePerSecond, duration: windowSeconds });
    this.#bursts = new RateLimiterMemory({ points: limit.burst, duration: burstWindowSeconds });
  }

  /** Holds other limits from now on, against what was counted so far: nobody begins anew. */
  adjust(limit: RateLimit): void {
    this.#limit = limit;
    this.#rate.points = limit.ratePerSecond;
    this.#bursts.points = limit.burst;
  }

  /** Counts one request. Resolves with the time to wait, in ms, where it is one too many, else with `undefined`. */
  async take(key: string): Promise<number | undefined> {
    const admitted = this.#admit(key);
    const rate = await consume(this.#rate, admitted);
    if (rate === undefined || this.#limit.burst === 0) return rate;
    const burst = await consume(this.#bursts, admitted);
    return burst === undefined ? undefined : Math.min(rate, burst);
  }

  // The library keeps what it counts for a window, however many keys there are: no more than `maxKeys` new ones get in
  // per window, so it holds at most twice as many.
  #admit(key: string): string {
    const nowMs = Date.now();
    const windowMs = (this.#limit.burst === 0 ? windowSeconds : burstWindowSeconds) * 1000;
    if (nowMs - this.#keysSinceMs >= windowMs) {
      this.#keys = new Set();
      this.#keysSinceMs = nowMs;
    }
    if (this.#keys.has(key)) return key;
    if (this.#keys.size >= this.#limit.maxKeys) return overflowKey;
    this.#keys.add(key);
    return key;
  }
}

async function consume(limiter: RateLimiterMemory, key: string): Promise<number | undefined> {
  try {
    await limiter.consume(key);
    return undefined;
  } catch (rejection) {
    if (rejection instanceof RateLimiterRes) return Math.max(1, Math.ceil(rejection.msBeforeNext));
    throw rejection;
  }
}
