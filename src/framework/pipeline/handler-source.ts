import { type HttpServer, type INestApplicationContext, Logger } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { HandlerIndex, type HandlerRef } from './handler-index.js';
import type { RouteParts, RpcParts } from './handler-parts.js';
import { NestInternals } from './nest-internals.js';
import { timeoutOf } from './policy.guard.js';

/**
 * Where the faces learn what Nest would put around a handler, so that they can put it together themselves. Whatever is
 * not found here is served by Nest's own closure.
 */
export class HandlerSource {
  readonly #index: HandlerIndex;
  readonly #nest: NestInternals;

  private constructor(index: HandlerIndex, nest: NestInternals) {
    this.#index = index;
    this.#nest = nest;
  }

  /**
   * Looks at an application whose providers are made, before its handlers are bound.
   *
   * @returns `undefined` where this version of Nest is built otherwise than expected; the log says so
   */
  static async of(app: INestApplicationContext, adapter?: HttpServer): Promise<HandlerSource | undefined> {
    try {
      const nest = await NestInternals.load(app, adapter);
      return new HandlerSource(new HandlerIndex(app.get(ModulesContainer)), nest);
    } catch (error) {
      new Logger(HandlerSource.name).warn(
        `this version of Nest is built otherwise than expected, every request takes the longer way: ${String(error)}`,
      );
      return undefined;
    }
  }

  /** What stands around the RPC that was registered for the object `pattern`. */
  rpc(pattern: object): { readonly ref: HandlerRef; readonly parts: RpcParts } | undefined {
    const ref = this.#index.byPattern(pattern);
    const parts = ref && this.#nest.rpcParts(ref);
    return ref && parts && { ref, parts };
  }

  /** The limit that `@Timeout()` sets for the RPC that was registered for the object `pattern`, in ms. */
  rpcTimeoutMs(pattern: object): number | undefined {
    return timeoutOfRef(this.#index.byPattern(pattern));
  }

  /** The limit that `@Timeout()` sets for the route that Nest made the closure `route` for, in ms. */
  routeTimeoutMs(route: object): number | undefined {
    return timeoutOfRef(this.#index.byRoute(route));
  }

  /** What stands around the route that Nest made the closure `route` for. */
  route(route: object): { readonly ref: HandlerRef; readonly parts: RouteParts } | undefined {
    const ref = this.#index.byRoute(route);
    // Nest's keys: a route that is bound to a host gets a closure around the closure.
    if (ref === undefined || Reflect.getMetadata('host', ref.controller) !== undefined) return undefined;
    return { ref, parts: this.#nest.routeParts(ref, Reflect.getMetadata('method', ref.callback)) };
  }
}

function timeoutOfRef(ref: HandlerRef | undefined): number | undefined {
  return ref === undefined ? undefined : (timeoutOf(ref.controller, ref.callback) ?? undefined);
}
