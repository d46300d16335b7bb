import { ForbiddenException, StreamableFile } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { isObservable, map, Observable } from 'rxjs';
import { currentContext, onlyOnFace, wordOf } from '../core/index.js';
import {
  type Admission,
  type Arguments,
  composeGuards,
  composeParams,
  HandlerCall,
  type HandlerRef,
  type HandlerSource,
  isThenable,
  type RouteParts,
} from '../pipeline/index.js';
import type { AnswerForm } from './answer-form.js';
import { EnvelopeInterceptor } from './envelope.interceptor.js';
import { replyFailure } from './reply-failure.js';
import type { RouteHandler, Sender } from './route-handler.js';

class RouteCall extends HandlerCall {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly sender: Sender | undefined;
  #args: unknown[] | undefined;

  constructor(request: FastifyRequest, reply: FastifyReply, sender: Sender | undefined) {
    super();
    this.sender = sender;
    this.request = request;
    this.reply = reply;
  }

  override get args(): unknown[] {
    // Fastify has no `next`.
    this.#args ??= [this.request, this.reply, undefined];
    return this.#args;
  }

  override argument(index: number): unknown {
    return this.args[index];
  }
}

/**
 * Guards, pipes, handler, envelope and filters of the route that Nest made the closure `route` for, in one function: it
 * makes no promise where none of them does, and no Observable.
 *
 * @returns `undefined` where Nest's closure has to serve: an interceptor of the application's stands there, something is
 *   made for each request, or the answer is events, a page, a redirection, or the handler's own doing
 */
export function composeRoute(source: HandlerSource, route: object): RouteHandler | undefined {
  const found = source.route(route);
  if (found === undefined || found.parts.isSpecial) return undefined;
  const acting = found.parts.interceptors.filter((one) => wordOf(one, onlyOnFace, 'intercept') !== 'grpc');
  const envelopes = acting.filter((one) => one.constructor === EnvelopeInterceptor) as EnvelopeInterceptor[];
  if (envelopes.length !== acting.length || envelopes.length > 1) return undefined;
  const { controller, callback } = found.ref;
  const chain = new RouteChain(found.ref, found.parts, envelopes[0]?.formOf({ controller, handler: callback }));
  return (request, reply, sender) => chain.serve(new RouteCall(request, reply, sender));
}

class RouteChain {
  readonly #ref: HandlerRef;
  readonly #parts: RouteParts;
  readonly #form: AnswerForm | undefined;
  readonly #admit: Admission | undefined;
  readonly #argumentsOf: Arguments | undefined;

  constructor(ref: HandlerRef, parts: RouteParts, form: AnswerForm | undefined) {
    const target = { face: 'http', controller: ref.controller, handler: ref.callback } as const;
    this.#ref = ref;
    this.#parts = parts;
    this.#form = form;
    this.#admit = composeGuards(parts, target, () => new ForbiddenException('Forbidden resource'));
    this.#argumentsOf = composeParams(parts, ref.callback, false);
  }

  serve(call: RouteCall): void {
    try {
      const pending = this.#admit?.(call);
      if (pending === undefined) this.#handle(call);
      else
        this.#finish(
          call,
          pending.then(() => this.#handle(call)),
        );
    } catch (error) {
      // What a filter throws is Fastify's to answer.
      this.#parts.handleError(error, call.args);
    }
  }

  #handle(call: RouteCall): void {
    const { status, headers } = this.#parts;
    call.reply.code(status);
    for (const { name, value } of headers) call.reply.header(name, typeof value === 'function' ? value() : value);
    const deadline = currentContext()?.deadline;
    if (deadline?.reason !== undefined) throw deadline.reason;
    const args = this.#argumentsOf?.(call) ?? [];
    const result = args instanceof Promise ? args.then((settled) => this.#invoke(settled)) : this.#invoke(args);
    if (isThenable(result)) this.#finish(call, this.#inTime(result), (value) => this.#answer(call, value));
    else this.#answer(call, result);
  }

  #invoke(args: unknown[]): unknown {
    return this.#ref.callback.apply(this.#ref.instance, args);
  }

  // Settles as `result` does, or with the deadline's reason before; what comes afterwards is not sent.
  #inTime(result: PromiseLike<unknown>): PromiseLike<unknown> {
    const deadline = currentContext()?.deadline;
    if (deadline === undefined) return result;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const forget = deadline.onFire(reject);
    result.then(
      (value) => {
        forget();
        if (deadline.reason !== undefined) release(value);
        resolve(value);
      },
      (error: unknown) => {
        forget();
        reject(error);
      },
    );
    return promise;
  }

  #answer(call: RouteCall, value: unknown): void {
    const { request, reply } = call;
    if (isObservable(value)) {
      this.#finish(call, this.#parts.respond(this.#formed(value, reply), reply, request, []));
      return;
    }
    const body = this.#form === undefined ? value : this.#form.of(value, reply);
    if (isStreaming(value)) this.#finish(call, this.#parts.respond(body, reply, request, [value]));
    else if (call.sender?.send(body) !== true) this.#parts.send(reply, body);
  }

  #formed(values: Observable<unknown>, reply: FastifyReply): Observable<unknown> {
    const form = this.#form;
    if (form === undefined) return values;
    const formed = values.pipe(map((value) => form.of(value, reply)));
    const deadline = currentContext()?.deadline;
    if (deadline === undefined) return formed;
    return new Observable((subscriber) => {
      subscriber.add(deadline.onFire((reason) => subscriber.error(reason)));
      subscriber.add(formed.subscribe(subscriber));
    });
  }

  // Fastify is not given the promise: it would watch the reply until its last byte.
  #finish(call: RouteCall, pending: PromiseLike<unknown>, then?: (value: unknown) => void): void {
    Promise.resolve(pending)
      .then(then)
      .catch((error: unknown) => this.#parts.handleError(error, call.args))
      .catch((error: unknown) => {
        if (error instanceof Error) void call.reply.send(error);
        else replyFailure(call.request, call.reply, error);
      });
  }
}

function isStreaming(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  if (value instanceof StreamableFile || Symbol.asyncIterator in value) return true;
  return (
    Object.getPrototypeOf(value) !== Object.prototype && Object.prototype.toString.call(value) === '[object Response]'
  );
}

// Nobody will read it: what it holds open is let go.
function release(value: unknown): void {
  const stream: unknown = value instanceof StreamableFile ? value.getStream() : value;
  if (typeof stream !== 'object' || stream === null || !(Symbol.asyncIterator in stream)) return;
  const { destroy } = stream as { destroy?: unknown };
  if (typeof destroy === 'function') destroy.call(stream);
  else void (stream as AsyncIterable<unknown>)[Symbol.asyncIterator]().return?.();
}
