import { METHODS } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  CancelledError,
  currentContext,
  type FireReason,
  parseRequestTimeout,
  type RookeryError,
  runInContext,
  statusOfHttp,
} from '../core/index.js';
import { type RequestGate, toFailure } from '../pipeline/index.js';
import { type Exchange, exchangeOf, keepExchange } from './exchange.js';
import { MalformedRequestTimeoutError } from './http.errors.js';
import type { RestRequest } from './rest-request.js';

// The paths of the probes are part of the contract (`health/`, `telemetry/`).
const probePrefix = '/health/';
const metricsPath = '/metrics';

const knownMethods: ReadonlySet<string> = new Set(METHODS);

/** What can break off one answer and no more. */
interface Cuttable {
  cut?(): void;
}

// Time that the answer to a passed deadline has to reach the caller, in ms.
const lastWordMs = 1000;

/** Opens the context of a request and sees to its end. Returns why the request is not to be served, if it is not. */
export function openExchange(
  gate: RequestGate,
  request: FastifyRequest,
  reply: FastifyReply,
): RookeryError | undefined {
  const { headers } = request;
  const timeout = headers['request-timeout'];
  const timeoutMs = typeof timeout === 'string' ? parseRequestTimeout(timeout) : undefined;
  // Fastify makes the object anew each time.
  const url = request.routeOptions?.url;
  const context = gate.enter({
    face: 'http',
    operation: operationOf(request.method, url),
    peer: request.ip,
    header: headerOf(headers),
    timeoutMs,
    isStream: false,
    isProbe: isProbe(url),
  });
  const exchange: Exchange = { context, gate, failure: undefined, isCut: false };
  keepExchange(request.raw, exchange);
  void reply.header('x-request-id', context.requestId);
  // 'close' comes after the last byte as well as when the caller goes away.
  reply.raw.once('close', () => {
    endExchange(exchange, reply);
  });
  cutAtDeadline(exchange, reply);
  const { refusal: broken } = request.raw as Partial<Pick<RestRequest, 'refusal'>>;
  if (broken !== undefined) {
    // Where the next request begins is not sure: a body may follow or not.
    if (request.raw.httpVersionMajor === 1) void reply.header('connection', 'close');
    return broken;
  }
  if (timeout !== undefined && timeoutMs === undefined) return new MalformedRequestTimeoutError(String(timeout));
  return context.isProbe ? undefined : gate.refusal();
}

// Apart, so that it holds the headers only.
function headerOf(headers: FastifyRequest['headers']): (name: string) => string | undefined {
  return (name) => {
    const value = headers[name];
    return Array.isArray(value) ? value[0] : value;
  };
}

/** Whether a route is a question about the process itself. */
export function isProbe(url: string | undefined): boolean {
  return url !== undefined && (url.startsWith(probePrefix) || url === metricsPath);
}

// A method that is on no list may be anything: what is logged and counted by it would have no end.
function operationOf(method: string, url: string | undefined): string {
  if (url !== undefined) return `${method} ${url}`;
  return knownMethods.has(method) ? `${method} (no route)` : '(no route)';
}

function cutAtDeadline(exchange: Exchange, reply: FastifyReply): void {
  exchange.context.deadline.onFire((reason) => meetDeadline(exchange, reply, reason));
}

/** A caller who does not read must not keep the request open: what has not been sent by the deadline is cut off. */
export function meetDeadline(exchange: Exchange, reply: FastifyReply, reason: FireReason): void {
  if (reason instanceof CancelledError) return;
  const cut = (): void => {
    exchange.failure ??= toFailure(reason);
    exchange.isCut = true;
    // On HTTP/2 the rest of the connection goes on.
    const raw = reply.raw as Cuttable & object;
    if (raw.cut === undefined) reply.raw.destroy();
    else raw.cut();
  };
  if (reply.raw.headersSent) {
    cut();
    return;
  }
  const timer = setTimeout(cut, lastWordMs);
  reply.raw.once('close', () => clearTimeout(timer));
}

/** The answer is out, or broken off. */
export function endExchange(exchange: Exchange, reply: FastifyReply): void {
  const { context, gate, failure } = exchange;
  if (exchange.isCut && failure !== undefined) {
    gate.leave(context, { status: failure.status, httpStatus: failure.httpStatus, reason: failure.reason });
    return;
  }
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
  if (exchange === undefined || currentContext() === exchange.context) done();
  else runInContext(exchange.context, done);
}
