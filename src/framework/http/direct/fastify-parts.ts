import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

// The one place that knows what Fastify keeps for itself about a route. None of it is public, so all of it is looked up
// when a route serves its first request; where anything is not as expected, Fastify serves the route.
// The version this was read at: fastify 5.12.8.

/** The lists of hooks that a request may pass. */
export const hookNames = [
  'onRequest',
  'preParsing',
  'preValidation',
  'preHandler',
  'preSerialization',
  'onSend',
  'onResponse',
  'onError',
  'onTimeout',
  'onRequestAbort',
] as const;

/** How many hooks there are by their name; none where it is not named. */
export type HookCounts = Readonly<Partial<Record<(typeof hookNames)[number], number>>>;

/** What Fastify knows of a route: its `Context`. */
export interface RouteContext {
  readonly Request: new (
    id: string,
    params: unknown,
    raw: unknown,
    query: unknown,
    log: unknown,
    context: RouteContext,
  ) => FastifyRequest;
  readonly Reply: new (raw: unknown, request: FastifyRequest, log: unknown) => FastifyReply;
  readonly contentTypeParser: { getParser(type: string): { readonly fn?: unknown; readonly asBuffer?: unknown } };
  readonly config: { readonly url?: string; readonly method?: unknown };
  readonly server: FastifyInstance;
  readonly schema: unknown;
  readonly handlerTimeout: number;
  readonly childLoggerFactory: unknown;
  readonly _parserOptions: { readonly limit: number | null };
}

/** Fastify's keys for what it keeps on a reply. */
export interface ReplyKeys {
  readonly headers: symbol;
  readonly trailers: symbol;
  readonly serializer: symbol;
  readonly isError: symbol;
  readonly isHijacked: symbol;
  readonly startTime: symbol;
  readonly endTime: symbol;
}

/** What was looked up in a request that Fastify is serving. */
export interface FastifyParts {
  readonly context: RouteContext;
  readonly keys: ReplyKeys;
}

/** The hooks of the application as a whole. */
export function rootHooks(fastify: FastifyInstance): HookCounts | undefined {
  const hooks = valueBehind(fastify, 'fastify.hooks') as Record<string, unknown[] | undefined> | undefined;
  if (hooks === undefined) return undefined;
  return Object.fromEntries(hookNames.map((name) => [name, hooks[name]?.length ?? 0]));
}

/** The logger factory that stands where nobody has set one. */
export function childLoggerFactory(fastify: FastifyInstance): unknown {
  return valueBehind(fastify, 'fastify.childLoggerFactory');
}

/** @returns `undefined` where this version of Fastify is built otherwise than expected */
export function partsOf(request: FastifyRequest, reply: FastifyReply): FastifyParts | undefined {
  const context = valueBehind(request, 'fastify.context') as RouteContext | undefined;
  const keys = {
    headers: keyOf(reply, 'fastify.reply.headers'),
    trailers: keyOf(reply, 'fastify.reply.trailers'),
    serializer: keyOf(reply, 'fastify.reply.serializer'),
    isError: keyOf(reply, 'fastify.reply.isError'),
    isHijacked: keyOf(reply, 'fastify.reply.hijacked'),
    startTime: keyOf(reply, 'fastify.reply.startTime'),
    endTime: keyOf(reply, 'fastify.reply.endTime'),
  };
  if (context === undefined || Object.values(keys).includes(undefined)) return undefined;
  const isAsExpected =
    typeof context.Request === 'function' &&
    typeof context.Reply === 'function' &&
    typeof context.contentTypeParser?.getParser === 'function' &&
    typeof context.config === 'object' &&
    typeof context._parserOptions === 'object' &&
    hookNames.slice(0, -1).every((name) => isHookList((context as unknown as Record<string, unknown>)[name]));
  return isAsExpected ? { context, keys: keys as ReplyKeys } : undefined;
}

/** Whether the route has just as many hooks as are `expected`, nobody else's, and nothing else of its own. */
export function isBare(context: RouteContext, expected: HookCounts, factory: unknown): boolean {
  const lists = context as unknown as Record<string, readonly unknown[] | null | undefined>;
  return (
    hookNames.every((name) => (lists[name]?.length ?? 0) === (expected[name] ?? 0)) &&
    context.schema === undefined &&
    context.handlerTimeout === 0 &&
    context.childLoggerFactory === factory &&
    !valueBehind(context, 'fastify.replySerializerDefault')
  );
}

function isHookList(value: unknown): boolean {
  return value === null || value === undefined || Array.isArray(value);
}

function keyOf(object: object, description: string): symbol | undefined {
  return Object.getOwnPropertySymbols(object).find((symbol) => symbol.description === description);
}

function valueBehind(object: object, description: string): unknown {
  const key = keyOf(object, description);
  return key === undefined ? undefined : Reflect.get(object, key);
}
