import { StreamableFile } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyContentTypeParser, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type Live, mediaTypeOf, type RookeryError } from '../core/index.js';
import {
  type LimitOptions,
  maxHeaderBytesBound,
  MessageTooDeepError,
  type RequestGate,
  RequestTooLargeError,
  TooManyElementsError,
} from '../pipeline/index.js';
import { decoratePeer } from './request-peer.js';
import { readBody } from './body-reader.js';
import { decodeBody } from './coded-body.js';
import { slotOf } from './composed-mark.js';
import { DirectLane, rootHooks } from './direct/index.js';
import type { DirectSlot, HookCounts, LaneOpening } from './direct/index.js';
import { exchangeOf } from './exchange.js';
import { MalformedBodyError, UnsupportedContentTypeError } from './http.errors.js';
import { parseJsonBody } from './json-body.js';
import { JsonSize } from './json-size.js';
import { replyFailure } from './reply-failure.js';
import { beginExchange, openExchange, resumeExchange } from './request-hooks.js';
import type { RestRequest } from './rest-request.js';
import type { RestResponse } from './rest-response.js';
import { RouteTable } from './route-table.js';
import { securityHeaders } from './security-headers.js';
import { watchSource } from './source-failure.js';

/** What the adapter needs of the application around it. */
export interface HttpAdapterInit {
  readonly gate: RequestGate;
  readonly limits: Live<LimitOptions>;
  /** Whether `server.trustProxy` trusts any proxy at the moment. */
  readonly trustsProxies: () => boolean;
  /** Whether every answer has the headers of helmet. */
  readonly securityHeaders: boolean;
}

/**
 * Nest's Fastify adapter with this package's pipeline around it: every request gets a context before anything else,
 * every answer that is not a handler's own (broken body, unknown route, refused request) has the envelope's form.
 */
export class HttpAdapter extends FastifyAdapter {
  #hasErrorHandler = false;
  readonly #routes: RouteTable;
  readonly #parser: JsonParser;
  readonly #open: (request: FastifyRequest, reply: FastifyReply) => RookeryError | undefined;
  readonly #lane: DirectLane;
  #ownHooks: HookCounts | undefined;
  #hasParser = false;

