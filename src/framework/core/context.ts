import { AsyncLocalStorage } from 'node:async_hooks';
import type { RookeryError } from './errors.js';
import { type Deadline, noDeadline } from './deadline.js';
import type { Lifecycle } from './lifecycle.js';
import { isPrintable } from './field-values.js';
import type { Principal } from './principal.js';
import { newRequestId, type TraceContext, traceFrom } from './trace.js';

/** Which face a request came in by. */
export type Face = 'http' | 'grpc';

/** What counts a request until it ends, such as against the limit of its principal. */
export interface Lease {
  /** The request is over. Called once. */
  end(): void;
  /** The response is a stream from now on. Returns what counts it then. */
  toStream(): Lease;
}

/** What a face tells when it opens a context. */
export interface RequestContextInit {
  readonly face: Face;
  /** `GET /api/v1/users/:id` or `user.service.v1.UserService/GetUser`; the raw path until it is routed. */
  readonly operation: string;
  /** Address of the other end, without the port. */
  readonly peer: string;
  /** Reads a request header or metadata entry, by its name in lower case. */
  readonly header: (name: string) => string | undefined;
  readonly deadline: Deadline;
  /** A question about the process's health; false when left out. */
  readonly isProbe?: boolean;
  /** Of the process that serves the request; no drain is signalled when left out. */
  readonly lifecycle?: Lifecycle | undefined;
  /** Messages come or go one by one: how long it takes is up to the client. False when left out. */
  readonly isStream?: boolean;
  /** On the clock of `performance.now()`; now when left out. */
  readonly startedAtMs?: number;
}

// What a caller may choose as request id: it is copied to logs and answers, so nothing that could forge a line.
const requestIdPattern = /^[A-Za-z0-9._:/+=-]{1,128}$/;

/** Everything known about the request at hand. It lives in AsyncLocalStorage: `currentContext()` finds it from anywhere. */
export class RequestContext {
  /** The caller's `x-request-id` if it is well formed, else a new one. */
  readonly requestId: string;
  readonly face: Face;
  readonly peer: string;
  readonly deadline: Deadline;
  readonly header: (name: string) => string | undefined;
  /** On the clock of `performance.now()`. */
  readonly startedAtMs: number;
  /** @internal `drainSignal()` */
  readonly lifecycle: Lifecycle | undefined;
  /** When the whole request had come; the start until then. On the same clock. */
  receivedAtMs: number;
  /** When the response was complete, and only the client's reading was left; `undefined` until then, `null` where the client held it up. */
  answeredAtMs: number | null | undefined;
  operation: string;
  /** A question about the process's health (`metadataKeys.probe`): it gets no line in the access log. */
  isProbe: boolean;
  /** A streaming call, or a response that is written in parts. */
  isStream: boolean;
  /** Set by authentication; `undefined` for an anonymous caller. */
  principal: Principal | undefined;
  /** A refusal that is to be told after validation (DESIGN: validation comes before authorisation). */
  denial: RookeryError | undefined;
  /** Resolves when a face that streams the answer can take more; `undefined` while it can. */
  backpressure: (() => Promise<void> | undefined) | undefined;
  /** False once the request is over, also while its handler or a guard still runs. */
  isOpen = true;
  #lease: Lease | undefined;
  #trace: TraceContext | undefined;
  /** `null`: nobody has asked yet. */
  #tenant: string | undefined | null = null;

  constructor(init: RequestContextInit) {
    const requestId = init.header('x-request-id');
    this.requestId = requestId !== undefined && requestIdPattern.test(requestId) ? requestId : newRequestId();
    this.face = init.face;
    this.operation = init.operation;
    this.peer = init.peer;
    this.header = init.header;
    this.deadline = init.deadline;
    this.isProbe = init.isProbe ?? false;
    this.lifecycle = init.lifecycle;
    this.isStream = init.isStream ?? false;
    this.startedAtMs = init.startedAtMs ?? performance.now();
    this.receivedAtMs = this.startedAtMs;
    this.answeredAtMs = undefined;
    this.principal = undefined;
    this.denial = undefined;
    this.backpressure = undefined;
  }

  /** The principal's tenant, or the caller's `x-tenant` where nobody is authenticated; one that is no printable ASCII counts as none. */
  get tenant(): string | undefined {
    if (this.#tenant === null) {
      const named = this.header('x-tenant');
      this.#tenant = named !== undefined && isPrintable(named) ? named : undefined;
    }
    return this.#tenant;
  }

  set tenant(tenant: string | undefined) {
    this.#tenant = tenant;
  }

  /** The W3C trace position; continues the caller's trace where it sent one. */
  get trace(): TraceContext {
    this.#trace ??= traceFrom(this.header('traceparent'), this.header('tracestate'));
    return this.#trace;
  }

  /** Ended with the request; one that is given to a request that is over ends at once. */
  get lease(): Lease | undefined {
    return this.#lease;
  }

  set lease(lease: Lease | undefined) {
    if (this.isOpen) this.#lease = lease;
    else lease?.end();
  }

  /** Fires when the deadline passes or the caller goes away. */
  get signal(): AbortSignal {
    return this.deadline.signal;
  }
}

const storage = new AsyncLocalStorage<RequestContext>();

/** The context of the request being served, or `undefined` outside any request. */
export function currentContext(): RequestContext | undefined {
  return storage.getStore();
}

/** The abort signal of the request being served; one that never fires outside any request. */
export function currentSignal(): AbortSignal {
  return (storage.getStore()?.deadline ?? noDeadline).signal;
}

const noDrain: AbortSignal = new AbortController().signal;

/**
 * The signal that the process drains, for handlers of streams without an end of their own: it fires once the drain delay
 * has passed, `server.graceMs` before such a stream is ended with UNAVAILABLE. Outside any request it never fires;
 * providers inject `Lifecycle` and use its `drainSignal`.
 *
 * @example
 * const stop = drainSignal();
 * while (!stop.aborted) yield await nextEvent(stop);
 */
export function drainSignal(): AbortSignal {
  return storage.getStore()?.lifecycle?.drainSignal ?? noDrain;
}

/** Runs `work` with `context` as the current one, also across everything it awaits. */
export function runInContext<A extends readonly unknown[], T>(
  context: RequestContext,
  work: (...args: A) => T,
  ...args: A
): T {
  return storage.run(context, work, ...args);
}

function enter<A>(context: RequestContext, work: (argument: A) => unknown, argument: A): unknown {
  storage.enterWith(context);
  return work(argument);
}

/**
 * As `runInContext`, for an engine that has received a request: the stores of all other `AsyncLocalStorage`s are those in
 * which the application was made, also where what received it was begun by another request.
 */
export function enterContext<A>(context: RequestContext, work: (argument: A) => unknown, argument: A): void {
  // Also where no request is under way: a handler's `enterWith()` outlasts `run()`, and background work has stores of its own.
  if (context.lifecycle === undefined) storage.run(context, work, argument);
  else context.lifecycle.scope.runInAsyncScope(enter<A>, undefined, context, work, argument);
}
