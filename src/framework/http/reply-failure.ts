import { validateHeaderName, validateHeaderValue } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CancelledError, newRequestId, RookeryError, weightedListOf } from '../core/index.js';
import { type Failure, isFastifyError, RequestTooLargeError, toFailure } from '../pipeline/index.js';
import { errorEnvelope, problem } from './envelope.js';
import { MalformedBodyError, MalformedUrlError, UnsupportedContentTypeError } from './http.errors.js';
import { blamed, exchangeOf, type RequestState } from './exchange.js';

/** Sends `error` as an envelope or, to who asks for it, as a problem document. Never throws. */
export function replyFailure(request: FastifyRequest, reply: FastifyReply, error: unknown): void {
  const exchange = exchangeOf(request.raw);
  const state: RequestState = request.raw;
  // What comes of it that the client went away is no failure of the handler.
  if (state.aborted) exchange?.context.deadline.cancel();
  const failure = toFailure(asOurs(request, error), exchange?.context.deadline);
  if (exchange !== undefined) {
    exchange.failure = blamed(failure, state, reply.raw);
    exchange.gate.report(exchange.context, error, failure);
  }
  if (reply.sent || reply.raw.headersSent) {
    // The answer is already on its way: all that is left is to make sure the caller does not take it for whole.
    if (reply.raw.writableEnded) return;
    if (exchange !== undefined) exchange.isCut = true;
    reply.raw.destroy();
    return;
  }
  // Fastify closes the connection after a body that no parser took; HTTP/2 has no such header, and Node warns of it.
  // Not on HTTP/1.1: a connection header that was ever removed is none that Node sends when the port drains.
  if (request.raw.httpVersionMajor === 2) reply.removeHeader('connection');
  // What the handler was about to send was coded so, and is not sent.
  reply.removeHeader('content-encoding');
  // The reason of the failure may be one of the headers, which would be in the way of telling it.
  if (failure.httpStatus >= 500) dropUnsendable(reply);
  const requestId = exchange?.context.requestId ?? newRequestId();
  const wantsProblem = acceptsProblem(request.headers.accept);
  void reply
    .code(failure.httpStatus)
    .headers(failureHeaders(failure))
    .type(wantsProblem ? 'application/problem+json; charset=utf-8' : 'application/json; charset=utf-8')
    .send(JSON.stringify(wantsProblem ? problem(failure, requestId) : errorEnvelope(failure, requestId)));
}

function dropUnsendable(reply: FastifyReply): void {
  for (const [name, value] of Object.entries(reply.getHeaders())) {
    try {
      validateHeaderName(name);
      for (const each of [value].flat()) validateHeaderValue(name, each as string);
    } catch {
      reply.removeHeader(name);
      reply.raw.removeHeader(name);
    }
  }
}

/** The headers of an error response that depend on the failure. */
export function failureHeaders(failure: Failure): Record<string, string> {
  const headers: Record<string, string> = { ...failure.httpHeaders, 'cache-control': 'no-store' };
  if (failure.retryAfterMs !== undefined) headers['retry-after'] = String(Math.ceil(failure.retryAfterMs / 1000));
  return headers;
}

const problemType = 'application/problem+json';

/** Whether a caller asks for problem documents: both types may be listed, and only who names that one gets it. */
export function acceptsProblem(accept: string | undefined): boolean {
  if (accept === undefined || !accept.toLowerCase().includes(problemType)) return false;
  return weightedListOf(accept).some(({ name, weight }) => name === problemType && weight > 0);
}

// Fastify refuses some requests itself; its codes are translated to our reasons here.
function asOurs(request: FastifyRequest, error: unknown): unknown {
  if (RookeryError.is(error) || !(error instanceof Error)) return error;
  const { code } = error as { code?: unknown };
  const state: RequestState = request.raw;
  // Node's own words for a caller who left in the middle of a body.
  if (code === 'ECONNRESET' && state.aborted && !state.complete) return new CancelledError();
  if (!isFastifyError(error)) return error;
  switch (code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new RequestTooLargeError(request.routeOptions?.bodyLimit ?? 0);
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new UnsupportedContentTypeError(request.headers['content-type']);
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return new MalformedBodyError('the body is not as long as content-length says');
    case 'FST_ERR_BAD_URL':
      return new MalformedUrlError();
    default:
      return error;
  }
}
