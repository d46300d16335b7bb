/** What a version must keep to while it is on probation. */
export interface ProbationBounds {
  /** 0 – 1 */
  readonly maxErrorRatio: number;
  readonly maxP99Ms?: number;
  readonly minRequests: number;
}

/** One request that began and ended under the version. */
export interface ProbationRequest {
  /** It failed by the service's own fault. */
  readonly isError: boolean;
  /** Time that the service itself took, in ms; `undefined` where the client's part cannot be told from it. */
  readonly durationMs: number | undefined;
}

// Of fewer requests the slowest alone would be the 99th percentile.
const minRequestsForP99 = 100;

/** Counts the requests of one version, and says when it breaks a bound. Plain logic: no clock, no channel. */
export class Probation {
  #requests = 0;
  #errors = 0;
  #timed = 0;
  #slow = 0;

  constructor(readonly bounds: ProbationBounds) {}

  /** @returns what is wrong with the version by all that was counted so far; `undefined` while nothing is */
  count({ isError, durationMs }: ProbationRequest): string | undefined {
    const { maxErrorRatio, maxP99Ms, minRequests } = this.bounds;
    this.#requests += 1;
    if (isError) this.#errors += 1;
    if (durationMs !== undefined) this.#timed += 1;
    if (maxP99Ms !== undefined && durationMs !== undefined && durationMs > maxP99Ms) this.#slow += 1;
    if (this.#requests < minRequests) return undefined;
    if (this.#errors > maxErrorRatio * this.#requests) {
      return `${this.#errors} of ${this.#requests} requests failed (allowed: ratio ${maxErrorRatio})`;
    }
    // The 99th percentile by nearest rank is over the bound when more requests are than stand above that rank.
    const above = this.#timed - Math.ceil(0.99 * this.#timed);
    if (this.#timed >= minRequestsForP99 && this.#slow > above) {
      return `${this.#slow} of ${this.#timed} requests took longer than ${maxP99Ms} ms (allowed: 1 in 100)`;
    }
    return undefined;
  }
}
