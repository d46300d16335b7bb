import type { HttpServer } from '@nestjs/common';
import type { HandlerSource } from '../pipeline/index.js';
import { markComposed } from './composed-mark.js';
import { DirectSlot } from './direct/index.js';
import { HttpAdapter } from './http-adapter.js';
import type { RouteHandler } from './route-handler.js';
import { composeRoute } from './route-chain.js';

// By which Nest registers routes.
const verbs = ['get', 'post', 'put', 'patch', 'delete', 'head', 'options', 'search', 'query', 'all'] as const;

type Register = (...args: unknown[]) => unknown;

/** How many routes are served in which way; it grows as Nest registers them. */
export interface RouteCount {
  /** By a chain put together once. */
  composed: number;
  /** By the closure that Nest made. */
  left: number;
}

/**
 * Has the routes that Nest will register with `adapter` served by chains put together once, wherever that comes to the
 * same; before `app.init()`.
 */
export function composeRoutes(adapter: HttpServer, source: HandlerSource): Readonly<RouteCount> {
  const count: RouteCount = { composed: 0, left: 0 };
  const methods = adapter as unknown as Record<string, Register | undefined>;
  for (const verb of verbs) {
    const register = methods[verb]?.bind(adapter);
    if (register === undefined) continue;
    methods[verb] = (...args) => {
      const [path, route, ...others] = args;
      // Nest hands over a path and a closure; whoever watches the routes gets the closures.
      if (others.length > 0 || typeof route !== 'function' || isWatched(adapter)) return register(...args);
      const handler = replacementOf(route, source, adapter);
      count[handler === route ? 'left' : 'composed']++;
      return register(path, handler);
    };
  }
  return count;
}

function isWatched(adapter: HttpServer): boolean {
  return (adapter as { getOnRouteTriggered?: () => unknown }).getOnRouteTriggered?.() !== undefined;
}

function replacementOf(route: object, source: HandlerSource, adapter: HttpServer): unknown {
  const chain = composeRoute(source, route);
  if (chain === undefined) return route;
  const slot = new DirectSlot(chain, source.routeTimeoutMs(route));
  const handler: RouteHandler = (request, reply) => {
    if (adapter instanceof HttpAdapter) adapter.onChain(slot, request, reply);
    chain(request, reply);
  };
  // The adapter reads a route's version, constraints and schema from its closure.
  for (const key of Reflect.getMetadataKeys(route) as unknown[]) {
    Reflect.defineMetadata(key, Reflect.getMetadata(key, route), handler);
  }
  markComposed(handler, slot);
  return Object.assign(handler, route);
}