  constructor(init: HttpAdapterInit) {
    const limits = init.limits.value;
    const routes = new RouteTable();
    const headers = init.securityHeaders ? securityHeaders() : {};
    const open = (request: FastifyRequest, reply: FastifyReply): RookeryError | undefined => {
      void reply.headers(headers);
      return openExchange(init.gate, request, reply, slotOf(request.routeOptions?.config)?.timeoutMs);
    };
    super({
      // For parsers of the application's own; ours asks anew for each request.
      bodyLimit: limits.maxBodyBytes,
      // The path is decoded by the router; longer parameters than the largest header block can hold cannot arrive.
      routerOptions: { maxParamLength: maxHeaderBytesBound },
      // Of Node's own server, which gets what somebody upgrades.
      http: { maxHeaderSize: maxHeaderBytesBound },
      frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) => {
        // Refused by the router, before any hook: the exchange is opened here so that the request is counted and logged.
        open(request, reply);
        replyFailure(request, reply, error);
      },
    });
    this.#routes = routes;
    this.#parser = jsonParser(init.limits);
    this.#open = open;
    const fastify = this.getInstance<FastifyInstance>();
    decoratePeer(fastify, init.trustsProxies);
    this.#lane = new DirectLane({
      gate: init.gate,
      fastify,
      adapter: this as never,
      headers,
      parser: this.#parser,
      limits: init.limits,
    });
    this.#addHooks(fastify, init.limits);
    // In their turn behind all of these, and before those of anybody else.
    fastify.after(() => {
      this.#ownHooks = rootHooks(fastify);
    });
  }

  /** Serves a request of the port: past Fastify where that comes to the same. */
  serve(request: RestRequest, response: RestResponse): void {
    if (!this.#lane.serve(request, response))
      this.getInstance<FastifyInstance>().routing(request as never, response as never);
  }

  /** @internal Opens the way past Fastify, where `hooks` are those that plugins of the framework have added. */
  openLane({ hooks, ...opening }: LaneOpening): void {
    const own = this.#ownHooks;
    if (own === undefined) return;
    const names = [...new Set([...Object.keys(own), ...Object.keys(hooks)])] as (keyof HookCounts)[];
    const all = Object.fromEntries(names.map((name) => [name, (own[name] ?? 0) + (hooks[name] ?? 0)]));
    this.#lane.open({ ...opening, hooks: all });
  }

  /** @internal A route that is a chain has its first request, or another one that Fastify serves. */
  onChain(slot: DirectSlot, request: FastifyRequest, reply: FastifyReply): void {
    if (!slot.isKnown) this.#lane.learn(slot, request, reply);
  }

  /** @internal Every route that is served, by method and path as Fastify writes it. */
  get routes(): RouteTable['routes'] {
    return this.#routes.routes;
  }

  /** Makes the paths of RPCs known: what is sent there and is no call is refused as such. */
  addRpcs(isRpc: (path: string) => boolean): void {
    this.#routes.addRpcs(isRpc);
  }

  override reply(...args: Parameters<FastifyAdapter['reply']>): ReturnType<FastifyAdapter['reply']> {
    const [response, body] = args as [object, unknown];
    if (body instanceof StreamableFile && 'raw' in response) watchSource(response as FastifyReply, body.getStream());
    return super.reply(...args);
  }

  override setErrorHandler(): FastifyInstance {
    const fastify = this.getInstance<FastifyInstance>();
    // Nest calls it when the routes of plugins have theirs already.
    if (this.#hasErrorHandler) return fastify;
    this.#hasErrorHandler = true;
    return fastify.setErrorHandler((error, request, reply) => {
      // A method that Fastify's router has no table for comes here past all hooks.
      if (exchangeOf(request.raw) === undefined) this.#open(request, reply);
      const isMoot = request.is404 && isAboutBody(error);
      replyFailure(request, reply, isMoot ? this.#refusal(request) : error);
    });
  }

  override setNotFoundHandler(): FastifyInstance {
    // Fastify takes all options of a route here; its types know two of them.
    const options: object = { config: notFoundConfig };
    return this.getInstance<FastifyInstance>().setNotFoundHandler(options, this.#answerNotFound);
  }

  override registerParserMiddleware(): void {
    if (this.#hasParser) return;
    this.#hasParser = true;
    const fastify = this.getInstance<FastifyInstance>();
    fastify.removeAllContentTypeParsers();
    fastify.addContentTypeParser(/^application\/(json|[\w.!#$&^-]+\+json)[ \t]*(;|$)/i, this.#parser);
  }

  /** Why a request that no route serves is refused. */
  refusal(method: string, url: string, contentType: string | undefined): RookeryError {
    return this.#routes.refusal(method, url.split('?', 1)[0] as string, contentType);
  }

  readonly #answerNotFound = (request: FastifyRequest, reply: FastifyReply): void => {
    const methods = this.#routes.methodsOf(pathOf(request));
    if (request.method === 'OPTIONS' && methods.length > 0) {
      void reply
        .code(204)
        .header('allow', ['OPTIONS', ...methods].join(', '))
        .send();
      return;
    }
    replyFailure(request, reply, this.#refusal(request));
  };

  #refusal({ method, url, headers }: FastifyRequest): RookeryError {
    return this.refusal(method, url, headers['content-type']);
  }

  #addHooks(fastify: FastifyInstance, limits: Live<LimitOptions>): void {
    fastify.addHook('onRoute', (route) => {
      const isPlain = Object.keys(route.constraints ?? {}).length === 0;
      const slot = isPlain ? slotOf(route.config) : undefined;
      for (const method of [route.method].flat()) {
        this.#routes.add(method, route.url);
        this.#lane.addRoute(method, route.url, method === 'HEAD' ? undefined : slot);
        // Of a plugin's root, Fastify tells one of the two paths that it adds.
        if (route.prefix !== '' && !route.url.endsWith('/')) this.#lane.addRoute(method, `${route.url}/`, undefined);
      }
    });
    fastify.addHook('onRequest', (request, reply, done) => {
      const refusal = this.#open(request, reply);
      if (refusal === undefined) resumeExchange(request, done);
      else replyFailure(request, reply, refusal);
    });
    fastify.addHook('preParsing', (request, reply, payload, done) => {
      decodeBody(request, reply, payload, limits.value.maxBodyBytes, done);
    });
    // Reading a body loses the asynchronous context: its events belong to the connection, not to the request.
    fastify.addHook('preValidation', (request, reply, done) => {
      const refusal = isNotFound(request) ? undefined : beginExchange(request);
      if (refusal === undefined) resumeExchange(request, done);
      else replyFailure(request, reply, refusal);
    });
  }
}

type JsonParser = FastifyContentTypeParser;

/** Marks what no route serves. A plugin may answer that itself, with the body. */
const notFoundConfig = {};

function isNotFound(request: FastifyRequest): boolean {
  return request.is404 && request.routeOptions.config === notFoundConfig;
}

// Up to the limit of the moment.
function jsonParser(limits: Live<LimitOptions>): JsonParser {
  return (request: FastifyRequest, payload, done): void => {
    // The head alone decides that: the body is not read.
    if (isNotFound(request)) {
      done(null);
      return;
    }
    const { 'content-type': type = '' } = request.headers;
    // Fastify trims more than SP and HTAB, and skips malformed parameters.
    if (mediaTypeOf(type) === undefined) {
      done(new UnsupportedContentTypeError(type));
      return;
    }
    const limit = limits.value;
    const exchange = exchangeOf(request.raw);
    const size = JsonSize.ofBody(request.headers['content-length'], limit);
    const keep = (piece: Buffer): Error | undefined =>
      exchange?.gate.keep(exchange.context, piece.length) ?? size?.add(piece);
    readBody(request, payload, limit.maxBodyBytes, keep, (error, body) => {
      if (body === undefined) done(error);
      else parseInto(body, limit, size !== undefined, done);
    });
  };
}

function parseInto(
  body: Buffer,
  limits: LimitOptions,
  isMeasured: boolean,
  done: (error: Error | null, value?: unknown) => void,
): void {
  let value: unknown;
  try {
    value = parseJsonBody(body, limits, isMeasured);
  } catch (error) {
    done(error as Error);
    return;
  }
  done(null, value);
}

const bodyErrors = [MalformedBodyError, MessageTooDeepError, RequestTooLargeError, TooManyElementsError];

// Where there is no route, nobody would have read the body: what is wrong with it is no matter.
function isAboutBody(error: unknown): boolean {
  if (bodyErrors.some((each) => error instanceof each)) return true;
  return String((error as { code?: unknown }).code).startsWith('FST_ERR_');
}

function pathOf(request: FastifyRequest): string {
  return request.url.split('?', 1)[0] as string;
}
