import { ClientShareExceededError, type RookeryError } from '../core/index.js';
import { toFailure } from '../pipeline/index.js';
import { type Exchange, exchangeOf } from './exchange.js';
import { answerRaw, type RawResponse } from './raw-failure.js';
import type { RestRequest } from './rest-request.js';

// What sources of large pieces have read beyond those, as a rule.
const readAheadBytes = 65_536;

/** What the bounds need of a response. */
export interface BoundedResponse extends RawResponse {
  readonly req: RestRequest;
  readonly headersSent: boolean;
  cut(): void;
}

// Headers of the response that a refusal keeps.
const keptHeaders = /^(?:vary|access-control-|content-security-policy|strict-transport-security|x-)/;

function isKept(name: string): boolean {
  return keptHeaders.test(name);
}

/** The response is given, and the client has not taken all of it: the request is not at work any more. */
export function settleResponse({ req }: BoundedResponse): void {
  const exchange = exchangeOf(req);
  exchange?.gate.settle(exchange.context);
}

/** What writes the response has failed in the middle of it: it is broken off, and the error is reported. */
export function failResponse(response: BoundedResponse, error: unknown): void {
  const exchange = exchangeOf(response.req);
  if (exchange !== undefined) {
    exchange.failure = toFailure(error);
    exchange.isCut = true;
    exchange.gate.report(exchange.context, error, exchange.failure);
  }
  response.cut();
}

function roomRefusal({ gate, context }: Exchange, firstBytes: number): RookeryError | undefined {
  const refusal = gate.keep(context, Math.min(firstBytes, readAheadBytes)) ?? gate.keep(context, firstBytes);
  // What is written is counted where it waits.
  if (refusal === undefined) gate.keep(context, -firstBytes);
  return refusal;
}

/** The engine has broken the response off, as there was no room for what its client has not read. */
export function endWithoutRoom({ req }: Pick<BoundedResponse, 'req'>): void {
  const exchange = exchangeOf(req);
  if (exchange === undefined) return;
  exchange.failure ??= toFailure(new ClientShareExceededError('bytes', 'peer'));
  exchange.isCut = true;
}

/**
 * The response is about to be written in parts, and counts as a stream.
 *
 * @param firstBytes of its first piece; a client that does not take it at once needs room for it
 * @returns false: there is no room for it. It has been replaced by a refusal, or broken off where its headers are out
 */
export function openResponseStream(response: BoundedResponse, firstBytes: number): boolean {
  const exchange = exchangeOf(response.req);
  if (exchange === undefined || exchange.context.isProbe) return true;
  const { gate, context } = exchange;
  const refusal = gate.stream(context) ?? roomRefusal(exchange, firstBytes);
  if (refusal === undefined) return true;
  if (response.headersSent) {
    exchange.failure = toFailure(refusal);
    exchange.isCut = true;
    response.cut();
    return false;
  }
  answerRaw(response.req, response, refusal, isKept);
  return false;
}
