import type { FastifyReply } from 'fastify';
import { CancelledError, DrainingError, faultOf, type FireReason, statusOfHttp } from '../core/index.js';
import { toFailure } from '../pipeline/index.js';
import { blamed, type Exchange, exchangeOf, type RequestState } from './exchange.js';
import { RequestTimeoutError } from './http.errors.js';
import { answerRaw } from './raw-failure.js';
import type { RestRequest } from './rest-request.js';

/** What can break off one response and no more. */
interface Cuttable {
  cut?(): void;
}

/** When the client's part of an exchange was over, or was not; see `RestRequest` and `RestResponse`. */
interface Timed {
  readonly req: { readonly receivedAtMs: number | undefined };
  readonly answeredAtMs: number | null | undefined;
}

// Time that the application has to respond itself, in ms; at the end of the process less than the port waits.
const ownAnswerMs = 1000;
const ownLastAnswerMs = 500;

/**
 * The time of a request is over. What has begun to be sent is cut off, as a client that does not read must not keep the
 * request open. A body that has not come is not waited for. Otherwise the application responds, or else this does.
 */
export function meetDeadline(exchange: Exchange, reply: FastifyReply, reason: FireReason): void {
  if (reason instanceof CancelledError) return;
  const { raw } = reply;
  if (raw.headersSent) {
    if (reason instanceof DrainingError && isEvents(reply)) endEvents(exchange, reply, reason);
    else cut(exchange, reply, reason);
    return;
  }
  const { bodyWatch, isBodyAwaited } = reply.request.raw as Partial<Pick<RestRequest, 'bodyWatch' | 'isBodyAwaited'>>;
  if (isBodyAwaited === true) {
    const isBodyLate = exchange.context.deadline.isDefault && !(reason instanceof DrainingError);
    bodyWatch?.onBroken(isBodyLate ? new RequestTimeoutError() : reason);
  }
  const respond = (): void => {
    if (raw.headersSent) {
      if (!raw.writableEnded) cut(exchange, reply, reason);
    } else answerRaw(reply.request.raw, raw, reason);
  };
  const timer = setTimeout(respond, reason instanceof DrainingError ? ownLastAnswerMs : ownAnswerMs);
  raw.once('close', () => clearTimeout(timer));
}

/** The process stops waiting for a request. Returns whether its response comes to an orderly end. */
export function meetShutdown(request: object): boolean {
  const exchange = exchangeOf(request);
  if (exchange === undefined) return false;
  exchange.context.deadline.interrupt(new DrainingError());
  return exchange.isEnded;
}

/**
 * The response is out, or broken off.
 *
 * @param endedAtMs now, where the clock has been read already
 */
export function endExchange(exchange: Exchange, reply: FastifyReply, endedAtMs?: number): void {
  const { context, gate, failure } = exchange;
  const { req, answeredAtMs } = reply.raw as object as Partial<Timed>;
  if (req?.receivedAtMs !== undefined) context.receivedAtMs = req.receivedAtMs;
  context.answeredAtMs = answeredAtMs;
  if (exchange.isCut && failure !== undefined) {
    gate.leave(context, failure, endedAtMs);
    return;
  }
  // On HTTP/2 a stream that the caller reset counts as finished, too; but nobody has ended it.
  if (!reply.raw.writableEnded || !reply.raw.writableFinished) {
    context.deadline.cancel();
    const { reason = 'CANCELLED', fault = 'client' } = failure ?? {};
    gate.leave(context, { status: statusOfHttp(499), httpStatus: 499, reason, fault }, endedAtMs);
    return;
  }
  const httpStatus = reply.raw.statusCode;
  const status = failure?.status ?? statusOfHttp(httpStatus);
  const fault = failure === undefined ? faultOf(status, undefined, context.deadline) : failure.fault;
  gate.leave(context, { status, httpStatus, reason: failure?.reason, fault }, endedAtMs);
}

function cut(exchange: Exchange, reply: FastifyReply, reason: FireReason): void {
  const state: RequestState = reply.request.raw;
  exchange.failure ??= blamed(toFailure(reason), state, reply.raw);
  exchange.isCut = true;
  // On HTTP/2 the rest of the connection goes on.
  const raw = reply.raw as Cuttable & object;
  if (raw.cut === undefined) reply.raw.destroy();
  else raw.cut();
}

function isEvents({ raw }: FastifyReply): boolean {
  return String(raw.getHeader('content-type')).startsWith('text/event-stream');
}

// Clients of events open them again where they end, and no event is cut in two: https://html.spec.whatwg.org/#server-sent-events
function endEvents(exchange: Exchange, { raw }: FastifyReply, reason: FireReason): void {
  exchange.failure ??= toFailure(reason);
  exchange.isEnded = true;
  raw.end();
}
