import { METHODS } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { currentContext, parseRequestTimeout, type RookeryError, runInContext } from '../core/index.js';
import type { RequestGate } from '../pipeline/index.js';
import { type Exchange, exchangeOf, keepExchange } from './exchange.js';
import { endExchange, meetDeadline } from './exchange-end.js';
import { MalformedRequestTimeoutError } from './http.errors.js';
import { peerOf } from './request-peer.js';
import { RestRequest } from './rest-request.js';

// The paths of the probes are part of the contract (`health/`, `telemetry/`).
const probePaths: ReadonlySet<string> = new Set(['/health/live', '/health/ready', '/health/startup', '/metrics']);

const knownMethods: ReadonlySet<string> = new Set(METHODS);

/**
 * Opens the context of a request and sees to its end.
 *
 * @param routeMs the route's own limit, in ms; that of all requests when left out
 * @returns why the request is not to be served, if it is not
 */
export function openExchange(
  gate: RequestGate,
  request: FastifyRequest,
  reply: FastifyReply,
  routeMs?: number,
): RookeryError | undefined {
  const { headers } = request;
  const timeout = headers['request-timeout'];
  const timeoutMs = typeof timeout === 'string' ? parseRequestTimeout(timeout) : undefined;
  // Fastify makes the object anew each time.
  const url = request.routeOptions?.url;
  const context = gate.enter({
    face: 'http',
    operation: operationOf(request.method, url),
    peer: peerOf(request),
    account: request.raw instanceof RestRequest ? request.raw.stream.account : undefined,
    header: headerOf(headers),
    timeoutMs,
    isStream: false,
    isProbe: isProbe(url),
  });
  if (routeMs !== undefined) context.deadline.adjust(routeMs);
  const exchange: Exchange = { context, gate, failure: undefined, isCut: false, isEnded: false };
  keepExchange(request.raw, exchange);
  void reply.header('x-request-id', context.requestId);
  // 'close' comes after the last byte as well as when the caller goes away.
  reply.raw.once('close', () => {
    endExchange(exchange, reply);
  });
  context.deadline.onFire((reason) => meetDeadline(exchange, reply, reason));
  const { refusal: broken } = request.raw as Partial<Pick<RestRequest, 'refusal'>>;
  if (broken !== undefined) {
    // Where the next request begins is not sure: a body may follow or not.
    if (request.raw.httpVersionMajor === 1) void reply.header('connection', 'close');
    return broken;
  }
  if (timeout !== undefined && timeoutMs === undefined) return new MalformedRequestTimeoutError(String(timeout));
  return context.isProbe ? undefined : gate.admit(context, isWhole(request));
}

// Of a request that did not come over the port, such as one that a test injects, nothing is waited for.
function isWhole({ raw }: FastifyRequest): boolean {
  return !(raw instanceof RestRequest) || raw.complete;
}

/**
 * The handler is about to run: the body has been read, or the handler reads it as it comes. Returns why that cannot be, or
 * `undefined`.
 */
export function beginExchange(request: FastifyRequest): RookeryError | undefined {
  const exchange = exchangeOf(request.raw);
  if (exchange === undefined) return undefined;
  const { context, gate } = exchange;
  if (context.isProbe) return undefined;
  return isWhole(request) ? gate.begin(context) : gate.stream(context);
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
  return url !== undefined && probePaths.has(url);
}

// A method that is on no list may be anything: what is logged and counted by it would have no end.
function operationOf(method: string, url: string | undefined): string {
  if (url !== undefined) return `${method} ${url}`;
  return knownMethods.has(method) ? `${method} (no route)` : '(no route)';
}

/** Goes on inside the request's context. */
export function resumeExchange(request: FastifyRequest, done: () => void): void {
  const exchange = exchangeOf(request.raw);
  if (exchange === undefined || currentContext() === exchange.context) done();
  else runInContext(exchange.context, done);
}
