import { METHODS } from 'node:http';
import type { Live, RookeryError } from '../core/index.js';
import {
  ErrorCode,
  type HeaderField,
  type Http2RequestHead,
  type Http2Stream,
  type Http2StreamListener,
} from '../http2/index.js';
import { type LimitOptions, type RequestGate, toFailure } from '../pipeline/index.js';
import { errorEnvelope, problem } from './envelope.js';
import { exchangeOf } from './exchange.js';
import { RequestTimeoutError, TunnelNotOfferedError } from './http.errors.js';
import { dateField } from './rest-fields.js';
import { RestRequest } from './rest-request.js';
import { RestResponse } from './rest-response.js';
import type { Transport } from './stream-socket.js';
import { acceptsProblem } from './reply-failure.js';
import { expectsContinue } from './request-rules.js';
import type { FixedHeaders } from './security-headers.js';

/** What HTTP/2 requests are given to: Fastify's routing function. */
export type RestHandler = (request: RestRequest, response: RestResponse) => void;

/** What requests over HTTP/2 need of the application. */
export interface RestRequestsInit {
  readonly gate: RequestGate;
  readonly limits: Live<LimitOptions>;
  readonly handle: RestHandler;
  /** Of every answer that no route gives, such as `securityHeaders()`. */
  readonly headers: FixedHeaders;
}

// Time for the application's own answer to a body that came too late.
const lateAnswerMs = 1000;

// A method that is on no list may be anything: what is logged and counted by it would have no end.
const knownMethods: ReadonlySet<string> = new Set(METHODS);

/** The REST side of HTTP/2: each stream becomes a request and a response as Fastify and Nest know them. */
export class RestRequests {
  readonly #init: RestRequestsInit;
  readonly #fixedFields: readonly HeaderField[];

  constructor(init: RestRequestsInit) {
    this.#init = init;
    this.#fixedFields = Object.entries(init.headers).map(([name, value]) => ({ name, value }));
  }

  serve(stream: Http2Stream, head: Http2RequestHead, transport: Transport): void {
    if (head.method === 'CONNECT') {
      this.refuse(stream, head, new TunnelNotOfferedError());
      return;
    }
    const request = new RestRequest(stream, head, transport);
    const response = new RestResponse(stream, request);
    const work = new RequestWork(request, response, head.endStream || head.headers.get('content-length') !== undefined);
    if (!head.endStream) {
      // Nothing is read before somebody wants it.
      stream.pause();
      work.limitBody(this.#init.limits.value.bodyTimeoutMs);
    }
    stream.listen(work);
    if (expectsContinue(head.headers.get('expect'))) response.writeContinue();
    this.#init.handle(request, response);
  }

  /** Answers a request that is not to reach any route; it counts and is logged like all others. */
  refuse(stream: Http2Stream, { method, headers }: Http2RequestHead, error: RookeryError): void {
    const { gate } = this.#init;
    const failure = toFailure(error);
    const context = gate.enter({
      face: 'http',
      operation: knownMethods.has(method) ? `${method} (no route)` : '(no route)',
      peer: stream.peerAddress,
      header: (name) => headers.get(name),
      timeoutMs: undefined,
      isStream: false,
      isProbe: false,
    });
    context.deadline.onFire(() => stream.reset(ErrorCode.cancel));
    const { status, httpStatus, reason } = failure;
    const leave = (): void => gate.leave(context, { status, httpStatus, reason });
    stream.listen({ onData: ignore, onEnd: ignore, onDrain: ignore, onClose: leave });
    const asProblem = acceptsProblem(headers.get('accept'));
    const answer = asProblem ? problem(failure, context.requestId) : errorEnvelope(failure, context.requestId);
    const body = Buffer.from(JSON.stringify(answer));
    const fields = [
      { name: ':status', value: String(httpStatus) },
      { name: 'content-type', value: `application/${asProblem ? 'problem+json' : 'json'}; charset=utf-8` },
      { name: 'content-length', value: String(body.length) },
      { name: 'cache-control', value: 'no-store' },
      { name: 'x-request-id', value: context.requestId },
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

function ignore(): void {
  // A refused request is not read.
}

/** Ties a stream to its request and response. */
class RequestWork implements Http2StreamListener {
  readonly #request: RestRequest;
  readonly #response: RestResponse;
  /** How long the body is, is known: half of it cannot look like all. */
  readonly #hasLength: boolean;
  #timer: NodeJS.Timeout | undefined;

  constructor(request: RestRequest, response: RestResponse, hasLength: boolean) {
    this.#request = request;
    this.#response = response;
    this.#hasLength = hasLength;
  }

  limitBody(limitMs: number): void {
    this.#timer = setTimeout(() => this.#onLate(), limitMs);
  }

  onData(chunk: Uint8Array): void {
    this.#request.onData(chunk);
  }

  onEnd(): void {
    clearTimeout(this.#timer);
    // Clients on Node cancel by ending the stream and then resetting it. Where both arrive together the reset gets its turn
    // first, so that what was cancelled does not look like a complete upload.
    if (this.#hasLength) this.#request.onEnd();
    else setImmediate(() => this.#request.onEnd());
  }

  onDrain(): void {
    this.#response.onDrain();
  }

  onClose(): void {
    clearTimeout(this.#timer);
    this.#request.onClose(this.#request.stream.isAnswered);
    this.#response.onClose();
  }

  // Who reads the body is told by an error and answers as for every other error; where nobody does, we answer.
  #onLate(): void {
    const request = this.#request;
    // The answer has begun without the body, as a stream may: the handler's deadline watches over it.
    if (this.#response.headersSent) return;
    const error = new RequestTimeoutError();
    if (request.listenerCount('error') === 0) {
      this.#answerLate(error);
      return;
    }
    request.emit('error', error);
    this.#timer = setTimeout(() => this.#answerLate(error), lateAnswerMs);
  }

  #answerLate(error: RequestTimeoutError): void {
    const response = this.#response;
    if (response.headersSent) {
      response.cut();
      return;
    }
    const failure = toFailure(error);
    const exchange = exchangeOf(this.#request);
    if (exchange !== undefined) exchange.failure = failure;
    response.writeHead(failure.httpStatus, { 'content-type': 'application/json; charset=utf-8' });
    response.end(JSON.stringify(errorEnvelope(failure, exchange?.context.requestId ?? '')));
  }
}
