import { tracingChannel } from 'node:diagnostics_channel';
import { VersioningType } from '@nestjs/common';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Live } from '../../core/index.js';
import type { LimitOptions, RequestGate } from '../../pipeline/index.js';
import type { RestRequest } from '../rest-request.js';
import type { RestResponse } from '../rest-response.js';
import type { FixedHeaders } from '../security-headers.js';
import { DirectRoute } from './direct-route.js';
import type { DirectSlot } from './direct-slot.js';
import { DirectWork } from './direct-work.js';
import { childLoggerFactory, type HookCounts, isBare, partsOf } from './fastify-parts.js';
import { FixedHeads } from './fixed-heads.js';
import { NullRecord } from './null-record.js';
import { RouteTree } from './route-tree.js';

/** What of Nest's adapter takes part in each request. */
export interface AdapterState {
  readonly onRequestHook?: unknown;
  readonly onResponseHook?: unknown;
  readonly securityHook?: unknown;
  readonly corsHook?: unknown;
  readonly return503OnClosing?: unknown;
  readonly isShuttingDown?: unknown;
  readonly versioningOptions?: { readonly type: VersioningType } | undefined;
}

const stateNames = [
  'onRequestHook',
  'onResponseHook',
  'securityHook',
  'corsHook',
  'return503OnClosing',
  'isShuttingDown',
] as const;

/** What the way past Fastify has to know. */
export interface DirectLaneInit {
  readonly gate: RequestGate;
  readonly fastify: FastifyInstance;
  readonly adapter: AdapterState;
  /** Of every answer. */
  readonly headers: FixedHeaders;
  /** The parser of JSON bodies that Fastify was given. */
  readonly parser: unknown;
  readonly limits: Live<LimitOptions>;
}

/** What is there when the plugins of the REST side are. */
export interface LaneOpening {
  /** All hooks that a route of the framework's has, whose doing the lane stands for. */
  readonly hooks: HookCounts;
  /** The hook that gives answers to callers of no other origin their one header. */
  readonly corsHook: unknown;
  /** middie's own word on whether there is any middleware. */
  readonly middlewareMark: symbol;
  readonly compressionMinBytes: number | undefined;
}

// What listens there wants to hear of every handler's beginning and end.
const handlerChannel = tracingChannel('fastify.request.handler');

/**
 * The short way for a request whose route is a chain and has no hooks but the framework's own: from the router straight
 * into the chain, with requests and replies that are Fastify's. What the hooks would have done is done at once, or was
 * done at the start. Everything else goes through Fastify, and so does the first request of every route, by which the
 * lane learns about it.
 */
export class DirectLane {
  readonly #init: DirectLaneInit;
  readonly #tree = new RouteTree<DirectSlot>();
  readonly #loggerFactory: unknown;
  readonly #headers: FixedHeaders;
  readonly #heads: FixedHeads;
  #opening: LaneOpening | undefined;
  #isClosing = false;

  constructor(init: DirectLaneInit) {
    this.#init = init;
    this.#headers = { ...init.headers, vary: 'Origin' };
    this.#heads = new FixedHeads(this.#headers);
    this.#loggerFactory = childLoggerFactory(init.fastify);
    init.fastify.addHook('preClose', (done) => {
      this.#isClosing = true;
      done();
    });
  }

  /** Until then every request goes through Fastify. */
  open(opening: LaneOpening): void {
    if (stateNames.every((name) => name in this.#init.adapter)) this.#opening = opening;
  }

  /** @param slot `undefined` for a route that is not the lane's, but may be the one that a path means */
  addRoute(method: string, url: string, slot: DirectSlot | undefined): void {
    this.#tree.add(method, url, slot);
  }

  /** Looks at a route by a request that Fastify serves. */
  learn(slot: DirectSlot, request: FastifyRequest, reply: FastifyReply): void {
    if (this.#opening === undefined) return;
    slot.isKnown = true;
    const { fastify, parser, limits } = this.#init;
    const { hooks, compressionMinBytes } = this.#opening;
    const parts = partsOf(request, reply);
    if (parts === undefined || parts.context.server !== fastify || 'cors' in parts.context.config) return;
    if (!isBare(parts.context, hooks, this.#loggerFactory)) return;
    slot.route = new DirectRoute(slot, parts, reply, {
      headers: this.#headers,
      heads: this.#heads,
      parser,
      limits,
      compressionMinBytes,
    });
  }

  /** @returns false: nothing has been done, Fastify has to serve it */
  serve(raw: RestRequest, response: RestResponse): boolean {
    if (raw.refusal !== undefined || !this.#isOpen()) return false;
    const { method, url } = raw;
    const queryAt = url.indexOf('?');
    const found = this.#tree.find(method, queryAt < 0 ? url : url.slice(0, queryAt));
    const route = found?.target.route;
    if (found === undefined || route === undefined) return false;
    if (raw.field('origin') !== undefined || raw.field('expect') !== undefined) return false;
    const limitBytes = route.takesBody ? limitOf(raw, route) : undefined;
    if (limitBytes === refused) return false;
    // The router's own way to read a query.
    const routed = queryAt < 0 ? undefined : this.#init.fastify.findRoute({ method, url });
    if (queryAt >= 0 && routed === null) return false;
    const query =
      routed === undefined ? new NullRecord() : (routed as unknown as { searchParams: object }).searchParams;
    const request = route.requestOf(raw, found.params, query);
    const reply = route.replyOf(response, request);
    new DirectWork(route, this.#init.gate, request, reply).start(limitBytes);
    return true;
  }

  #isOpen(): boolean {
    const opening = this.#opening;
    if (opening === undefined || this.#isClosing || handlerChannel.hasSubscribers) return false;
    const { adapter, fastify } = this.#init;
    return (
      adapter.onRequestHook === undefined &&
      adapter.onResponseHook === undefined &&
      adapter.securityHook === undefined &&
      adapter.corsHook === opening.corsHook &&
      (adapter.isShuttingDown !== true || adapter.return503OnClosing !== true) &&
      (adapter.versioningOptions === undefined || adapter.versioningOptions.type === VersioningType.URI) &&
      Reflect.get(fastify, opening.middlewareMark) === false
    );
  }
}

const refused = -1;

// As Fastify decides whether there is a body: `undefined` where there is none, `refused` where it has to look.
function limitOf(raw: RestRequest, route: DirectRoute): number | undefined {
  const type = raw.field('content-type');
  const length = raw.field('content-length');
  if (type === undefined) {
    const isEmpty = (length === undefined || length === '0') && raw.field('transfer-encoding') === undefined;
    return isEmpty ? undefined : refused;
  }
  if (raw.field('content-encoding') !== undefined) return refused;
  const limit = route.bodyLimit(type);
  return limit === undefined || Number(length ?? 0) > limit ? refused : limit;
}
