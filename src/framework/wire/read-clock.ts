// Imported, as the global is looked up by a getter each time.
import { performance } from 'node:perf_hooks';

let lastMs = performance.now();
let readings = 0;

/** `performance.now()`, remembered for those who ask again within the same turn of the event loop. */
export function readClock(): number {
  readings += 1;
  return (lastMs = performance.now());
}

/** One that asks again and again what time it is, while others that work meanwhile read the clock too. */
export class ClockReader {
  #readings = 0;

  /** The last reading, where there was one since the last call, or else a new one. */
  nowMs(): number {
    if (readings === this.#readings) readClock();
    this.#readings = readings;
    return lastMs;
  }
}
