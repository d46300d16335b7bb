import type { RouteHandler } from '../route-handler.js';
import type { DirectRoute } from './direct-route.js';

/** A route whose handler is a chain, and what has been found out of the way past Fastify. */
export class DirectSlot {
  readonly handler: RouteHandler;
  /** The route's own limit, in ms, which holds while the body is on its way too. */
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
