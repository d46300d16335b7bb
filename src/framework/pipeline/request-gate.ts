import {
  Deadline,
  DrainingError,
  type Face,
  type Lifecycle,
  type Live,
  RequestContext,
  type RequestContextInit,
  requestEndChannel,
  requestFaultChannel,
  TooManyRequestsInFlightError,
} from '../core/index.js';
import type { Failure } from './failure.js';
import type { LimitOptions } from './pipeline.options.js';

/** What a face knows of a request before anything is decided about it. */
export interface Arrival {
  readonly face: Face;
  readonly operation: string;
  readonly peer: string;
  readonly header: (name: string) => string | undefined;
  /** The limit the caller asked for, in ms. */
  readonly timeoutMs: number | undefined;
  /** Streams have a longer default limit. */
  readonly isStream: boolean;
  /** A question about the process's health. */
  readonly isProbe: boolean;
}

/** How a request ended. */
export interface Outcome {
  readonly status: number;
  readonly httpStatus: number;
  readonly reason: string | undefined;
}

// What the gate knows of a request besides: a watch on health must neither use up the limit nor hold up the drain.
class OpenRequest extends RequestContext {
  isOpen = true;
  readonly isCounted: boolean;

  constructor(init: RequestContextInit, isCounted: boolean) {
    super(init);
    this.isCounted = isCounted;
  }
}

/**
 * The first and the last room of the pipeline: counts requests, holds the concurrency limit, opens the context,
 * and tells the world when a request is over.
 */
export class RequestGate {
  readonly #lifecycle: Lifecycle;
  readonly #limits: Live<LimitOptions>;

  constructor(lifecycle: Lifecycle, limits: Live<LimitOptions>) {
    this.#lifecycle = lifecycle;
    this.#limits = limits;
  }

  /** Opens the context of a request. Pair it with exactly one `leave()`; what refuses the request is `refusal()`. */
  enter(arrival: Arrival): RequestContext {
    const limits = this.#limits.value;
    const startedAtMs = performance.now();
    const { face, operation, peer, header, timeoutMs, isStream, isProbe } = arrival;
    const ownMs = isStream ? limits.streamTimeoutMs : limits.requestTimeoutMs;
    const deadline =
      timeoutMs === undefined
        ? new Deadline(ownMs, false, startedAtMs)
        : new Deadline(Math.min(timeoutMs, limits.maxTimeoutMs), true, startedAtMs);
    if (!isProbe) this.#lifecycle.begin();
    const lifecycle = this.#lifecycle;
    return new OpenRequest({ face, operation, peer, header, deadline, isProbe, startedAtMs, lifecycle }, !isProbe);
  }

  /** Why a request that has just entered is not to be served, or `undefined`. Probes are served all the same. */
  refusal(): DrainingError | TooManyRequestsInFlightError | undefined {
    if (this.#lifecycle.phase === 'stopped') return new DrainingError();
    const limit = this.#limits.value.maxConcurrentRequests;
    return this.#lifecycle.inFlight > limit ? new TooManyRequestsInFlightError(limit) : undefined;
  }

  /** Closes the context. A second call changes nothing: answer, abort and error may all report the end. */
  leave(context: RequestContext, outcome: Outcome): void {
    if (!(context instanceof OpenRequest) || !context.isOpen) return;
    context.isOpen = false;
    context.deadline.close();
    if (context.isCounted) this.#lifecycle.end();
    if (!requestEndChannel.hasSubscribers) return;
    const { status, httpStatus, reason } = outcome;
    const durationMs = performance.now() - context.startedAtMs;
    requestEndChannel.publish({ context, status, httpStatus, durationMs, reason });
  }

  /** Reports what the caller is not told. */
  report(context: RequestContext | undefined, error: unknown, failure: Failure): void {
    if (failure.isFault && requestFaultChannel.hasSubscribers) requestFaultChannel.publish({ context, error });
  }
}
