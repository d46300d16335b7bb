import { RookeryError, type RookeryErrorOptions } from './errors.js';
import { Status } from './status.js';

/** An undeclared failure. The caller learns the request id and nothing else; the log has the cause. */
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

  constructor(readonly timeoutMs: number) {
    super(`deadline exceeded after ${timeoutMs} ms`);
  }
}

/** The caller went away or cancelled the call; nobody sees the answer, the log does. */
export class CancelledError extends RookeryError {
  static override readonly reason = 'CANCELLED';
  static override readonly status = Status.Cancelled;

  constructor() {
    super('request cancelled by the caller');
  }
}

/** The process is stopping and takes no new work. Try again at once: another instance will answer. */
export class DrainingError extends RookeryError {
  static override readonly reason = 'DRAINING';
  static override readonly status = Status.Unavailable;

  constructor() {
    super('the service is shutting down', { retryAfterMs: 0 });
  }
}

/** The process already works on as many requests as `server.limits.maxConcurrentRequests` allows. Try again later. */
export class TooManyRequestsInFlightError extends RookeryError {
  static override readonly reason = 'TOO_MANY_REQUESTS_IN_FLIGHT';
  static override readonly status = Status.Unavailable;

  constructor(readonly limit: number) {
    super(`more than ${limit} requests in flight`, { retryAfterMs: 1000 });
  }
}

/**
 * The process already serves as many streams as `server.limits.maxConcurrentStreams` allows: streaming calls, and responses
 * that are written in parts. Try again later.
 */
export class TooManyStreamsError extends RookeryError {
  static override readonly reason = 'TOO_MANY_STREAMS';
  static override readonly status = Status.Unavailable;

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
