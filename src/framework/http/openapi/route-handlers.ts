import type { DescMethod } from '@bufbuild/protobuf';
import { StreamableFile } from '@nestjs/common';
import {
  HEADERS_METADATA,
  METHOD_METADATA,
  PARAMTYPES_METADATA,
  ROUTE_ARGS_METADATA,
  SSE_METADATA,
} from '@nestjs/common/constants.js';
import { RouteParamtypes } from '@nestjs/common/enums/route-paramtypes.enum.js';
import { MetadataScanner, ModulesContainer } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { type AccessRule, accessRuleOf, type ControllerClass } from '../../auth/index.js';
import { metadataKeys } from '../../core/index.js';
import { type DtoClass, InputPipe } from '../../pipeline/index.js';

/** How a handler's value becomes an HTTP answer. */
type AnswerForm = 'envelope' | 'raw' | 'lines' | 'events';

/** A controller method behind a route, as its decorators describe it. */
export interface RouteHandler {
  readonly controller: ControllerClass;
  readonly method: object;
  readonly access: AccessRule;
  /** The RPC that the same method implements. */
  readonly rpc: DescMethod | undefined;
  /** Class of `@Input()`. */
  readonly input: DtoClass | undefined;
  /** Classes of Nest's own `@Body()`, `@Query()`, `@Param()` where they take everything there is. */
  readonly body: DtoClass | undefined;
  readonly query: DtoClass | undefined;
  readonly params: DtoClass | undefined;
  readonly answer: AnswerForm;
  /** What `@Header('content-type', …)` says. */
  readonly contentType: string | undefined;
  /** Constructor of the declared return type; `undefined` for void or where the compiler told none. */
  readonly returnType: unknown;
  readonly returnsNothing: boolean;
}

interface RouteArgument {
  readonly index: number;
  readonly data?: unknown;
  readonly pipes?: readonly unknown[];
}

/** Every controller method of the application that has a route. */
export function routeHandlers(app: NestFastifyApplication): RouteHandler[] {
  const scanner = new MetadataScanner();
  const modules = [...app.get(ModulesContainer).values()];
  return modules.flatMap((module) =>
    [...module.controllers.values()].flatMap(({ metatype }) => {
      if (typeof metatype !== 'function') return [];
      const controller = metatype as ControllerClass;
      return scanner.getAllMethodNames(controller.prototype).flatMap((name) => handlerOf(controller, name) ?? []);
    }),
  );
}

function handlerOf(controller: ControllerClass, name: string): RouteHandler | undefined {
  const method = (controller.prototype as Record<string, unknown>)[name] as object;
  if (!Reflect.hasMetadata(METHOD_METADATA, method)) return undefined;
  const rpc = Reflect.getMetadata(metadataKeys.rpc, method) as DescMethod | undefined;
  const args = argumentsOf(controller, name);
  const types = (Reflect.getMetadata(PARAMTYPES_METADATA, controller.prototype, name) ?? []) as readonly unknown[];
  const whole = (kind: RouteParamtypes): DtoClass | undefined => {
    const [, found] = args.find(([key, one]) => key.startsWith(`${kind}:`) && one.data === undefined) ?? [];
    return found === undefined ? undefined : dtoClass(types[found.index]);
  };
  const [, input] =
    args.find(([, one]) => one.pipes?.some((pipe) => pipe === InputPipe || pipe instanceof InputPipe)) ?? [];
  const returnType: unknown = Reflect.getMetadata('design:returntype', controller.prototype, name);
  return {
    controller,
    method,
    access: accessRuleOf(controller, method),
    rpc,
    input: input === undefined ? undefined : dtoClass(input.data ?? types[input.index]),
    body: whole(RouteParamtypes.BODY),
    query: whole(RouteParamtypes.QUERY),
    params: whole(RouteParamtypes.PARAM),
    answer: answerForm(controller, method, rpc, returnType),
    contentType: contentTypeOf(method),
    returnType,
    returnsNothing: Reflect.hasMetadata('design:returntype', controller.prototype, name) && returnType === undefined,
  };
}

function contentTypeOf(method: object): string | undefined {
  const headers: unknown = Reflect.getMetadata(HEADERS_METADATA, method);
  const all = (headers ?? []) as readonly { name: string; value: unknown }[];
  const value = all.find(({ name }) => name.toLowerCase() === 'content-type')?.value;
  return typeof value === 'string' ? value : undefined;
}

// Keys are `<kind>:<index>` for Nest's own decorators and `<id>__customRouteArgs__:<index>` for others.
function argumentsOf(controller: ControllerClass, name: string): readonly (readonly [string, RouteArgument])[] {
  const args: unknown = Reflect.getMetadata(ROUTE_ARGS_METADATA, controller, name);
  return Object.entries((args ?? {}) as Record<string, RouteArgument>);
}

const builtIn: ReadonlySet<unknown> = new Set([
  Object,
  Array,
  String,
  Number,
  Boolean,
  Date,
  Promise,
  Map,
  Set,
  Buffer,
]);

function dtoClass(type: unknown): DtoClass | undefined {
  return typeof type === 'function' && !builtIn.has(type) ? (type as DtoClass) : undefined;
}

function answerForm(controller: object, method: object, rpc: DescMethod | undefined, returnType: unknown): AnswerForm {
  const told = (key: string): boolean =>
    (Reflect.getMetadata(key, method) ?? (Reflect.getMetadata(key, controller) as unknown)) === true;
  if (told(SSE_METADATA)) return 'events';
  if (rpc?.methodKind === 'server_streaming' || rpc?.methodKind === 'bidi_streaming') return 'lines';
  return told(metadataKeys.raw) || returnType === StreamableFile ? 'raw' : 'envelope';
}
