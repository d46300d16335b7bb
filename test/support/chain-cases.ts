import {
  type ArgumentMetadata,
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  Catch,
  createParamDecorator,
  type ExceptionFilter,
  type ExecutionContext,
  type NestInterceptor,
  type PipeTransform,
  type Type,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
} from '@nestjs/common';
import { EMPTY, map, type Observable, of, throwError } from 'rxjs';

/** What ran, in its order. Emptied before each run. */
export const log: string[] = [];

export class OwnError extends Error {}
class OtherError extends Error {}

const later = async <T>(value: T): Promise<T> => {
  await Promise.resolve();
  return value;
};

const guardKinds = {
  yes: () => true,
  'yes later': () => later(true),
  'yes observed': () => of(false, true),
  'one for yes': () => 1,
  no: () => false,
  'no later': () => later(false),
  'nothing for no': () => undefined,
  throws: () => {
    throw new OwnError('guard');
  },
  rejects: () => later(undefined).then(() => Promise.reject(new OtherError('guard'))),
};

const pipeKinds = {
  adds: (value: unknown, mark: string) => `${String(value)}+${mark}`,
  'adds later': (value: unknown, mark: string) => later(`${String(value)}+${mark}`),
  throws: () => {
    throw new OwnError('pipe');
  },
  rejects: () => later(undefined).then(() => Promise.reject(new OtherError('pipe'))),
};

const handlerKinds = {
  value: (args: unknown[]): unknown => ({ args: args.map(String) }),
  promise: (args: unknown[]) => later({ args: args.map(String) }),
  nothing: () => undefined,
  null: () => null,
  text: () => 'text',
  observable: () => of({ one: 1 }, { two: 2 }),
  'promise of an observable': () => later(of({ one: 1 })),
  'empty observable': () => EMPTY,
  'failing observable': () => throwError(() => new OwnError('observable')),
  throws: () => {
    throw new OwnError('handler');
  },
  rejects: () => later(undefined).then(() => Promise.reject(new OtherError('handler'))),
};

const filterKinds = ['own', 'all', 'throwing', 'late'] as const;
const interceptorKinds = ['maps', 'answers', 'fails'] as const;

export type GuardKind = keyof typeof guardKinds;
export type PipeKind = keyof typeof pipeKinds;
export type HandlerKind = keyof typeof handlerKinds;
export type FilterKind = (typeof filterKinds)[number];
export type InterceptorKind = (typeof interceptorKinds)[number];

export class LogGuard implements CanActivate {
  constructor(
    readonly kind: GuardKind,
    readonly level: string,
  ) {}

  canActivate(context: ExecutionContext): boolean {
    const seen = [context.getType(), context.getClass().name, context.getHandler().name, context.getArgs().length];
    log.push(`guard ${this.level} ${this.kind} ${seen.join(' ')}`);
    return guardKinds[this.kind]() as boolean;
  }
}

export class LogPipe implements PipeTransform {
  constructor(
    readonly kind: PipeKind,
    readonly level: string,
  ) {}

  transform(value: unknown, metadata: ArgumentMetadata): unknown {
    const type = typeof metadata.metatype === 'function' ? metadata.metatype.name : metadata.metatype;
    log.push(`pipe ${this.level} ${this.kind} ${metadata.type} ${String(metadata.data)} ${type}`);
    return pipeKinds[this.kind](value, this.level);
  }
}

class LogInterceptor implements NestInterceptor {
  constructor(
    readonly kind: InterceptorKind,
    readonly level: string,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    log.push(`interceptor ${this.level} ${this.kind} ${context.getHandler().name}`);
    if (this.kind === 'answers') return of({ answered: this.level });
    if (this.kind === 'fails') return throwError(() => new OtherError('interceptor'));
    return next.handle().pipe(map((value) => ({ [this.level]: value })));
  }
}

type Answer = (host: ArgumentsHost, value: unknown) => unknown;

/** A filter of one kind; `answer` is how a face answers for an error. */
export function filterOf(kind: FilterKind, level: string, answer: Answer): ExceptionFilter {
  class LogFilter implements ExceptionFilter {
    catch(error: Error, host: ArgumentsHost): unknown {
      log.push(`filter ${level} ${kind} ${host.getType()} ${host.getArgs().length} ${error.name} ${error.message}`);
      if (kind === 'throwing') throw new OtherError('filter');
      if (kind === 'late') return later(undefined).then(() => answer(host, { filtered: level }));
      return answer(host, { filtered: level });
    }
  }
  if (kind === 'own') Catch(OwnError)(LogFilter);
  else Catch()(LogFilter);
  return new LogFilter();
}

