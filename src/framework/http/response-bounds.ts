import { toFailure } from '../pipeline/index.js';
import { exchangeOf } from './exchange.js';
import { answerRaw, type RawResponse } from './raw-failure.js';
import type { RestRequest } from './rest-request.js';

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

/**
 * The response is about to be written in parts, and counts as a stream.
 *
 * @param readAhead bytes in memory that its source has read beyond what is written
 * @returns false: there is no room for it. It has been replaced by a refusal, or broken off where its headers are out
 */
export function openResponseStream(response: BoundedResponse, readAhead: number): boolean {
  const exchange = exchangeOf(response.req);
  if (exchange === undefined || exchange.context.isProbe) return true;
  const { gate, context } = exchange;
  const refusal = gate.stream(context) ?? gate.keep(context, readAhead);
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
