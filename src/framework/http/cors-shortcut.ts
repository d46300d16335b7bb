import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isComposed } from './composed-mark.js';

type Hook = (this: unknown, request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void) => void;

// What `enableCors()` leaves in Nest's adapter.
interface CorsParts {
  corsHook?: Hook;
  copyCorsHeadersToRaw?: (reply: FastifyReply) => void;
}

/** What the way past Fastify has to know of it. */
export interface CorsShortcut {
  readonly corsHook: unknown;
  /** By which middie knows that it has something to run. */
  readonly middlewareMark: symbol;
}

// By which middie knows that it has something to run.
const middlewareMark = 'fastify-middie-has-middlewares';

/**
 * Has a request of no other origin get its one header, `vary`, without the rest of CORS. Nest puts the headers on Node's
 * answer besides, for who writes there past Fastify; Node then merges all others into those one by one. On a route where
 * nobody does that, they stay with Fastify. Once the plugin is loaded; where Nest has changed, everything stays as it is.
 */
export function shortenCors(adapter: object, fastify: FastifyInstance): CorsShortcut | undefined {
  const parts = adapter as CorsParts;
  const { corsHook, copyCorsHeadersToRaw } = parts;
  const mark = Object.getOwnPropertySymbols(fastify).find((symbol) => symbol.description === middlewareMark);
  if (corsHook === undefined || copyCorsHeadersToRaw === undefined || mark === undefined) return undefined;
  const isShort = (request: FastifyRequest): boolean => {
    if (request.headers.origin !== undefined || request.method === 'OPTIONS') return false;
    if (Reflect.get(request.server, mark) !== false) return false;
    const { config } = request.routeOptions;
    return isComposed(config) && !('cors' in config);
  };
  // Nest copies within `done`, before anything else.
  let isNext = false;
  parts.corsHook = function (request, reply, done) {
    if (isShort(request) && reply.getHeader('vary') === undefined) {
      void reply.header('vary', 'Origin');
      isNext = true;
      done();
    } else corsHook.call(this, request, reply, done);
  };
  parts.copyCorsHeadersToRaw = (reply) => {
    if (!isNext) copyCorsHeadersToRaw.call(adapter, reply);
    isNext = false;
  };
  return { corsHook: parts.corsHook, middlewareMark: mark };
}
