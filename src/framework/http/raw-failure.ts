import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { newRequestId } from '../core/index.js';
import { toFailure } from '../pipeline/index.js';
import { errorEnvelope, problem } from './envelope.js';
import { blamed, exchangeOf, type RequestState, type ResponseState } from './exchange.js';
import { acceptsProblem, failureHeaders } from './reply-failure.js';

/** What is needed of a response of which nothing has been sent. */
export interface RawResponse extends ResponseState {
  getHeaderNames(): string[];
  removeHeader(name: string): void;
  writeHead(status: number, headers: OutgoingHttpHeaders): unknown;
  end(body: Uint8Array): unknown;
}

/**
 * Sends `error` past Fastify, where the application does not respond itself: as an envelope, or as a problem document to
 * a client that asks for one. Nothing of the response may have been sent.
 *
 * @param isKept which headers of the response the refusal keeps; none where it is left out
 */
export function answerRaw(
  request: Pick<IncomingMessage, 'headers'> & RequestState,
  response: RawResponse,
  error: unknown,
  isKept: (name: string) => boolean = () => false,
): void {
  const exchange = exchangeOf(request);
  const failure = blamed(toFailure(error, exchange?.context.deadline), request, response);
  if (exchange !== undefined) exchange.failure = failure;
  const requestId = exchange?.context.requestId ?? newRequestId();
  const asProblem = acceptsProblem(request.headers.accept);
  // They belong to what the handler was about to send, and one that cannot be sent would be in the way.
  for (const name of response.getHeaderNames()) if (!isKept(name)) response.removeHeader(name);
  const body = Buffer.from(JSON.stringify(asProblem ? problem(failure, requestId) : errorEnvelope(failure, requestId)));
  response.writeHead(failure.httpStatus, {
    ...failureHeaders(failure),
    'x-request-id': requestId,
    'content-type': `application/${asProblem ? 'problem+json' : 'json'}; charset=utf-8`,
    'content-length': body.length,
  });
  response.end(body);
}
