import { CancelledError, DeadlineExceededError, type DrainingError } from './core.errors.js';
import { TimerWheel, WheelEntry } from './timer-wheel.js';

/** Why a deadline fires. */
export type FireReason = DeadlineExceededError | CancelledError | DrainingError;

/** Told when a deadline fires. */
export interface DeadlineWatcher {
  onFire(reason: FireReason): void;
}

const wheel = new TimerWheel();

// 2^31 - 1 ms is the longest delay of a Node timer, 24.8 days; more counts as no limit.
const longestTimerMs = 0x7fffffff;

// Later than that, the event loop was blocked: the wheel is a few ms late at most.
const blockedMs = 250;

/**
 * The time limit of one request and the `AbortSignal` that fires when it passes or the caller goes away.
 * The signal is made on first use, and all limits share one timer: a handler that never looks pays for next to nothing.
 * It fires at most a few ms late, and keeps no process running. A limit that neither client nor route has set does not
 * count a time in which the event loop was blocked, once: an event loop that is blocked again and again is overload.
 *
 * `signal.reason` is a `DeadlineExceededError`, a `CancelledError`, or a `DrainingError` at the end of the process's grace.
 */
export class Deadline extends WheelEntry {
  readonly #startMs: number;
  readonly #isCallers: boolean;
  #ownMs: number | null;
  #timeoutMs: number;
  #isAdjusted = false;
  #isExtended = false;
  #controller: AbortController | undefined;
  #reason: FireReason | undefined;
  #watcher: DeadlineWatcher | undefined;
  #listeners: ((reason: FireReason) => void)[] | undefined;

  /**
   * @param timeoutMs from `startMs`, in ms, 0 or more; `Infinity` for no limit
   * @param isCallers whether the caller asked for this limit; the service may then shorten it, not lengthen it
   * @param startMs now, on the clock of `performance.now()`, where it has been read already
   * @param ownMs   the service's own limit; `null` where the client decides how long it takes, as for a stream
   */
  constructor(
    timeoutMs: number,
    isCallers = false,
    startMs: number = performance.now(),
    ownMs: number | null = timeoutMs,
  ) {
    super();
    this.#startMs = startMs;
    this.#timeoutMs = timeoutMs;
    this.#isCallers = isCallers;
    this.#ownMs = ownMs;
    this.#arm(startMs);
  }

  /** Sets the service's own limit, in ms since the start; a limit the caller asked for stays if it is shorter. */
  adjust(timeoutMs: number): void {
    if (this.#reason !== undefined) return;
    this.#isAdjusted = true;
    if (this.#ownMs !== null) this.#ownMs = timeoutMs;
    const next = this.#isCallers ? Math.min(timeoutMs, this.#timeoutMs) : timeoutMs;
    if (next === this.#timeoutMs) return;
    this.#timeoutMs = next;
    wheel.remove(this);
    this.#arm(performance.now());
  }

  /** Whether it is the limit of all requests: neither the client nor the route has set one. */
  get isDefault(): boolean {
    return !this.#isCallers && !this.#isAdjusted;
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

  /** Whether its passing is the client's doing: it is shorter than the service's own limit, or the client went away. */
  get isClients(): boolean {
    return this.#ownMs === null || this.#timeoutMs < this.#ownMs || this.#reason instanceof CancelledError;
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
    this.#listeners ??= [];
    this.#listeners.push(listener);
    return () => {
      const at = this.#listeners?.indexOf(listener) ?? -1;
      if (at >= 0) this.#listeners?.splice(at, 1);
    };
  }

  /** As `onFire`, for the one that serves the request: it is told first, and cannot take it back. */
  watch(watcher: DeadlineWatcher): void {
    if (this.#reason === undefined) this.#watcher = watcher;
    else watcher.onFire(this.#reason);
  }

  /** The caller went away. Later calls, and calls after the deadline, change nothing. */
  cancel(): void {
    this.#fire(new CancelledError());
  }

  /** The process stops waiting for the request. Calls after the deadline, or after a cancellation, change nothing. */
  interrupt(reason: DrainingError): void {
    this.#fire(reason);
  }

  /** The request is answered: no time limit and no listener stays. May be called twice. */
  close(): void {
    wheel.remove(this);
    this.#watcher = undefined;
    this.#listeners = undefined;
  }

  /** @internal */
  override onDue(): void {
    const lateMs = performance.now() - this.atMs;
    if (lateMs > blockedMs && this.isDefault && !this.#isExtended) {
      this.#isExtended = true;
      // The process did other things all that time: it is not the request that was slow. What has arrived is read first.
      this.#timeoutMs += lateMs + blockedMs;
      this.#arm(performance.now());
      return;
    }
    this.#fire(new DeadlineExceededError(this.#timeoutMs, this.isClients ? 'client' : 'service'));
  }

  #arm(nowMs: number): void {
    if (this.#timeoutMs <= longestTimerMs) wheel.add(this, this.atMs, nowMs);
  }

  #fire(reason: FireReason): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    const watcher = this.#watcher;
    const listeners = this.#listeners;
    this.close();
    this.#controller?.abort(reason);
    watcher?.onFire(reason);
    if (listeners !== undefined) for (const listener of listeners) listener(reason);
  }
}

/** The deadline of work outside any request: it never fires. */
export const noDeadline: Deadline = new Deadline(Number.POSITIVE_INFINITY);

/**
 * Reads a `grpc-timeout` header: up to eight digits and a unit.
 *
 * @returns the time in ms, possibly a fraction; `undefined` for a malformed value
 * @see https://github.com/grpc/grpc/blob/v1.71.0/doc/PROTOCOL-HTTP2.md#requests
 */
export function parseGrpcTimeout(value: string): number | undefined {
  const last = value.length - 1;
  if (last < 1 || last > 8) return undefined;
  // By hand: it is read once for each call, and a regular expression takes ten times as long.
  let amount = 0;
  for (let at = 0; at < last; at += 1) {
    const digit = value.charCodeAt(at) - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    amount = amount * 10 + digit;
  }
  switch (value[last]) {
    case 'H':
      return amount * 3_600_000;
    case 'M':
      return amount * 60_000;
    case 'S':
      return amount * 1000;
    case 'm':
      return amount;
    case 'u':
      return amount / 1000;
    case 'n':
      return amount / 1_000_000;
    default:
      return undefined;
  }
}

/** Reads a `request-timeout` header: seconds, with or without a fraction. `undefined` for anything else. */
export function parseRequestTimeout(value: string): number | undefined {
  return /^\d{1,8}(\.\d{1,6})?$/.test(value) ? Number(value) * 1000 : undefined;
}
