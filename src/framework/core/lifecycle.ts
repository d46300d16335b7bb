import { AsyncResource } from 'node:async_hooks';
import { setMaxListeners } from 'node:events';
import { DrainingError } from './core.errors.js';

/** Where a process stands in its life. */
export type Phase = 'starting' | 'ready' | 'draining' | 'stopped';

/**
 * The phase of the process and the number of requests it works on: what probes, drivers and the drain look at.
 * Phases only go forward.
 */
export class Lifecycle {
  /** @internal What requests are begun in: the stores of all `AsyncLocalStorage`s, as they were when this was made. */
  readonly scope: AsyncResource = new AsyncResource('RookeryRequest');
  static readonly #order: readonly Phase[] = ['starting', 'ready', 'draining', 'stopped'];
  #phase: Phase = 'starting';
  #inFlight = 0;
  #idleWaiters: (() => void)[] = [];
  #drain: AbortController | undefined;
  #isDrainSignalled = false;
  readonly #listeners = new Set<(phase: Phase) => void>();

  get phase(): Phase {
    return this.#phase;
  }

  get isDraining(): boolean {
    return this.#phase === 'draining' || this.#phase === 'stopped';
  }

  /**
   * Fires when the drain delay has passed: the process takes no new connections, and clients that reconnect reach another
   * instance. Handlers of streams without an end of their own end them then. `reason` is a `DrainingError`.
   */
  get drainSignal(): AbortSignal {
    if (this.#drain === undefined) {
      this.#drain = new AbortController();
      // One listener for each open stream is no leak.
      setMaxListeners(0, this.#drain.signal);
      if (this.#isDrainSignalled) this.#drain.abort(new DrainingError());
    }
    return this.#drain.signal;
  }

  /** Fires `drainSignal`. Later calls change nothing. */
  signalDrain(): void {
    if (this.#isDrainSignalled) return;
    this.#isDrainSignalled = true;
    this.#drain?.abort(new DrainingError());
  }

  /** Requests that have begun and are not answered yet, on all faces. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Goes to `phase`; going back, or staying, changes nothing. */
  advance(phase: Phase): void {
    if (Lifecycle.#order.indexOf(phase) <= Lifecycle.#order.indexOf(this.#phase)) return;
    this.#phase = phase;
    for (const listener of [...this.#listeners]) listener(phase);
  }

  /** Calls `listener` after every change of phase. Returns the way to take it back. */
  onChange(listener: (phase: Phase) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A request begins. Pair it with exactly one `end()`. */
  begin(): void {
    this.#inFlight += 1;
  }

  end(): void {
    this.#inFlight -= 1;
    if (this.#inFlight > 0 || this.#idleWaiters.length === 0) return;
    const waiters = this.#idleWaiters;
    this.#idleWaiters = [];
    for (const waiter of waiters) waiter();
  }

  /** Resolves with true when nothing is in flight, with false when `timeoutMs` passed first. */
  async idle(timeoutMs: number): Promise<boolean> {
    if (this.#inFlight === 0) return true;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => resolve(false), timeoutMs);
    this.#idleWaiters.push(() => resolve(true));
    return promise.finally(() => clearTimeout(timer));
  }
}
