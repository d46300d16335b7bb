import type {
  ArgumentMetadata,
  CanActivate,
  ExecutionContext,
  HttpServer,
  INestApplicationContext,
  NestInterceptor,
  PipeTransform,
} from '@nestjs/common';
import { type ApplicationConfig, ExternalContextCreator, type NestContainer } from '@nestjs/core';
import type { HandlerRef } from './handler-index.js';
import type { HandlerParam, HandlerParts, RouteParts, RpcParts } from './handler-parts.js';

// The one place that knows how Nest puts a handler together. None of it is public, so all of it is looked up when an
// application starts and checked there; where anything is not as expected, handlers run by the closures that Nest made.
// The versions this was read at: @nestjs/core 12.5.1, @nestjs/microservices 12.1.1.

type Arguments = readonly unknown[];

interface Creator<T> {
  create(instance: object, callback: unknown, moduleKey: string, contextId?: unknown, inquirerId?: string): T;
}

interface ParamProperties {
  readonly index: number;
  readonly type: number | string;
  readonly data: unknown;
  readonly metatype?: unknown;
  readonly schema?: unknown;
  readonly pipes: PipeTransform[];
  extractValue(...args: unknown[]): unknown;
}

interface HandlerMetadata {
  readonly argsLength: number;
  readonly paramtypes: unknown[] | undefined;
  getParamsMetadata(moduleKey: string, contextId?: unknown, inquirerId?: string): ParamProperties[];
}

interface RouteMetadata extends HandlerMetadata {
  readonly httpStatusCode: number;
  readonly responseHeaders: RouteParts['headers'];
  readonly isSseHandler: boolean;
  fnHandleResponse(
    value: unknown,
    response: unknown,
    request: unknown,
    observed: undefined,
    streams: unknown[],
  ): Promise<unknown>;
}

interface Host extends ExecutionContext {
  setType(type: string): void;
}

interface Found {
  readonly config: ApplicationConfig;
  readonly guards: Creator<CanActivate[]>;
  readonly interceptors: Creator<NestInterceptor[]>;
  readonly pipes: Creator<PipeTransform[]>;
  readonly rpc: { getMetadata(...args: unknown[]): HandlerMetadata };
  readonly rpcDefaults: Readonly<Record<string, unknown>>;
  readonly rpcFilters: Creator<{ handle(error: unknown, host: Host): unknown; readonly filters?: readonly unknown[] }>;
  readonly router: {
    getMetadata(...args: unknown[]): RouteMetadata;
    readonly applicationRef: HttpServer;
    isPipeable(type: number | string): boolean;
    isResponseHandled(instance: object, method: string, params: ParamProperties[]): boolean;
    reflectRedirect(callback: unknown): unknown;
    reflectRenderTemplate(callback: unknown): unknown;
  };
  readonly routeFilters: Creator<{ next(error: unknown, host: Host): void }>;
  readonly Host: new (args: Arguments, type?: unknown, handler?: unknown) => Host;
  readonly merge: (params: ParamProperties[], types: unknown[] | undefined) => ParamProperties[];
  readonly kindOf: (type: number | string) => ArgumentMetadata['type'];
}

/** Reads what Nest knows of handlers. */
export class NestInternals {
  readonly #nest: Found;

  private constructor(nest: Found) {
    this.#nest = nest;
  }

  /** @throws what is missing or not as expected */
  static async load(app: INestApplicationContext, adapter: HttpServer | undefined): Promise<NestInternals> {
    const found = await find(app, adapter);
    checkShape(found);
    return new NestInternals(found);
  }

  /** `undefined`: something stands before the guards, which only Nest's closure calls. */
  rpcParts(ref: HandlerRef): RpcParts | undefined {
    const nest = this.#nest;
    if (nest.config.getGlobalPreRequestHooks().length > 0) return undefined;
    const { instance, callback, moduleKey, methodName } = ref;
    const metadata = nest.rpc.getMetadata(instance, methodName, nest.rpcDefaults, 'rpc');
    const params = nest.merge(metadata.getParamsMetadata(moduleKey), metadata.paramtypes);
    const handler = nest.rpcFilters.create(instance, callback, moduleKey);
    const globalFilters = nest.config.getGlobalFilters();
    return {
      ...this.#common(ref, metadata, params, 'rpc'),
      globalFilters: [...globalFilters],
      hasOwnFilters: handler.filters?.length !== globalFilters.length,
      handleError: (error, args) => {
        const host = new nest.Host(args);
        host.setType('rpc');
        return handler.handle(error, host);
      },
    };
  }

