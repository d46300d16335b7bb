import { toFailure } from '../pipeline/index.js';
import { errorEnvelope } from './envelope.js';
import { exchangeOf } from './exchange.js';
import type { RestRequest } from './rest-request.js';

/** What the bounds need of a response. */
export interface BoundedResponse {
  readonly req: RestRequest;
  readonly headersSent: boolean;
  getHeaderNames(): string[];
  removeHeader(name: string): void;
  writeHead(statusCode: number, headers: Record<string, string>): unknown;
  end(body: string): unknown;
  cut(): void;
}

// Headers of the response that a refusal keeps.
const keptHeaders = /^(?:x-request-id|vary|access-control-|content-security-policy|strict-transport-security|x-)/;

/** The response is given, and the client has not taken all of it: the request is not at work any more. */
export function settleResponse({ req }: BoundedResponse): void {
  const exchange = exchangeOf(req);
  exchange?.gate.settle(exchange.context);
}

/**
 * The response is about to be written in parts, and counts as a stream.
 *
 * @returns false: there is no room for it. It has been replaced by a refusal, or broken off where its headers are out
 */
export function openResponseStream(response: BoundedResponse): boolean {
  const exchange = exchangeOf(response.req);
  if (exchange === undefined || exchange.context.isProbe) return true;
  const refusal = exchange.gate.stream(exchange.context);
  if (refusal === undefined) return true;
  const failure = toFailure(refusal);
  exchange.failure = failure;
  if (response.headersSent) {
    exchange.isCut = true;
    response.cut();
    return false;
  }
  for (const name of response.getHeaderNames()) if (!keptHeaders.test(name)) response.removeHeader(name);
  response.writeHead(failure.httpStatus, {
    ...failure.httpHeaders,
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-store',
    'retry-after': String(Math.ceil((failure.retryAfterMs ?? 0) / 1000)),
  });
  response.end(JSON.stringify(errorEnvelope(failure, exchange.context.requestId)));
  return false;
}
