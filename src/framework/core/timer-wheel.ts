import { AsyncLocalStorage } from 'node:async_hooks';

/** Something that may become due. It is in one wheel at most. */
export abstract class WheelEntry {
  // The wheel's own; on the entry, so that entering and leaving allocate nothing.
  /** @internal */ next: WheelEntry | undefined;
  /** @internal */ previous: WheelEntry | undefined;
  /** @internal -1: in no wheel. */
  slot = -1;
  /** @internal */ dueTick = 0;

  /** Its time has come; it is out of the wheel. */
  abstract onDue(): void;
}

// A near slot is 1 ms, a far slot all near ones. 64 far slots are 65 s: what is due later is looked at once a round.
const nearSlots = 1024;
const farSlots = 64;
const epochBits = 10;

// A timer keeps the context of whoever armed it; this one serves all requests and belongs to none.
const outsideRequests = AsyncLocalStorage.snapshot();

/**
 * Many time limits, most of which never pass, on one timer of Node: a limit costs two links, not a timer. What is due
 * is told within 1 ms, or the timer's own delay. The timer does not keep the process running, and rests while nothing
 * is due soon.
 *
 * G. Varghese, A. Lauck: Hashed and Hierarchical Timing Wheels, SOSP 1987, scheme 7.
 */
export class TimerWheel {
  readonly #heads: (WheelEntry | undefined)[] = Array.from({ length: nearSlots + farSlots }, () => undefined);
  #nearCount = 0;
  #farCount = 0;
  /** All ticks up to here have been told. */
  #tick = 0;
  #timer: NodeJS.Timeout | undefined;
  #wakeTick = Number.POSITIVE_INFINITY;

  /**
   * Adds an entry, or moves one that is in already.
   *
   * @param atMs on the clock of `performance.now()`
   */
  add(entry: WheelEntry, atMs: number, nowMs: number): void {
    // In two slots at a time it would stay in the first for ever, with the entries behind it lost.
    this.remove(entry);
    if (this.#nearCount + this.#farCount === 0) this.#tick = Math.floor(nowMs);
    entry.dueTick = Math.max(this.#tick + 1, Math.ceil(atMs));
    this.#place(entry);
    const wakeTick = entry.slot < nearSlots ? entry.dueTick : epochOf(entry.dueTick);
    if (wakeTick < this.#wakeTick) this.#arm(wakeTick, nowMs);
  }

  /** Nothing happens when it is not in. */
  remove(entry: WheelEntry): void {
    const { slot, next, previous } = entry;
    if (slot < 0) return;
    if (previous === undefined) this.#heads[slot] = next;
    else previous.next = next;
    if (next !== undefined) next.previous = previous;
    entry.next = undefined;
    entry.previous = undefined;
    entry.slot = -1;
    if (slot < nearSlots) this.#nearCount -= 1;
    else this.#farCount -= 1;
  }

  #place(entry: WheelEntry): void {
    const { dueTick } = entry;
    let slot: number;
    if (dueTick - this.#tick < nearSlots) {
      slot = dueTick & (nearSlots - 1);
      this.#nearCount += 1;
    } else {
      slot = farSlotOf(dueTick);
      this.#farCount += 1;
    }
    const head = this.#heads[slot];
    entry.slot = slot;
    entry.next = head;
    if (head !== undefined) head.previous = entry;
    this.#heads[slot] = entry;
  }

  #arm(wakeTick: number, nowMs: number): void {
    clearTimeout(this.#timer);
    this.#wakeTick = wakeTick;
    outsideRequests(() => {
      this.#timer = setTimeout(() => this.#wake(), Math.max(1, Math.ceil(wakeTick - nowMs)));
      this.#timer.unref();
    });
  }

  #wake(): void {
    // Node's timers may be a fraction of a millisecond early.
    const until = Math.max(this.#wakeTick, Math.floor(performance.now()));
    this.#wakeTick = Number.POSITIVE_INFINITY;
    while (this.#tick < until && this.#nearCount + this.#farCount > 0) {
      this.#tick += 1;
      if ((this.#tick & (nearSlots - 1)) === 0) this.#bringNear();
      this.#tell(this.#tick & (nearSlots - 1));
    }
    if (this.#nearCount + this.#farCount === 0) return;
    const nextTick = this.#nextTick();
    if (nextTick < this.#wakeTick) this.#arm(nextTick, performance.now());
  }

  #tell(slot: number): void {
    for (let entry = this.#heads[slot]; entry !== undefined; entry = this.#heads[slot]) {
      this.remove(entry);
      try {
        entry.onDue();
      } catch (error) {
        // As an exception of a timer of its own would; thrown here, it would hold up all others.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  /** A new epoch begins: its entries get their places to the millisecond. */
  #bringNear(): void {
    for (let entry = this.#heads[farSlotOf(this.#tick)]; entry !== undefined; ) {
      const { next } = entry;
      if (epochOf(entry.dueTick) === this.#tick) {
        this.remove(entry);
        this.#place(entry);
      }
      entry = next;
    }
  }

  /** The next tick at which there is something to do. */
  #nextTick(): number {
    const epochEnd = epochOf(this.#tick) + nearSlots;
    if (this.#nearCount > 0) {
      for (let ahead = 1; ahead < nearSlots; ahead += 1) {
        if (this.#heads[(this.#tick + ahead) & (nearSlots - 1)] === undefined) continue;
        const nearTick = this.#tick + ahead;
        return this.#farCount > 0 ? Math.min(nearTick, this.#nextEpoch(epochEnd)) : nearTick;
      }
    }
    return this.#nextEpoch(epochEnd);
  }

  #nextEpoch(epochEnd: number): number {
    for (let ahead = 0; ahead < farSlots; ahead += 1) {
      const tick = epochEnd + ahead * nearSlots;
      if (this.#heads[farSlotOf(tick)] !== undefined) return tick;
    }
    return epochEnd;
  }
}

/** The first tick of an epoch. By subtraction, as ticks do not fit into 32 bits after 49 days. */
function epochOf(tick: number): number {
  return tick - (tick & (nearSlots - 1));
}

function farSlotOf(tick: number): number {
  return nearSlots + ((tick >>> epochBits) & (farSlots - 1));
}