  routeParts(ref: HandlerRef, requestMethod: unknown): RouteParts {
    const nest = this.#nest;
    const { instance, callback, moduleKey, methodName, wrapperId } = ref;
    const metadata = nest.router.getMetadata(instance, callback, methodName, moduleKey, requestMethod, 'http');
    const params = metadata.getParamsMetadata(moduleKey, undefined, wrapperId);
    const handler = nest.routeFilters.create(instance, callback, moduleKey, undefined, wrapperId);
    return {
      ...this.#common(ref, metadata, nest.merge(params, metadata.paramtypes), 'http', wrapperId),
      status: metadata.httpStatusCode,
      headers: metadata.responseHeaders,
      isSpecial:
        metadata.isSseHandler ||
        nest.router.isResponseHandled(instance, methodName, params) ||
        nest.router.reflectRedirect(callback) !== undefined ||
        nest.router.reflectRenderTemplate(callback) !== undefined,
      send: (response, value) => void nest.router.applicationRef.reply(response, value),
      respond: (value, response, request, streams) =>
        metadata.fnHandleResponse(value, response, request, undefined, streams),
      handleError: (error, args) => handler.next(error, new nest.Host(args)),
    };
  }

  #common(
    { instance, callback, moduleKey }: HandlerRef,
    { argsLength }: HandlerMetadata,
    params: readonly ParamProperties[],
    type: 'rpc' | 'http',
    inquirerId?: string,
  ): HandlerParts {
    const nest = this.#nest;
    const pipes = nest.pipes.create(instance, callback, moduleKey, undefined, inquirerId);
    return {
      guards: nest.guards.create(instance, callback, moduleKey, undefined, inquirerId),
      interceptors: nest.interceptors.create(instance, callback, moduleKey, undefined, inquirerId),
      argsLength,
      params: params.map((param): HandlerParam => {
        const isPiped = type === 'rpc' || nest.router.isPipeable(param.type);
        return {
          index: param.index,
          extract: (args) => param.extractValue(...args),
          type: param.type,
          isPiped,
          metadata: {
            metatype: param.metatype,
            type: nest.kindOf(param.type),
            data: param.data,
            schema: param.schema,
          } as ArgumentMetadata,
          pipes: isPiped ? pipes.concat(param.pipes) : [],
          ownPipes: param.pipes,
        };
      }),
      contextOf: (args) => {
        const host = new nest.Host(args, instance.constructor, callback);
        host.setType(type);
        return host;
      },
    };
  }
}

async function find(app: INestApplicationContext, adapter: HttpServer | undefined): Promise<Found> {
  const { container, guardsContextCreator, interceptorsContextCreator, pipesContextCreator } = app.get<
    unknown,
    Record<string, unknown> & { readonly container: NestContainer }
  >(ExternalContextCreator);
  const { applicationConfig: config } = container;
  const [core, rpc, rpcFilters, rpcDefaults, router, routeFilters, routeParams] = await Promise.all([
    import('@nestjs/core/internal'),
    import('@nestjs/microservices/context/rpc-context-creator.js'),
    import('@nestjs/microservices/context/exception-filters-context.js'),
    import('@nestjs/microservices/context/rpc-metadata-constants.js'),
    import('@nestjs/core/router/router-execution-context.js'),
    import('@nestjs/core/router/router-exception-filters.js'),
    import('@nestjs/core/router/route-params-factory.js'),
  ]);
  const utils = new core.ContextUtils();
  const tokens = new core.ParamsTokenFactory();
  const found: Record<keyof Found, unknown> = {
    config,
    guards: guardsContextCreator,
    interceptors: interceptorsContextCreator,
    pipes: pipesContextCreator,
    // Of each only what reads metadata is asked; the rest of what they work with stays out.
    rpc: make(rpc.RpcContextCreator, undefined, undefined, pipesContextCreator),
    rpcDefaults: rpcDefaults.DEFAULT_GRPC_CALLBACK_METADATA,
    rpcFilters: make(rpcFilters.ExceptionFiltersContext, container, config),
    router: make(
      router.RouterExecutionContext,
      make(routeParams.RouteParamsFactory, config),
      pipesContextCreator,
      ...[undefined, undefined, undefined, undefined, undefined],
      adapter,
    ),
    routeFilters: make(routeFilters.RouterExceptionFilters, container, config, adapter),
    Host: core.ExecutionContextHost,
    merge: utils.mergeParamsMetatypes.bind(utils),
    kindOf: tokens.exchangeEnumForString.bind(tokens),
  };
  return found as unknown as Found;
}

function make(type: abstract new (...args: never) => object, ...args: readonly unknown[]): unknown {
  return Reflect.construct(type, args);
}

function checkShape(nest: Found): void {
  const methods: readonly (readonly [object, ...string[]])[] = [
    [nest.config, 'getGlobalPreRequestHooks', 'getGlobalFilters'],
    [nest.guards, 'create'],
    [nest.interceptors, 'create'],
    [nest.pipes, 'create'],
    [nest.rpc, 'getMetadata'],
    [nest.rpcFilters, 'create'],
    [nest.router, 'getMetadata', 'isPipeable', 'isResponseHandled', 'reflectRedirect', 'reflectRenderTemplate'],
    [nest.routeFilters, 'create'],
  ];
  for (const [object, ...names] of methods) {
    for (const name of names) {
      if (typeof (object as Record<string, unknown> | undefined)?.[name] !== 'function')
        throw new Error(`${name}: not there (expected: a method of Nest)`);
    }
  }
}
