import { RookeryError, type RookeryErrorOptions } from './errors.js';
import type { Fault } from './fault.js';
import { Status } from './status.js';

/**
 * An undeclared failure. The service is at fault: report the request id, which is all that the client learns; the log has
 * the cause. A retry helps seldom.
 */
export class InternalError extends RookeryError {
  static override readonly reason = 'INTERNAL';
  static override readonly status = Status.Internal;

  constructor(options: RookeryErrorOptions = {}) {
    super('internal error', options);
  }
}

/** The request's deadline passed before there was an answer. Try again with more time, or ask for less. */
export class DeadlineExceededError extends RookeryError {
  static override readonly reason = 'DEADLINE_EXCEEDED';
  static override readonly status = Status.DeadlineExceeded;

  readonly #fault: Fault | undefined;

  /** @param fault whose it is that there was no answer, where that is known; otherwise the request's deadline tells */
  constructor(
    readonly timeoutMs: number,
    fault?: Fault,
  ) {
    super(`deadline exceeded after ${timeoutMs} ms`);
    this.#fault = fault;
  }

  override get fault(): Fault | undefined {
    return this.#fault;
  }
}

/** The caller went away or cancelled the call; nobody sees the answer, the log does. */
export class CancelledError extends RookeryError {
  static override readonly reason = 'CANCELLED';
  static override readonly status = Status.Cancelled;
  static override readonly fault = 'client';

  constructor() {
    super('request cancelled by the caller');
  }
}

/** The process is stopping and takes no new work. Try again at once: another instance will answer. */
export class DrainingError extends RookeryError {
  static override readonly reason = 'DRAINING';
  static override readonly status = Status.Unavailable;
  static override readonly fault = 'load';

  constructor() {
    super('the service is shutting down', { retryAfterMs: 0 });
  }
}

/** The process already works on as many requests as `server.limits.maxConcurrentRequests` allows. Try again later. */
export class TooManyRequestsInFlightError extends RookeryError {
  static override readonly reason = 'TOO_MANY_REQUESTS_IN_FLIGHT';
  static override readonly status = Status.Unavailable;
  static override readonly fault = 'load';

  constructor(readonly limit: number) {
    super(`more than ${limit} requests in flight`, { retryAfterMs: 1000 });
  }
}

/**
 * Another service that this one needs cannot be reached, is not available, or did not answer in time. Try again later; the
 * log has its address and its words.
 */
export class UpstreamUnavailableError extends RookeryError {
  static override readonly reason = 'UPSTREAM_UNAVAILABLE';
  static override readonly status = Status.Unavailable;
  static override readonly fault = 'upstream';

  constructor(options: RookeryErrorOptions = {}) {
    super('a service that this one needs is not available', options);
  }
}

/**
 * Another service that this one needs refused the call or failed. The log has its address and its words; a handler that
 * wants its client to have them throws `passOn(error)`.
 */
export class UpstreamFailedError extends RookeryError {
  static override readonly reason = 'UPSTREAM_FAILED';
  static override readonly status = Status.Internal;
  static override readonly fault = 'upstream';

  constructor(options: RookeryErrorOptions = {}) {
    super('a service that this one needs has failed', options);
  }
}

/**
 * The process already serves as many streams as `server.limits.maxConcurrentStreams` allows: streaming calls, and responses
 * that are written in parts. Try again later.
 */
export class TooManyStreamsError extends RookeryError {
  static override readonly reason = 'TOO_MANY_STREAMS';
  static override readonly status = Status.Unavailable;
  static override readonly fault = 'load';

  constructor(readonly limit: number) {
    super(`more than ${limit} streams`, { retryAfterMs: 1000 });
  }
}

/**
 * As many requests as `server.limits.maxWaitingRequests` allows wait for their clients: for the rest of the body, or for the
 * response to be read. Try again later.
 */
export class TooManyWaitingRequestsError extends RookeryError {
  static override readonly reason = 'TOO_MANY_WAITING_REQUESTS';
  static override readonly status = Status.Unavailable;
  static override readonly fault = 'load';

  constructor(readonly limit: number) {
    super(`more than ${limit} requests waiting for their clients`, { retryAfterMs: 1000 });
  }
}

/**
 * Bodies and responses on their way take as much memory as `server.limits.maxBufferedBytes` allows. Try again later, and
 * read responses as they come.
 */
export class TooManyBytesBufferedError extends RookeryError {
  static override readonly reason = 'TOO_MANY_BYTES_BUFFERED';
  static override readonly status = Status.Unavailable;
  static override readonly fault = 'load';

  constructor(readonly limit: number) {
    super(`more than ${limit} bytes buffered`, { retryAfterMs: 1000 });
  }
}

/**
 * The client, told apart by its address or by its connection, uses as much as its share of a bound allows
 * (`server.limits.peerShare`, `server.limits.connectionShare`); `metadata.bound` names the bound, `metadata.scope` what the
 * share is of. Wait for what runs, read responses as they come, and try again.
 */
export class ClientShareExceededError extends RookeryError {
  static override readonly reason = 'CLIENT_SHARE_EXCEEDED';
  static override readonly status = Status.ResourceExhausted;

  constructor(bound: string, scope: 'peer' | 'connection') {
    super(`share of this ${scope} exceeded: ${bound}`, { metadata: { bound, scope }, retryAfterMs: 1000 });
  }
}
