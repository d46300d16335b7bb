import type { FastifyReply, FastifyRequest } from 'fastify';
import type { RequestContext } from '../../core/index.js';
import type { FixedHeaders } from '../security-headers.js';
import type { ReplyKeys, RouteContext } from './fastify-parts.js';

const ownHeaders = Symbol('rookery.headers');
const ownContext = Symbol('rookery.context');

/**
 * Fastify's reply, whose headers are a record only when somebody wants to see or to change them: most handlers leave them
 * alone, and then they go out as they were written down at the start.
 */
export interface DirectReply extends FastifyReply {
  [ownHeaders]: Record<string, unknown> | undefined;
  [ownContext]: RequestContext | undefined;
}

/** Makes replies of one route. */
export type DirectReplyClass = new (raw: unknown, request: FastifyRequest, log: unknown) => DirectReply;

/** @param first a reply that Fastify made for the route, with all that the route's hooks put on it */
export function directReplyClass(
  Base: RouteContext['Reply'],
  keys: ReplyKeys,
  fixed: FixedHeaders,
  first: FastifyReply,
): DirectReplyClass {
  // By the hook of @fastify/compress; it is the same for all requests of a route.
  const { compress } = first as { compress?: unknown };
  class Direct extends (Base as new (...args: unknown[]) => object) {
    [ownHeaders]: Record<string, unknown> | undefined = undefined;
    [ownContext]: RequestContext | undefined = undefined;

    constructor(...args: unknown[]) {
      super(...args);
      if (compress !== undefined) (this as { compress?: unknown }).compress = compress;
    }

    get [keys.headers](): Record<string, unknown> {
      this[ownHeaders] ??= { ...fixed, 'x-request-id': this[ownContext]?.requestId };
      return this[ownHeaders];
    }

    set [keys.headers](headers: Record<string, unknown>) {
      this[ownHeaders] = headers;
    }
  }
  return Direct as unknown as DirectReplyClass;
}

/** Tells the reply whose answer it is. */
export function bindReply(reply: DirectReply, context: RequestContext): void {
  reply[ownContext] = context;
}

/** Whether nobody has looked at the headers. */
export function hasFixedHeaders(reply: DirectReply): boolean {
  return reply[ownHeaders] === undefined;
}
