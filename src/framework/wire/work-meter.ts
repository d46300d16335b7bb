// What was taken that long ago counts next to nothing.
const windowMs = 200;
const heavyMs = 20;
const forgottenMs = 1;

// A busy machine makes everybody's work take longer: who takes far less than another is not to go behind with that one.
const equalPart = 0.5;

/** What several meters are compared by. */
export class WorkScale {
  /** The one that had most when it was charged. */
  heaviest: WorkMeter | undefined = undefined;
}

/** How much of the event loop's time a connection, or all of a peer's, has taken lately. */
export class WorkMeter {
  readonly #scale: WorkScale | undefined;
  #usedMs = 0;
  #atMs = 0;

  /** @param scale of those that it is compared with */
  constructor(scale?: WorkScale) {
    this.#scale = scale;
  }

  /** It has worked for `ms` more, until `nowMs` on the clock of `performance.now()`. */
  charge(ms: number, nowMs: number): void {
    this.#usedMs = this.#left(nowMs) + ms;
    this.#atMs = nowMs;
    const scale = this.#scale;
    if (scale === undefined || this.#usedMs <= heavyMs || scale.heaviest === this) return;
    if (scale.heaviest === undefined || scale.heaviest.#left(nowMs) < this.#usedMs) scale.heaviest = this;
  }

  /** Next to nothing of what it has taken counts still. */
  isForgotten(nowMs: number): boolean {
    return this.#left(nowMs) < forgottenMs;
  }

  /** More than a tenth of it, and more than half of what the heaviest of its scale has taken. */
  isHeavy(nowMs: number): boolean {
    if (this.#usedMs <= heavyMs) return false;
    const leftMs = this.#left(nowMs);
    if (leftMs <= heavyMs) return false;
    const heaviest = this.#scale?.heaviest;
    return heaviest === undefined || heaviest === this || leftMs > equalPart * heaviest.#left(nowMs);
  }

  #left(nowMs: number): number {
    const passed = (nowMs - this.#atMs) / windowMs;
    return passed >= 1 ? 0 : this.#usedMs * (1 - passed);
  }
}
