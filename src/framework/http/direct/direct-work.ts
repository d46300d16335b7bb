import type { FastifyRequest } from 'fastify';
import {
  currentContext,
  type DeadlineWatcher,
  enterContext,
  type FireReason,
  parseRequestTimeout,
  type RequestContext,
  type RookeryError,
  runInContext,
} from '../../core/index.js';
import { type Failure, type RequestGate, RequestTooLargeError } from '../../pipeline/index.js';
import { readClock } from '../../wire/index.js';
import { type Exchange, keepExchange } from '../exchange.js';
import { MalformedRequestTimeoutError } from '../http.errors.js';
import { parseJsonBody } from '../json-body.js';
import { JsonSize } from '../json-size.js';
import { replyFailure } from '../reply-failure.js';
import { endExchange, meetDeadline } from '../exchange-end.js';
import { isBodiless } from '../rest-fields.js';
import type { BodyTaker, RestRequest } from '../rest-request.js';
import type { ResponseWatcher, RestResponse } from '../rest-response.js';
import type { Sender } from '../route-handler.js';
import { bindReply, type DirectReply, hasFixedHeaders } from './direct-reply.js';
import type { DirectRoute } from './direct-route.js';
import { release, textBytes } from './json-bytes.js';

/** One request that is served past Fastify, from its arrival to the end of its answer. */
export class DirectWork implements Exchange, DeadlineWatcher, BodyTaker, ResponseWatcher, Sender {
  readonly context: RequestContext;
  readonly gate: RequestGate;
  failure: Failure | undefined;
  isCut = false;
  isEnded = false;
  #limitBytes = 0;
  #size: JsonSize | undefined = undefined;
  readonly #route: DirectRoute;
  readonly #raw: RestRequest;
  readonly #response: RestResponse;
  readonly #request: FastifyRequest;
  readonly #reply: DirectReply & Record<symbol, unknown>;

  constructor(route: DirectRoute, gate: RequestGate, request: FastifyRequest, reply: DirectReply) {
    const raw = request.raw as unknown as RestRequest;
    const response = reply.raw as unknown as RestResponse;
    const timeout = raw.field('request-timeout');
    this.gate = gate;
    this.context = gate.enter({
      face: 'http',
      operation: route.operation,
      peer: raw.peerAddress,
      account: raw.stream.account,
      header: headerOf(raw),
      timeoutMs: timeout === undefined ? undefined : parseRequestTimeout(timeout),
      isStream: false,
      isProbe: route.isProbe,
    });
    this.#route = route;
    this.#raw = raw;
    this.#response = response;
    this.#request = request;
    this.#reply = reply as DirectReply & Record<symbol, unknown>;
    bindReply(reply, this.context);
    this.#reply[route.keys.startTime] = this.context.startedAtMs;
    keepExchange(raw, this);
    response.watcher = this;
    if (route.timeoutMs !== undefined) this.context.deadline.adjust(route.timeoutMs);
    this.context.deadline.watch(this);
  }

  /** Why the request is not to be served, or `undefined`. */
  refusal(): RookeryError | undefined {
    const timeout = this.#raw.field('request-timeout');
    if (timeout !== undefined && parseRequestTimeout(timeout) === undefined)
      return new MalformedRequestTimeoutError(timeout);
    return this.context.isProbe ? undefined : this.gate.admit(this.context, this.#raw.complete);
  }

  /** @param limitBytes of the body; `undefined`: there is none to read */
  start(limitBytes: number | undefined): void {
    const refusal = this.refusal() ?? (limitBytes === undefined ? this.gate.begin(this.context) : undefined);
    if (refusal !== undefined) replyFailure(this.#request, this.#reply, refusal);
    else if (limitBytes === undefined) enterContext(this.context, handle, this);
    else {
      this.#limitBytes = limitBytes;
      this.#size = JsonSize.ofBody(this.#raw.field('content-length'), this.#route.limits);
      this.#raw.collect(limitBytes, this);
    }
  }

  keep(piece: Buffer): RookeryError | undefined {
    return this.gate.keep(this.context, piece.length) ?? this.#size?.add(piece);
  }

  onBody(bytes: Buffer): void {
    const refusal = this.gate.begin(this.context);
    if (refusal !== undefined) {
      this.onBroken(refusal);
      return;
    }
    try {
      this.#request.body = parseJsonBody(bytes, this.#route.limits, this.#size !== undefined);
    } catch (error) {
      this.onBroken(error as Error);
      return;
    }
    enterContext(this.context, handle, this);
  }

  onTooLong(): void {
    this.onBroken(new RequestTooLargeError(this.#limitBytes));
  }

  // As Fastify has it: more may be on its way that nobody will read.
  onBroken(error: Error): void {
    void this.#reply.header('connection', 'close');
    if (currentContext() === this.context) this.#fail(error);
    else runInContext(this.context, () => this.#fail(error));
  }

  /** @internal */
  handle(): void {
    try {
      this.#route.handler(this.#request, this.#reply, this);
    } catch (error) {
      this.#fail(error);
    }
  }

  send(body: unknown): boolean {
    const status = this.#response.statusCode;
    if (status < 200 || isBodiless(status) || !isPlain(body) || !this.#isUntouched()) return false;
    const text = jsonOf(body);
    if (text === undefined) return false;
    const bytes = textBytes(text);
    if (bytes.length >= this.#route.compressionMinBytes && this.#raw.field('accept-encoding') !== undefined) {
      release(bytes);
      void this.#reply.type('application/json; charset=utf-8').send(text);
      return true;
    }
    const fields = [
      { name: 'x-request-id', value: this.context.requestId },
      { name: 'content-length', value: String(bytes.length) },
    ];
    if (this.#response.answer(this.#route.head(status), fields, bytes)) release(bytes);
    return true;
  }

  onFire(reason: FireReason): void {
    meetDeadline(this, this.#reply, reason);
  }

  onClosed(): void {
    const nowMs = readClock();
    this.#reply[this.#route.keys.endTime] = nowMs;
    endExchange(this, this.#reply, nowMs);
  }

  // What a filter throws, and what is wrong with the body, is Fastify's to answer.
  #fail(error: unknown): void {
    this.#reply[this.#route.keys.isError] = true;
    void this.#reply.send(error);
  }

  // Whatever somebody did to the answer, Fastify knows what becomes of it.
  #isUntouched(): boolean {
    const reply = this.#reply;
    const { keys } = this.#route;
    return (
      hasFixedHeaders(reply) &&
      reply[keys.serializer] === null &&
      reply[keys.trailers] === null &&
      reply[keys.isHijacked] !== true &&
      reply[keys.isError] !== true &&
      !this.#response.headersSent &&
      !this.#response.writableEnded &&
      !this.#response.destroyed &&
      !this.#response.hasHeaders
    );
  }
}

function handle(work: DirectWork): void {
  work.handle();
}

function headerOf(raw: RestRequest): (name: string) => string | undefined {
  return (name) => raw.field(name);
}

// Fastify looks at what a body can do; an object of no class and without these names can do nothing.
function isPlain(body: unknown): boolean {
  if (typeof body !== 'object' || body === null || Object.getPrototypeOf(body) !== Object.prototype) return false;
  return !('pipe' in body || 'getReader' in body || 'buffer' in body);
}

function jsonOf(body: unknown): string | undefined {
  try {
    return JSON.stringify(body);
  } catch {
    return undefined;
  }
}
