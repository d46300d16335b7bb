import {
  type BoundId,
  Deadline,
  DrainingError,
  type Face,
  type Fault,
  Holder,
  type Lifecycle,
  type Live,
  RequestContext,
  type RequestContextInit,
  requestEndChannel,
  requestFaultChannel,
  type RookeryError,
  Shares,
} from '../core/index.js';
import { readClock, stepClock } from '../wire/index.js';
import type { Failure } from './failure.js';
import { upstreamOf } from './foreign-error.js';
import type { LimitOptions } from './pipeline.options.js';
import { type Held, RequestBounds, shareLimitsOf } from './request-bounds.js';

/** What a face knows of a request before anything is decided about it. */
export interface Arrival {
  readonly face: Face;
  readonly operation: string;
  readonly peer: string;
  /** What the connection is counted by: its `Holder`, or anything else where it has none. */
  readonly account?: unknown;
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
  readonly fault: Fault | undefined;
}

// What the gate knows of a request besides: a watch on health must neither use up the limit nor hold up the drain.
class OpenRequest extends RequestContext implements Held {
  readonly isCounted: boolean;
  readonly holder: Holder;
  bound: BoundId | undefined = undefined;
  bytes = 0;

  constructor(init: RequestContextInit, isCounted: boolean, holder: Holder) {
    super(init);
    this.isCounted = isCounted;
    this.holder = holder;
  }
}

/**
 * The first and the last room of the pipeline: counts requests, holds the bounds of the process, of peers and of
 * connections, opens the context, and tells the world when a request is over.
 */
export class RequestGate {
  readonly #lifecycle: Lifecycle;
  readonly #limits: Live<LimitOptions>;
  readonly #shares: Shares;
  readonly #bounds: RequestBounds;

  /** @param shares of the port, which keeps them to the options; without them there are limits alone */
  constructor(lifecycle: Lifecycle, limits: Live<LimitOptions>, shares?: Shares) {
    this.#lifecycle = lifecycle;
    this.#limits = limits;
    this.#shares = shares ?? sharesOf(limits);
    this.#bounds = new RequestBounds(this.#shares);
  }

  /** Opens the context of a request. Pair it with exactly one `leave()`; whether it is served is `admit()`'s to say. */
  enter(arrival: Arrival): RequestContext {
    const limits = this.#limits.value;
    const startedAtMs = stepClock();
    const { face, operation, peer, account, header, timeoutMs, isStream, isProbe } = arrival;
    const ownMs = isStream ? limits.streamTimeoutMs : limits.requestTimeoutMs;
    const deadline =
      timeoutMs === undefined
        ? new Deadline(ownMs, false, startedAtMs, isStream ? null : ownMs)
        : new Deadline(Math.min(timeoutMs, limits.maxTimeoutMs), true, startedAtMs, isStream ? null : ownMs);
    if (!isProbe) this.#lifecycle.begin();
    const lifecycle = this.#lifecycle;
    // Of a client behind a trusted proxy, the connection is the proxy's: it counts by its own address.
    const holder = account instanceof Holder && account.address === peer ? account : this.#shares.open(peer, true);
    const init = { face, operation, peer, header, deadline, isProbe, isStream, startedAtMs, lifecycle };
    return new OpenRequest(init, !isProbe, holder);
  }

  /**
   * Counts a request that has entered. Returns why it is not to be served, or `undefined`. Probes on REST have no body to wait
   * for, and are not counted; those on gRPC are until their message has come, or while they watch.
   *
   * @param isWhole  all of the request has come; otherwise `begin()` follows when it has
   */
  admit(context: RequestContext, isWhole: boolean): RookeryError | undefined {
    const isOpen = context instanceof OpenRequest && context.isOpen;
    if (context.isProbe) return isOpen ? this.#bounds.admitProbe(context, context.isStream) : undefined;
    if (this.#lifecycle.phase === 'stopped') return new DrainingError();
    return isOpen ? this.#bounds.admit(context, context.isStream, isWhole) : undefined;
  }

  /** All of the request has come, and been read: it is to be worked on. Returns why that cannot be, or `undefined`. */
  begin(context: RequestContext): RookeryError | undefined {
    if (!(context instanceof OpenRequest)) return undefined;
    if (!context.isProbe) return this.#bounds.begin(context);
    this.#bounds.beginProbe(context);
    return undefined;
  }

  /** From now on the request is a stream: its response is written in parts. Returns why that cannot be, or `undefined`. */
  stream(context: RequestContext): RookeryError | undefined {
    if (!(context instanceof OpenRequest) || !context.isOpen || context.isStream) return undefined;
    const refusal = this.#bounds.stream(context);
    if (refusal !== undefined) return refusal;
    context.isStream = true;
    context.lease = context.lease?.toStream();
    return undefined;
  }

  /** The response is given, and waits for the client to read it. */
  settle(context: RequestContext): void {
    if (context instanceof OpenRequest && context.isOpen) this.#bounds.settle(context);
  }

  /**
   * So many bytes more of the request are kept in memory, until `begin()` or `leave()`; fewer where negative.
   * Returns why that cannot be, or `undefined`.
   */
  keep(context: RequestContext, bytes: number): RookeryError | undefined {
    return context instanceof OpenRequest && context.isOpen ? this.#bounds.keep(context, bytes) : undefined;
  }

  /**
   * Closes the context. A second call changes nothing: answer, abort and error may all report the end.
   *
   * @param endedAtMs now, where the clock has been read already
   */
  leave(context: RequestContext, outcome: Outcome, endedAtMs?: number): void {
    if (!(context instanceof OpenRequest) || !context.isOpen) return;
    context.isOpen = false;
    context.deadline.close();
    this.#bounds.leave(context);
    if (context.holder.isOfRequest) context.holder.close();
    context.lease?.end();
    if (context.isCounted) this.#lifecycle.end();
    if (!requestEndChannel.hasSubscribers) return;
    const { status, httpStatus, reason, fault } = outcome;
    const nowMs = endedAtMs ?? readClock();
    const durationMs = nowMs - context.startedAtMs;
    const { isStream, receivedAtMs, answeredAtMs = nowMs } = context;
    const serviceMs = isStream || answeredAtMs === null ? undefined : answeredAtMs - receivedAtMs;
    requestEndChannel.publish({ context, status, httpStatus, durationMs, serviceMs, reason, fault });
  }

  /** Reports what the caller is not told. */
  report(context: RequestContext | undefined, error: unknown, failure: Failure): void {
    if (!failure.isFault || !requestFaultChannel.hasSubscribers) return;
    requestFaultChannel.publish({ context, error, fault: failure.fault ?? 'service', upstream: upstreamOf(error) });
  }
}

function sharesOf(limits: Live<LimitOptions>): Shares {
  const shares = new Shares(shareLimitsOf(limits.value, Number.POSITIVE_INFINITY));
  limits.subscribe((next) => shares.adjust(shareLimitsOf(next, Number.POSITIVE_INFINITY)));
  return shares;
}
