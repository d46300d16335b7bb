import type { RouteHandler } from '../route-handler.js';
import type { DirectRoute, RouteTarget } from './direct-route.js';

/** A route whose handler is a chain, and what has been found out of the way past Fastify. */
export class DirectSlot implements RouteTarget {
  readonly handler: RouteHandler;
  readonly timeoutMs: number | undefined;
  /** `undefined`: Fastify serves it. */
  route: DirectRoute | undefined;
  /** It has been looked at; what was found is for good, as Fastify takes no hooks once it is ready. */
  isKnown = false;

  constructor(handler: RouteHandler, timeoutMs: number | undefined) {
    this.handler = handler;
    this.timeoutMs = timeoutMs;
  }
}
