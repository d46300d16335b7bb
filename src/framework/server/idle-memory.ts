import { performance } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';

/** When memory is given back. */
export interface IdleMemoryTiming {
  /** How often the load is looked at, in ms. */
  readonly windowMs: number;
  /** So many windows without load make the process idle. */
  readonly idleWindows: number;
  /** What part of the time since it was asked last the event loop has worked, 0 to 1. */
  readonly load: () => number;
}

const defaults = { windowMs: 5000, idleWindows: 4 } as const;

function eventLoopLoad(): () => number {
  let seen = performance.eventLoopUtilization();
  return () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, seen);
    seen = now;
    return utilization;
  };
}

// Parts of the event loop's time.
const busyPart = 0.5;
const idlePart = 0.05;
// V8 takes memory in steps, and keeps some for what comes next.
const leastGrowthBytes = 67_108_864;
// The process stands still while it collects: some 3 ms for each MiB in use.
const mostUsedBytes = 268_435_456;

/** What came of it, for the log. */
export interface ReturnedMemory {
  /** Resident memory, in bytes. */
  readonly rssBytesBefore: number;
  readonly rssBytes: number;
  readonly tookMs: number;
}

/**
 * Gives memory back to the operating system once a time of load is over: V8 collects garbage when something is allocated, so
 * that a process that has become idle would keep the heap of its worst minute for ever.
 *
 * It does so once for each time of load, when the event loop has been idle for 20 s, if the heap has grown by 64 MiB and no more
 * than 256 MiB of it are in use, garbage included. The process stands still for that, for some 100 to 300 ms.
 *
 * @see https://openjdk.org/jeps/346 the same for Java, "Promptly Return Unused Committed Memory from G1"
 */
export class IdleMemory {
  readonly #timing: IdleMemoryTiming;
  readonly #onReturned: (outcome: ReturnedMemory) => void;
  #timer: NodeJS.Timeout | undefined;
  #wasBusy = false;
  #idleWindows = 0;
  /** Size of the heap that is not given back: before the load, or after it. */
  #keptBytes = 0;

  constructor(onReturned: (outcome: ReturnedMemory) => void, timing: Partial<IdleMemoryTiming> = {}) {
    this.#onReturned = onReturned;
    this.#timing = { ...defaults, load: eventLoopLoad(), ...timing };
  }

  /** The process is as large now as it may stay. */
  start(): void {
    this.#keptBytes = getHeapStatistics().total_heap_size;
    this.#timing.load();
    this.#timer ??= setInterval(() => void this.#look(), this.#timing.windowMs).unref();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #look(): Promise<void> {
    const load = this.#timing.load();
    if (load > busyPart) this.#wasBusy = true;
    this.#idleWindows = load < idlePart ? this.#idleWindows + 1 : 0;
    if (!this.#wasBusy || this.#idleWindows < this.#timing.idleWindows) return;
    this.#wasBusy = false;
    const { total_heap_size, used_heap_size } = getHeapStatistics();
    if (total_heap_size - this.#keptBytes < leastGrowthBytes || used_heap_size > mostUsedBytes) return;
    const rssBytesBefore = process.memoryUsage.rss();
    const beganAtMs = performance.now();
    try {
      await collectGarbage();
    } catch {
      // A Node that was built without its inspector cannot.
      this.close();
      return;
    }
    const tookMs = Math.round(performance.now() - beganAtMs);
    // What is left is in use.
    this.#keptBytes = Math.max(this.#keptBytes, getHeapStatistics().total_heap_size);
    this.#onReturned({ rssBytesBefore, rssBytes: process.memoryUsage.rss(), tookMs });
  }
}

// What the protocol of Chrome's developer tools has for it: V8 also gives its free pages back then, which a collection that a
// program asks for by `gc()` does not do.
async function collectGarbage(): Promise<void> {
  const { Session } = await import('node:inspector');
  const session = new Session();
  session.connect();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  session.post('HeapProfiler.collectGarbage', (error) => {
    if (error === null) resolve();
    else reject(error);
  });
  await promise.finally(() => session.disconnect());
}
