import type { Lifecycle } from '../core/index.js';

/** What a stop goes through, in this order. */
export interface ShutdownSteps {
  readonly lifecycle: Lifecycle;
  /** Tells the callers to go elsewhere while everything is still served. */
  readonly announce: () => void;
  /** Time between readiness going red and the first refused connection, in ms. */
  readonly drainDelayMs: number;
  /** Refuses new work and lets what runs finish; resolves with false when `graceMs` was not enough. */
  readonly drain: (graceMs: number) => Promise<boolean>;
  /** Time that running requests have, in ms. */
  readonly graceMs: number;
  /** Closes drivers and everything else; the handlers are done by now. */
  readonly closeApplication: () => Promise<void>;
  readonly log: (message: string, fields: object) => void;
}

// What drivers have to close in after the drain: a connection pool that hangs must not keep the process.
export const closeTimeoutMs = 5000;
// What a drain takes beyond its grace: connections that wait to be accepted, and those that are cut off.
const drainOverrunMs = 3000;

/**
 * Runs the stop of a process: readiness red → drain delay → refuse, finish what runs → close drivers.
 *
 * @returns the exit code: 0 when everything ended by itself, 2 when time ran out
 */
export async function runShutdown(steps: ShutdownSteps): Promise<0 | 2> {
  const startedAtMs = performance.now();
  attempt(() => steps.lifecycle.advance('draining'), steps.log);
  steps.log('draining', {
    inFlight: steps.lifecycle.inFlight,
    drainDelayMs: steps.drainDelayMs,
    graceMs: steps.graceMs,
  });
  attempt(steps.announce, steps.log);
  await delay(steps.drainDelayMs);
  attempt(() => steps.lifecycle.signalDrain(), steps.log);
  const isDrained = await within(steps.graceMs + drainOverrunMs, () => steps.drain(steps.graceMs), steps.log);
  const isClosed = await within(closeTimeoutMs, () => steps.closeApplication().then(() => true), steps.log);
  attempt(() => steps.lifecycle.advance('stopped'), steps.log);
  steps.log(isDrained && isClosed ? 'stopped' : 'stopped before everything had ended', {
    isDrained,
    isClosed,
    durationMs: Math.round(performance.now() - startedAtMs),
  });
  return isDrained && isClosed ? 0 : 2;
}

async function delay(ms: number): Promise<void> {
  if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
}

// A listener of the application's that fails must not keep the rest from happening.
function attempt(work: () => void, log: ShutdownSteps['log']): void {
  try {
    work();
  } catch (error) {
    log('stopping failed', { err: error });
  }
}

async function within(ms: number, work: () => Promise<boolean>, log: ShutdownSteps['log']): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), ms);
  work().then(resolve, (error: unknown) => {
    log('closing failed', { err: error });
    resolve(false);
  });
  return promise.finally(() => clearTimeout(timer));
}
