import { METHODS } from 'node:http';
import { type Live, type RookeryError, TimerWheel, WheelEntry } from '../core/index.js';
import { ErrorCode, type HeaderField, type Http2StreamListener } from '../http2/index.js';
import { type LimitOptions, type RequestGate, toFailure } from '../pipeline/index.js';
import { inNextTurn, readClock, type Waiting } from '../wire/index.js';
import { errorEnvelope, problem } from './envelope.js';
import { meetShutdown } from './exchange-end.js';
import { RequestTimeoutError, TunnelNotOfferedError } from './http.errors.js';
import { dateField } from './rest-fields.js';
import { RestRequest } from './rest-request.js';
import { endWithoutRoom } from './response-bounds.js';
import { RestResponse } from './rest-response.js';
import type { RestConnection, RestHead, RestStream } from './rest-stream.js';
import { answerRaw } from './raw-failure.js';
import { acceptsProblem } from './reply-failure.js';
import { brokenRule, expectsContinue, tooManyParameters } from './request-rules.js';
import type { FixedHeaders } from './security-headers.js';

/** What requests are given to: Fastify's routing function. */
export type RestHandler = (request: RestRequest, response: RestResponse) => void;

/** What requests need of the application. */
export interface RestRequestsInit {
  readonly gate: RequestGate;
  readonly limits: Live<LimitOptions>;
  readonly handle: RestHandler;
  /** Of every answer that no route gives, such as `securityHeaders()`. */
  readonly headers: FixedHeaders;
  /** Why a method that Node does not know is refused; no route can have it. Without it `handle` decides. */
  readonly unknownMethod?: (method: string, url: string, contentType: string | undefined) => RookeryError;
}

// Time for the application's own answer to a body that did not come.
const ownAnswerMs = 1000;

// Later than that, the event loop was blocked: the wheel is a few ms late at most.
const blockedMs = 250;

const limits = new TimerWheel();

// A method that is on no list may be anything: what is logged and counted by it would have no end.
const knownMethods: ReadonlySet<string> = new Set(METHODS);

/** The REST side of the port: each stream becomes a request and a response as Fastify and Nest know them. */
export class RestRequests {
  readonly #init: RestRequestsInit;
  readonly #fixedFields: readonly HeaderField[];

  constructor(init: RestRequestsInit) {
    this.#init = init;
    this.#fixedFields = Object.entries(init.headers).map(([name, value]) => ({ name, value }));
  }

  /** @param refusal why the request is not to be served, where what it asked for is known all the same */
  serve(stream: RestStream, head: RestHead, connection: RestConnection, refusal = this.#brokenRule(head)): void {
    if (head.method === 'CONNECT') {
      this.refuse(stream, head, new TunnelNotOfferedError());
      return;
    }
    const { unknownMethod } = this.#init;
    // Fastify's router takes it for a mistake of its own, and draws all of its routes for the log each time.
    if (unknownMethod !== undefined && !knownMethods.has(head.method)) {
      this.refuse(stream, head, refusal ?? unknownMethod(head.method, head.path, head.headers.get('content-type')));
      return;
    }
    const request = new RestRequest(stream, head, connection, refusal);
    const response = new RestResponse(stream, request);
    const work = new RequestWork(request, response, isMeasuredBody(head));
    if (!head.endStream) {
      // Nothing is read before somebody wants it.
      stream.pause();
      request.bodyWatch = work;
      // The engine of HTTP/1.1 has this limit itself, as the connection depends on it.
      if (head.http1 === undefined) work.limitBody(this.#init.limits.value.bodyTimeoutMs);
      else keepWork(stream, work);
    }
    stream.listen(work);
    // What the head alone decides is answered without it: RFC 9110 section 10.1.1.
    if (expectsContinue(head.headers.get('expect'))) request.onWanted = () => response.writeContinue();
    this.#init.handle(request, response);
  }

  #brokenRule(head: RestHead): RookeryError | undefined {
    const { maxQueryParameters } = this.#init.limits.value;
    return brokenRule(head) ?? tooManyParameters(head.path, maxQueryParameters);
  }

  /** The rest of a request's body will not come. Returns whether it is one that was served here. */
  fail(stream: RestStream, error: RookeryError): boolean {
    const work = workOf(stream);
    work?.onBroken(error);
    return work !== undefined;
  }