/** Parameters that take from the first argument, decorated by the face's own, and by custom decorators. */
export const customParam = createParamDecorator((data: string, context: ExecutionContext) => {
  log.push(`param ${data} ${context.getType()} ${context.getHandler().name} ${context.getArgs().length}`);
  if (data === 'throws') throw new OwnError('param');
  return data === 'late' ? later('late') : data;
});

/** What one handler is made of. */
export interface ChainCase {
  readonly classGuard: GuardKind | undefined;
  readonly methodGuard: GuardKind | undefined;
  readonly classPipe: PipeKind | undefined;
  readonly methodPipe: PipeKind | undefined;
  readonly paramPipe: PipeKind | undefined;
  readonly params: string;
  readonly interceptor: InterceptorKind | undefined;
  readonly classFilter: FilterKind | undefined;
  readonly methodFilter: FilterKind | undefined;
  readonly handler: HandlerKind;
}

/** How a face decorates a parameter: by name. */
export type ParamDecorators = Readonly<Record<string, readonly ((...pipes: PipeTransform[]) => ParameterDecorator)[]>>;

// A small generator of known period: the cases are the same in every run.
function numbersFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** `count` handlers, each put together at random; half of what could stand there does not, so that most get somewhere. */
export function randomCases(count: number, seed: number, params: readonly string[]): ChainCase[] {
  const next = numbersFrom(seed);
  const one = <T>(values: readonly T[]): T => values[next(values.length)] as T;
  const maybe = <T>(values: readonly T[], share = 2): T | undefined => (next(share) === 0 ? one(values) : undefined);
  const guards = Object.keys(guardKinds) as GuardKind[];
  const friendly = guards.slice(0, 4);
  const pipes = Object.keys(pipeKinds) as PipeKind[];
  const good = pipes.slice(0, 2);
  return Array.from({ length: count }, () => ({
    classGuard: maybe(next(4) === 0 ? guards : friendly),
    methodGuard: maybe(next(4) === 0 ? guards : friendly),
    classPipe: maybe(next(4) === 0 ? pipes : good),
    methodPipe: maybe(next(4) === 0 ? pipes : good),
    paramPipe: maybe(next(4) === 0 ? pipes : good),
    params: one(params),
    interceptor: maybe(interceptorKinds, 10),
    classFilter: maybe(filterKinds),
    methodFilter: maybe(filterKinds),
    handler: one(Object.keys(handlerKinds) as HandlerKind[]),
  }));
}

/** A controller with the method `run`, put together as the case says. */
export function controllerOf(each: ChainCase, name: string, decorators: ParamDecorators, answer: Answer): Type {
  const holder = {
    [name]: class {
      run(...args: unknown[]): unknown {
        log.push(`handler ${args.map((value) => (value instanceof Promise ? 'promise' : typeof value)).join(' ')}`);
        const known = args.filter((value) => typeof value === 'string' || value === undefined);
        return handlerKinds[each.handler](known);
      }
    },
  };
  const controller = holder[name] as Type;
  const prototype = controller.prototype as object;
  const run = Object.getOwnPropertyDescriptor(prototype, 'run') as TypedPropertyDescriptor<unknown>;
  const params = decorators[each.params] ?? [];
  Reflect.defineMetadata(
    'design:paramtypes',
    params.map(() => String),
    prototype,
    'run',
  );
  if (each.classGuard !== undefined) UseGuards(new LogGuard(each.classGuard, 'class'))(controller);
  if (each.methodGuard !== undefined) UseGuards(new LogGuard(each.methodGuard, 'method'))(prototype, 'run', run);
  if (each.classPipe !== undefined) UsePipes(new LogPipe(each.classPipe, 'class'))(controller);
  if (each.methodPipe !== undefined) UsePipes(new LogPipe(each.methodPipe, 'method'))(prototype, 'run', run);
  if (each.interceptor !== undefined)
    UseInterceptors(new LogInterceptor(each.interceptor, 'method'))(prototype, 'run', run);
  if (each.classFilter !== undefined) UseFilters(filterOf(each.classFilter, 'class', answer))(controller);
  if (each.methodFilter !== undefined) UseFilters(filterOf(each.methodFilter, 'method', answer))(prototype, 'run', run);
  for (const [index, decorate] of params.entries()) {
    const own = each.paramPipe === undefined ? [] : [new LogPipe(each.paramPipe, `param${index}`)];
    decorate(...own)(prototype, 'run', index);
  }
  return controller;
}
