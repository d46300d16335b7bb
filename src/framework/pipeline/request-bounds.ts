import {
  Bound,
  type BoundId,
  boundNames,
  ClientShareExceededError,
  type FullBy,
  type Holder,
  type RookeryError,
  type ShareLimits,
  type Shares,
  TooManyBytesBufferedError,
  TooManyRequestsInFlightError,
  TooManyStreamsError,
  TooManyWaitingRequestsError,
} from '../core/index.js';
import type { LimitOptions } from './pipeline.options.js';

// Of all connections, those that have not spoken yet: what is left serves the clients that have.
const handshakesPart = 0.5;

/** What `Shares` is told of the options. */
export function shareLimitsOf(limits: LimitOptions, maxConnections: number): ShareLimits {
  return {
    limits: [
      limits.maxConcurrentRequests,
      limits.maxConcurrentStreams,
      limits.maxWaitingRequests,
      limits.maxBufferedBytes,
      maxConnections,
      Math.ceil(maxConnections * handshakesPart),
    ],
    peerShare: limits.peerShare,
    connectionShare: limits.connectionShare,
  };
}

/** What one request holds of the bounds. */
export interface Held {
  readonly holder: Holder;
  /** `undefined`: it is in no bound. */
  bound: BoundId | undefined;
  /** Bytes of its body in memory. */
  bytes: number;
}

/** Moves requests from bound to bound as they go on: each of them is in one at most. */
export class RequestBounds {
  readonly #shares: Shares;

  constructor(shares: Shares) {
    this.#shares = shares;
  }

  /**
   * Takes room for a request, or says why there is none.
   *
   * @param isWhole  nothing more is to come of it
   */
  admit(held: Held, isStream: boolean, isWhole: boolean): RookeryError | undefined {
    const { holder } = held;
    const isFull = this.#look(Bound.bytes, holder) ?? (isStream ? undefined : this.#look(Bound.waiting, holder));
    if (isFull !== undefined) return isFull;
    if (isStream) return this.#enter(held, Bound.streams);
    if (isWhole) return this.#enter(held, Bound.requests);
    return this.#look(Bound.requests, holder) ?? this.#enter(held, Bound.waiting);
  }

  /**
   * The same for a probe, which is served however many requests others have open. It is refused only where its own peer or
   * connection has used up its share with such probes: open watches, or messages that have not come.
   */
  admitProbe(held: Held, isStream: boolean): RookeryError | undefined {
    const bound = isStream ? Bound.streams : Bound.waiting;
    const { holder } = held;
    const isFull = this.#shares.hasLittle(bound, holder) ? undefined : this.#look(bound, holder);
    if (isFull !== undefined) return isFull;
    this.#shares.add(bound, holder, 1);
    held.bound = bound;
    return undefined;
  }

  /** All of a probe has come. */
  beginProbe(held: Held): void {
    if (held.bound === Bound.waiting) this.leave(held);
  }

  /** All of the request has come, and been read. */
  begin(held: Held): RookeryError | undefined {
    this.#drop(held);
    return held.bound === Bound.waiting ? this.#move(held, Bound.requests) : undefined;
  }

  /** The response is written in parts, or the request is read in parts. */
  stream(held: Held): RookeryError | undefined {
    return held.bound === undefined || held.bound === Bound.streams ? undefined : this.#move(held, Bound.streams);
  }

  /** The response is given, and the client has not read it. */
  settle(held: Held): void {
    if (held.bound !== Bound.requests) return;
    this.#shares.add(Bound.requests, held.holder, -1);
    this.#shares.add(Bound.waiting, held.holder, 1);
    held.bound = Bound.waiting;
  }

  /** So many bytes more of the body are kept in memory, or fewer where negative. */
  keep(held: Held, bytes: number): RookeryError | undefined {
    const { holder } = held;
    if (holder.isClosed) return undefined;
    const by = bytes > 0 ? this.#shares.take(Bound.bytes, holder, bytes) : undefined;
    if (by !== undefined) return this.#error(Bound.bytes, by);
    if (bytes < 0) this.#shares.add(Bound.bytes, holder, bytes);
    held.bytes += bytes;
    return undefined;
  }

  /** The request is over. */
  leave(held: Held): void {
    this.#drop(held);
    if (held.bound === undefined) return;
    this.#shares.add(held.bound, held.holder, -1);
    held.bound = undefined;
  }

  #drop(held: Held): void {
    if (held.bytes === 0) return;
    held.holder.charge(-held.bytes);
    held.bytes = 0;
  }

  #move(held: Held, bound: BoundId): RookeryError | undefined {
    const by = this.#shares.take(bound, held.holder);
    if (by !== undefined) return this.#error(bound, by);
    if (held.bound !== undefined) this.#shares.add(held.bound, held.holder, -1);
    held.bound = bound;
    return undefined;
  }

  #enter(held: Held, bound: BoundId): RookeryError | undefined {
    const by = this.#shares.take(bound, held.holder);
    if (by !== undefined) return this.#error(bound, by);
    held.bound = bound;
    return undefined;
  }

  #look(bound: BoundId, holder: Holder): RookeryError | undefined {
    const by = this.#shares.full(bound, holder);
    if (by === undefined) return undefined;
    this.#shares.refuse(bound, by);
    return this.#error(bound, by);
  }

  #error(bound: BoundId, by: FullBy): RookeryError {
    // The stack would name the gate alone, and looking through it costs more than the rest of the refusal.
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    try {
      return by === 'process' ? processError(bound, this.#shares.limits[bound] as number) : shareError(bound, by);
    } finally {
      Error.stackTraceLimit = stackTraceLimit;
    }
  }
}

function shareError(bound: BoundId, scope: 'peer' | 'connection'): RookeryError {
  return new ClientShareExceededError(boundNames[bound] as string, scope);
}

function processError(bound: BoundId, limit: number): RookeryError {
  if (bound === Bound.streams) return new TooManyStreamsError(limit);
  if (bound === Bound.waiting) return new TooManyWaitingRequestsError(limit);
  return bound === Bound.bytes ? new TooManyBytesBufferedError(limit) : new TooManyRequestsInFlightError(limit);
}
