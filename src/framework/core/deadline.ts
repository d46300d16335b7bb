import { CancelledError, DeadlineExceededError } from './core.errors.js';

type FireReason = DeadlineExceededError | CancelledError;

// 2^31 - 1 ms is the longest delay of a Node timer, 24.8 days; more counts as no limit.
const longestTimerMs = 0x7fffffff;

/**
 * The time limit of one request and the `AbortSignal` that fires when it passes or the caller goes away.
 * The signal is made on first use: a handler that never looks pays for a timer only.
 *
 * `signal.reason` is a `DeadlineExceededError` or a `CancelledError`.
 */
export class Deadline {
  readonly #startMs = performance.now();
  readonly #isCallers: boolean;
  #timeoutMs: number;
  #controller: AbortController | undefined;
  #timer: NodeJS.Timeout | undefined;
  #reason: FireReason | undefined;
  #listeners: ((reason: FireReason) => void)[] = [];

  /**
   * @param timeoutMs from now, in ms, 0 or more; `Infinity` for no limit
   * @param isCallers whether the caller asked for this limit; the service may then shorten it, not lengthen it
   */
  constructor(timeoutMs: number, isCallers = false) {
    this.#timeoutMs = timeoutMs;
    this.#isCallers = isCallers;
    this.#arm();
  }

  /** Sets the service's own limit, in ms since the start; a limit the caller asked for stays if it is shorter. */
  adjust(timeoutMs: number): void {
    const next = this.#isCallers ? Math.min(timeoutMs, this.#timeoutMs) : timeoutMs;
    if (next === this.#timeoutMs || this.#reason !== undefined) return;
    this.#timeoutMs = next;
    clearTimeout(this.#timer);
    this.#arm();
  }

  /** When it passes, on the clock of `performance.now()`; `Infinity` for never. */
  get atMs(): number {
    return this.#startMs + this.#timeoutMs;
  }

  /** Time left in ms, never below 0. */
  remainingMs(): number {
    return Math.max(0, this.atMs - performance.now());
  }

  /** The limit, in ms since the start. */
  get timeoutMs(): number {
    return this.#timeoutMs;
  }

  /** Why it fired, or `undefined` while it has not. */
  get reason(): FireReason | undefined {
    return this.#reason;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** Calls `listener` once when it fires, at once if it has; cheaper than the signal. Returns the way to take it back. */
  onFire(listener: (reason: FireReason) => void): () => void {
    if (this.#reason !== undefined) {
      listener(this.#reason);
      return () => {};
    }
    this.#listeners.push(listener);
    return () => {
      const at = this.#listeners.indexOf(listener);
      if (at >= 0) this.#listeners.splice(at, 1);
    };
  }

  /** The caller went away. Later calls, and calls after the deadline, change nothing. */
  cancel(): void {
    this.#fire(new CancelledError());
  }

  /** The request is answered: no timer and no listener stays. May be called twice. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#listeners = [];
  }

  #arm(): void {
    if (this.#timeoutMs > longestTimerMs) return;
    const leftMs = this.#startMs + this.#timeoutMs - performance.now();
    this.#timer = setTimeout(() => this.#fire(new DeadlineExceededError(this.#timeoutMs)), Math.max(0, leftMs));
  }

  #fire(reason: FireReason): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    const listeners = this.#listeners;
    this.close();
    this.#controller?.abort(reason);
    for (const listener of listeners) listener(reason);
  }
}

/** The deadline of work outside any request: it never fires. */
export const noDeadline: Deadline = new Deadline(Number.POSITIVE_INFINITY);

const grpcUnitsMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 0.001, n: 0.000001 };

/**
 * Reads a `grpc-timeout` header: up to eight digits and a unit.
 *
 * @returns the time in ms, possibly a fraction; `undefined` for a malformed value
 * @see https://github.com/grpc/grpc/blob/v1.71.0/doc/PROTOCOL-HTTP2.md#requests
 */
export function parseGrpcTimeout(value: string): number | undefined {
  const match = /^(\d{1,8})([HMSmun])$/.exec(value);
  if (match === null) return undefined;
  return Number(match[1]) * (grpcUnitsMs[match[2] as string] as number);
}

/** Reads a `request-timeout` header: seconds, with or without a fraction. `undefined` for anything else. */
export function parseRequestTimeout(value: string): number | undefined {
  return /^\d{1,8}(\.\d{1,6})?$/.test(value) ? Number(value) * 1000 : undefined;
}
