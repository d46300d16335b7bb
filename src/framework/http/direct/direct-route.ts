import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Live } from '../../core/index.js';
import type { HeaderField } from '../../http2/index.js';
import type { LimitOptions } from '../../pipeline/index.js';
import { isProbe } from '../request-hooks.js';
import type { RouteHandler } from '../route-handler.js';
import type { FixedHeaders } from '../security-headers.js';
import { type DirectReply, type DirectReplyClass, directReplyClass } from './direct-reply.js';
import type { FixedHeads } from './fixed-heads.js';
import type { FastifyParts, ReplyKeys, RouteContext } from './fastify-parts.js';

/** What serves a route, and how long it may take. */
export interface RouteTarget {
  readonly handler: RouteHandler;
  /** The route's own limit, in ms, which holds while the body is on its way too. */
  readonly timeoutMs: number | undefined;
}

/** What holds for all routes of an application. */
export interface DirectInit {
  /** Of every answer. */
  readonly headers: FixedHeaders;
  /** The same, as answers begin with them. */
  readonly heads: FixedHeads;
  /** The one parser for bodies that Fastify would choose. */
  readonly parser: unknown;
  /** What a body that it reads may be at the moment. */
  readonly limits: Live<LimitOptions>;
  /** Answers of this many bytes and more are compressed for who asks for it; `undefined`: none is. */
  readonly compressionMinBytes: number | undefined;
}

// Other methods with a body are left to Fastify.
const withBody: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);
const jsonType = /^application\/json(; ?charset=utf-8)?$/i;

/** A route as it is served past Fastify: all that can be said before a request comes. */
export class DirectRoute {
  readonly handler: RouteHandler;
  readonly operation: string;
  readonly timeoutMs: number | undefined;
  readonly isProbe: boolean;
  readonly takesBody: boolean;
  readonly keys: ReplyKeys;
  readonly compressionMinBytes: number;
  readonly #context: RouteContext;
  readonly #parser: unknown;
  readonly #Reply: DirectReplyClass;
  readonly #log: unknown;
  readonly #heads: FixedHeads;
  readonly #limits: Live<LimitOptions>;
  readonly #types = new Set<string>();

  /** @param reply of a request that Fastify serves */
  constructor(
    { handler, timeoutMs }: RouteTarget,
    { context, keys }: FastifyParts,
    reply: FastifyReply,
    init: DirectInit,
  ) {
    const { method, raw, log } = reply.request;
    this.handler = handler;
    this.timeoutMs = timeoutMs;
    this.operation = `${method} ${context.config.url}`;
    this.isProbe = isProbe(context.config.url);
    this.takesBody = withBody.has(raw.method ?? '');
    this.keys = keys;
    this.compressionMinBytes = init.compressionMinBytes ?? Number.POSITIVE_INFINITY;
    this.#context = context;
    this.#parser = init.parser;
    this.#limits = init.limits;
    this.#Reply = directReplyClass(context.Reply, keys, init.headers, reply);
    this.#log = log;
    this.#heads = init.heads;
  }

  /** Those of the moment. */
  get limits(): LimitOptions {
    return this.#limits.value;
  }

  /** How long a body of this type may be, in bytes; `undefined`: Fastify has to look at it. */
  bodyLimit(contentType: string): number | undefined {
    return this.#types.has(contentType) || this.#learnType(contentType) ? this.limits.maxBodyBytes : undefined;
  }

  requestOf(raw: unknown, params: unknown, query: unknown): FastifyRequest {
    const context = this.#context;
    const id = (context.server as unknown as { genReqId(raw: unknown): string }).genReqId(raw);
    return new context.Request(id, params, raw, query, this.#log, context);
  }

  replyOf(raw: unknown, request: FastifyRequest): DirectReply {
    return new this.#Reply(raw, request, this.#log);
  }

  /** What an answer in JSON begins with. */
  head(status: number): readonly HeaderField[] {
    return this.#heads.of(status);
  }

  #learnType(contentType: string): boolean {
    if (!jsonType.test(contentType)) return false;
    const parser = this.#context.contentTypeParser.getParser(contentType) as { readonly fn?: unknown } | undefined;
    // A limit of the route's own is Fastify's to watch; a route without one has that of the server, or none.
    const { server, _parserOptions } = this.#context;
    const { limit } = _parserOptions;
    if (parser?.fn !== this.#parser || (limit !== null && limit !== server.initialConfig.bodyLimit)) return false;
    // There are few ways to write it, and as many with other letters as a caller likes.
    if (this.#types.size < maxSpellings) this.#types.add(contentType);
    return true;
  }
}

const maxSpellings = 8;
