import type { FastifyReply, FastifyRequest } from 'fastify';
import { parseRequestTimeout, runInContext, statusOfHttp, type RookeryError } from '../core/index.js';
import type { RequestGate } from '../pipeline/index.js';
import { type Exchange, exchangeOf, keepExchange } from './exchange.js';

// The paths of the probes are part of the contract (`health/`).
const probePrefix = '/health/';

/** Opens the context of a request and sees to its end. Returns why the request is not to be served, if it is not. */
export function openExchange(
  gate: RequestGate,
  request: FastifyRequest,
  reply: FastifyReply,
): RookeryError | undefined {
  const { headers } = request;
  const timeout = headers['request-timeout'];
  const context = gate.enter({
    face: 'http',
    operation: `${request.method} ${request.routeOptions?.url ?? '(no route)'}`,
    peer: request.ip,
    header: (name) => {
      const value = headers[name];
      return Array.isArray(value) ? value[0] : value;
    },
    timeoutMs: typeof timeout === 'string' ? parseRequestTimeout(timeout) : undefined,
    isStream: false,
    isProbe: request.url.startsWith(probePrefix),
  });
  const exchange: Exchange = { context, gate, failure: undefined };
  keepExchange(request.raw, exchange);
  void reply.header('x-request-id', context.requestId);
  // 'close' comes after the last byte as well as when the caller goes away.
  reply.raw.once('close', () => endExchange(exchange, reply));
  return context.isProbe ? undefined : gate.refusal();
}

function endExchange(exchange: Exchange, reply: FastifyReply): void {
  const { context, gate, failure } = exchange;
  // On HTTP/2 a stream that the caller reset counts as finished, too; but nobody has ended it.
  if (!reply.raw.writableEnded || !reply.raw.writableFinished) {
    context.deadline.cancel();
    gate.leave(context, { status: statusOfHttp(499), httpStatus: 499, reason: failure?.reason ?? 'CANCELLED' });
    return;
  }
  const httpStatus = reply.raw.statusCode;
  gate.leave(context, { status: failure?.status ?? statusOfHttp(httpStatus), httpStatus, reason: failure?.reason });
}

/** Goes on inside the request's context. */
export function resumeExchange(request: FastifyRequest, done: () => void): void {
  const exchange = exchangeOf(request.raw);
  if (exchange === undefined) done();
  else runInContext(exchange.context, done);
}
