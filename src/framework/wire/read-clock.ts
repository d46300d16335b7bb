// Imported, as the global is looked up by a getter each time.
import { performance } from 'node:perf_hooks';

/** `performance.now()`, at half of its cost: it is asked several times for each request. */
export function readClock(): number {
  return performance.now();
}

// An object, whose numbers are changed in place; a variable of a module gets a new one each time.
const step = { beganAtMs: performance.now(), isUnderWay: false };

/** Has `stepClock()` stand at `nowMs` while a connection makes a step. */
export function holdStepClock(nowMs: number): void {
  step.beganAtMs = nowMs;
  step.isUnderWay = true;
}

/** Has `stepClock()` go on: the step is over. */
export function releaseStepClock(): void {
  step.isUnderWay = false;
}

/**
 * When the step under way began, which is when the bytes were read that it works on; now, where none is. For what a request
 * is counted from: it costs nothing, and the time in which the process reads a request is the process's own.
 */
export function stepClock(): number {
  return step.isUnderWay ? step.beganAtMs : readClock();
}
