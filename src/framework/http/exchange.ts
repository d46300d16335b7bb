import { type RequestContext, Status } from '../core/index.js';
import type { Failure, RequestGate } from '../pipeline/index.js';

/** What the REST side remembers of one request and its answer. */
export interface Exchange {
  readonly context: RequestContext;
  readonly gate: RequestGate;
  /** Set when an error was answered. */
  failure: Failure | undefined;
  /** The deadline passed, or the handler failed, before the answer was out; the rest of it was not sent. */
  isCut: boolean;
  /** The process has ended the response in good order; what the handler still writes is not sent. */
  isEnded: boolean;
}

/** What a request object tells about the client's part. */
export interface RequestState {
  /** The client went away before the response was whole. */
  readonly aborted: boolean;
  /** The whole body has come. */
  readonly complete: boolean;
}

/** What a response object tells about the client's part. */
export interface ResponseState {
  readonly writableEnded: boolean;
  readonly writableNeedDrain: boolean;
}

/**
 * The same failure, with the client to blame where a time limit passed while the service waited for it: for the rest of
 * the body, or to read what has been written.
 */
export function blamed(failure: Failure, request: RequestState, response: ResponseState): Failure {
  if (failure.status !== Status.DeadlineExceeded || failure.fault !== 'service') return failure;
  const isWaiting = !request.complete || response.writableEnded || response.writableNeedDrain;
  return isWaiting ? { ...failure, fault: 'client' } : failure;
}

const exchangeKey = Symbol('rookery.exchange');

/** Ties an exchange to the request object, which every layer of Fastify and Nest hands on. */
export function keepExchange(raw: object, exchange: Exchange): void {
  (raw as { [exchangeKey]?: Exchange })[exchangeKey] = exchange;
}

/** The exchange of a request, or `undefined` when it was refused before one was opened. */
export function exchangeOf(raw: object): Exchange | undefined {
  return (raw as { [exchangeKey]?: Exchange })[exchangeKey];
}