  /** Answers a request that is not to reach any route; it counts and is logged like all others. */
  refuse(stream: RestStream, { method, headers }: RestHead, error: RookeryError): void {
    const { gate } = this.#init;
    const failure = toFailure(error);
    const context = gate.enter({
      face: 'http',
      operation: knownMethods.has(method) ? `${method} (no route)` : '(no route)',
      peer: stream.peer.address,
      account: stream.account,
      header: (name) => headers.get(name),
      timeoutMs: undefined,
      isStream: false,
      isProbe: false,
    });
    context.deadline.onFire(() => stream.reset(ErrorCode.cancel));
    const { httpStatus, httpHeaders } = failure;
    const leave = (): void => gate.leave(context, failure);
    // As a request that was served ends: behind those before it on the connection.
    stream.listen({ onData: ignore, onEnd: ignore, onDrain: ignore, onClose: () => process.nextTick(leave) });
    const asProblem = acceptsProblem(headers.get('accept'));
    const answer = asProblem ? problem(failure, context.requestId) : errorEnvelope(failure, context.requestId);
    const body = Buffer.from(JSON.stringify(answer));
    const fields = [
      { name: ':status', value: String(httpStatus) },
      { name: 'content-type', value: `application/${asProblem ? 'problem+json' : 'json'}; charset=utf-8` },
      { name: 'content-length', value: String(body.length) },
      { name: 'cache-control', value: 'no-store' },
      { name: 'x-request-id', value: context.requestId },
      ...Object.entries(httpHeaders).map(([name, value]) => ({ name, value })),
      ...this.#fixedFields,
      dateField(),
    ];
    if (method === 'HEAD') {
      stream.respondOnly(fields);
      return;
    }
    stream.respond(fields);
    stream.end(undefined, body);
  }
}

// How long the body is, is known before, or its end is marked.
function isMeasuredBody({ endStream, http1, headers }: RestHead): boolean {
  return endStream || http1 !== undefined || headers.get('content-length') !== undefined;
}

function ignore(): void {
  // A refused request is not read.
}

const workKey = Symbol('rookery.work');

function keepWork(stream: RestStream, work: RequestWork): void {
  (stream as { [workKey]?: RequestWork })[workKey] = work;
}

function workOf(stream: RestStream): RequestWork | undefined {
  return (stream as { [workKey]?: RequestWork })[workKey];
}

/** Ties a stream to its request and response. Due when the body takes too long. */
class RequestWork extends WheelEntry implements Http2StreamListener, Waiting {
  readonly #request: RestRequest;
  readonly #response: RestResponse;
  /** Half of the body cannot look like all of it. */
  readonly #isMeasured: boolean;
  #broken: RookeryError | undefined;
  #isExtended = false;

  constructor(request: RestRequest, response: RestResponse, isMeasured: boolean) {
    super();
    this.#request = request;
    this.#response = response;
    this.#isMeasured = isMeasured;
  }

  limitBody(limitMs: number): void {
    const nowMs = readClock();
    limits.add(this, nowMs + limitMs, nowMs);
  }

  onData(chunk: Uint8Array): void {
    this.#request.onData(chunk);
  }

  onEnd(): void {
    limits.remove(this);
    // Clients on Node cancel by ending the stream and then resetting it. Where both arrive together the reset gets its turn
    // first, so that what was cancelled does not look like a complete upload.
    if (this.#isMeasured) this.#request.onEnd();
    else inNextTurn(this, this.#request.stream.account);
  }

  /** @internal */
  onTurn(): void {
    this.#request.onEnd();
  }

  onDrain(): void {
    this.#response.onDrain();
  }

  onShutdown(): boolean {
    return meetShutdown(this.#request);
  }

  onClose(code: number): void {
    limits.remove(this);
    if (code === ErrorCode.enhanceYourCalm) endWithoutRoom(this.#response);
    this.#request.onClose(this.#request.stream.isAnswered);
    this.#response.onClose();
  }

  /** The rest of the body will not come. */
  onBroken(error: RookeryError): void {
    const request = this.#request;
    const response = this.#response;
    // The answer has begun without the body, as a stream may: the handler's deadline watches over it.
    if (response.headersSent) return;
    this.#broken = error;
    response.shouldKeepAlive = false;
    if (request.breakOff(error)) {
      this.limitBody(ownAnswerMs);
      return;
    }
    // Who reads the body is told by an error and answers as for every other error; where nobody does, we answer.
    if (request.listenerCount('error') === 0) {
      this.#answer(error);
      return;
    }
    request.emit('error', error);
    this.limitBody(ownAnswerMs);
  }

  override onDue(): void {
    const lateMs = readClock() - this.dueTick;
    if (this.#broken !== undefined) this.#answer(this.#broken);
    // The event loop was blocked: what has arrived meanwhile is read first, and the client gets that time.
    else if (lateMs > blockedMs && !this.#isExtended) {
      this.#isExtended = true;
      this.limitBody(lateMs + blockedMs);
    } else this.onBroken(new RequestTimeoutError());
  }

  #answer(error: RookeryError): void {
    const response = this.#response;
    if (response.headersSent) {
      response.cut();
      return;
    }
    answerRaw(this.#request, response, error);
  }
}
