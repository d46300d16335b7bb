// What was taken that long ago counts next to nothing.
const windowMs = 200;
const heavyMs = 20;
const forgottenMs = 1;

/** How much of the event loop's time a connection, or all of a peer's, has taken lately. */
export class WorkMeter {
  #usedMs = 0;
  #atMs = 0;

  /** It has worked for `ms` more, until `nowMs` on the clock of `performance.now()`. */
  charge(ms: number, nowMs: number): void {
    this.#usedMs = this.#left(nowMs) + ms;
    this.#atMs = nowMs;
  }

  /** Next to nothing of what it has taken counts still. */
  isForgotten(nowMs: number): boolean {
    return this.#left(nowMs) < forgottenMs;
  }

  /** More than a tenth of it. */
  isHeavy(nowMs: number): boolean {
    return this.#usedMs > heavyMs && this.#left(nowMs) > heavyMs;
  }

  #left(nowMs: number): number {
    const passed = (nowMs - this.#atMs) / windowMs;
    return passed >= 1 ? 0 : this.#usedMs * (1 - passed);
  }
}
