import type {
  ArgumentMetadata,
  CanActivate,
  ExceptionFilter,
  ExecutionContext,
  NestInterceptor,
  PipeTransform,
} from '@nestjs/common';

/** One parameter of a handler. */
export interface HandlerParam {
  readonly index: number;
  /** Takes the value out of what Nest hands to the handler's chain. */
  readonly extract: (args: readonly unknown[]) => unknown;
  /** Nest's number for the kind of parameter; a name and a number for a custom decorator. */
  readonly type: number | string;
  /** The pipes concern it, and a promise is waited for. */
  readonly isPiped: boolean;
  /** What each pipe is told. */
  readonly metadata: ArgumentMetadata;
  /** The pipes of all levels, in their order. */
  readonly pipes: readonly PipeTransform[];
  /** Those of the parameter alone, the last of `pipes`. */
  readonly ownPipes: readonly PipeTransform[];
}

/** What Nest would put around a handler, in Nest's order: global, class, method. */
export interface HandlerParts {
  readonly guards: readonly CanActivate[];
  readonly interceptors: readonly NestInterceptor[];
  /** Empty: the handler takes the chain's own arguments. */
  readonly params: readonly HandlerParam[];
  readonly argsLength: number;
  /** The context that guards and custom decorators are given. */
  readonly contextOf: (args: readonly unknown[]) => ExecutionContext;
}

/** The parts of an RPC. */
export interface RpcParts extends HandlerParts {
  readonly globalFilters: readonly ExceptionFilter[];
  /** Filters stand on the class or the method. */
  readonly hasOwnFilters: boolean;
  /** Nest's way with an error: what it returns is the answer. */
  readonly handleError: (error: unknown, args: readonly unknown[]) => unknown;
}

/** The parts of a route. */
export interface RouteParts extends HandlerParts {
  readonly status: number;
  readonly headers: readonly { readonly name: string; readonly value: string | (() => string) }[];
  /** An answer that is more than a value to send: events, a page, a redirection, or one the handler sends by itself. */
  readonly isSpecial: boolean;
  /** Sends a value. */
  readonly send: (response: unknown, value: unknown) => void;
  /** Nest's way to answer with streams, files and Observables. */
  readonly respond: (value: unknown, response: unknown, request: unknown, streams: unknown[]) => Promise<unknown>;
  /** Nest's way with an error. */
  readonly handleError: (error: unknown, args: readonly unknown[]) => void;
}
