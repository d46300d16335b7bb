import { AsyncLocalStorage } from 'node:async_hooks';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { TimerWheel, WheelEntry } from './timer-wheel.js';

class Entry extends WheelEntry {
  firedAtMs: number | undefined;
  readonly #onDue: () => void;

  constructor(onDue: () => void = () => {}) {
    super();
    this.#onDue = onDue;
  }

  override onDue(): void {
    this.firedAtMs = performance.now();
    this.#onDue();
  }
}

function enter(wheel: TimerWheel, afterMs: number, entry = new Entry()): Entry {
  wheel.add(entry, performance.now() + afterMs, performance.now());
  return entry;
}

/** Mulberry32: the same numbers in each run. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

describe('TimerWheel on the clock', () => {
  it('belongs to no request, whoever was the first to enter', () => {
    const storage = new AsyncLocalStorage<string>();
    const wheel = new TimerWheel();
    const seen = Promise.withResolvers<string | undefined>();

    storage.run('first', () => enter(wheel, 1, new Entry(() => seen.resolve(storage.getStore()))));

    return expect(seen.promise).resolves.toBeUndefined();
  });

  it('is on time', async () => {
    const wheel = new TimerWheel();
    const late: number[] = [];
    const afterMs = [1, 3, 20, 200, 1100];
    await Promise.all(
      afterMs.map(async (ms) => {
        const { promise, resolve } = Promise.withResolvers<void>();
        const atMs = performance.now() + ms;
        enter(wheel, ms, new Entry(resolve));
        await promise;
        late.push(performance.now() - atMs);
      }),
    );

    // Node's own timers are as late on a busy machine: the median counts.
    expect(Math.min(...late)).toBeGreaterThan(-1);
    expect(late.toSorted((a, b) => a - b)[2]).toBeLessThan(15);
  });
});

describe('TimerWheel', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it.each([
    ['soon after the start', 0],
    ['after 24 days', 2 ** 31 - 500],
    ['after 49 days', 2 ** 32 - 500],
  ])('tells each entry within 1 ms of its time, and none that was taken out (%s)', (_when, upMs) => {
    vi.advanceTimersByTime(upMs);
    const wheel = new TimerWheel();
    const next = random(7);
    const all: { entry: Entry; atMs: number; isTakenOut: boolean }[] = [];
    for (let count = 0; count < 3000; count += 1) {
      // From at once to two minutes, over both rings and more than a round of the second.
      const afterMs = Math.exp(next() * Math.log(120_000));
      all.push({ entry: enter(wheel, afterMs), atMs: performance.now() + afterMs, isTakenOut: false });
      if (next() < 0.3) vi.advanceTimersByTime(Math.floor(next() * 40));
      const victim = all[Math.floor(next() * all.length)];
      if (next() < 0.4 && victim !== undefined && victim.entry.firedAtMs === undefined) {
        victim.isTakenOut = true;
        wheel.remove(victim.entry);
      }
    }
    vi.advanceTimersByTime(130_000);

    const wrong = all.filter(({ entry: { firedAtMs }, atMs, isTakenOut }) => {
      if (isTakenOut) return firedAtMs !== undefined;
      return firedAtMs === undefined || firedAtMs < atMs || firedAtMs > atMs + 2;
    });
    expect(wrong).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('rests while nothing is due soon', () => {
    const wheel = new TimerWheel();
    const far = enter(wheel, 60_000);
    const arm = vi.spyOn(globalThis, 'setTimeout');

    vi.advanceTimersByTime(58_000);

    expect(arm).not.toHaveBeenCalled();
    vi.advanceTimersByTime(2000);
    expect(far.firedAtMs).toBe(60_000);
    expect(arm.mock.calls.length).toBeLessThan(3);
    arm.mockRestore();
  });

  it('lets the others fire when one throws', async () => {
    const wheel = new TimerWheel();
    const thrown: unknown[] = [];
    const onError = (error: unknown): void => void thrown.push(error);
    const listeners = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.on('uncaughtException', onError);
    enter(
      wheel,
      10,
      new Entry(() => {
        throw new Error('boom');
      }),
    );
    const same = enter(wheel, 10);
    const later = enter(wheel, 20);

    vi.advanceTimersByTime(30);
    await new Promise((resolve) => setImmediate(resolve));
    process.off('uncaughtException', onError);
    for (const listener of listeners) process.on('uncaughtException', listener);

    expect([same.firedAtMs !== undefined, later.firedAtMs !== undefined]).toEqual([true, true]);
    expect(thrown).toMatchObject([{ message: 'boom' }]);
  });

  it('takes an entry that another one makes when it is due', () => {
    const wheel = new TimerWheel();
    const second = new Entry();
    enter(wheel, 5, new Entry(() => enter(wheel, 5, second)));

    vi.advanceTimersByTime(10);

    expect(second.firedAtMs).toBe(10);
  });

  it('moves an entry that is in already to its new time, and leaves the others where they are', () => {
    const wheel = new TimerWheel();
    const times: number[] = [];
    const moved = new Entry(() => times.push(performance.now()));
    const other = enter(wheel, 5000);

    enter(wheel, 5000, moved);
    enter(wheel, 20, moved);
    vi.advanceTimersByTime(6000);

    expect([times, other.firedAtMs]).toEqual([[20], 5000]);
  });
});
