import {
  type ArgumentsHost,
  Controller,
  type INestApplication,
  Module,
  type Provider,
  Scope,
  type Type,
  UseFilters,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, APP_PIPE, NestFactory } from '@nestjs/core';
import { Ctx, MessagePattern, Payload, RpcException, Server, ServerGrpc, Transport } from '@nestjs/microservices';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { isObservable, lastValueFrom, of, throwError, toArray } from 'rxjs';
import { describe, expect, it } from 'vitest';
import {
  type ChainCase,
  controllerOf,
  customParam,
  filterOf,
  log,
  LogGuard,
  LogPipe,
  OwnError,
  type ParamDecorators,
  randomCases,
} from '../../../test/support/chain-cases.js';
import { onlyOnFace } from '../core/index.js';
import { HandlerSource } from '../pipeline/index.js';
import { composeRpc, type RpcChain } from './rpc-chain.js';
import type { RpcCall } from './rpc-call.js';

const params: ParamDecorators = {
  undecorated: [],
  payload: [(...pipes) => Payload(...pipes)],
  field: [(...pipes) => Payload('name', ...pipes)],
  two: [(...pipes) => Payload(...pipes), () => Ctx()],
  'from behind': [() => Ctx(), (...pipes) => Payload('name', ...pipes)],
  custom: [(...pipes) => customParam('sync', ...pipes)],
  late: [(...pipes) => customParam('late', ...pipes), (...pipes) => Payload('name', ...pipes)],
  failing: [
    (...pipes) => Payload('name', ...pipes),
    (...pipes) => customParam('throws', ...pipes),
    (...pipes) => customParam('after', ...pipes),
  ],
};

// An RPC filter answers by what it returns.
const answer = (_host: ArgumentsHost, value: unknown): unknown => throwError(() => new RpcException(value as object));

// Takes Nest's closures, as GrpcStrategy does, and leaves them as they are.
class Recorder extends Server<never, never> {
  override transportId = Transport.GRPC;
  readonly closures = new Map<object, (...args: unknown[]) => Promise<unknown>>();

  override addHandler(pattern: unknown, callback: unknown): void {
    this.closures.set(pattern as object, callback as (...args: unknown[]) => Promise<unknown>);
  }
  override listen(callback: () => void): void {
    callback();
  }
  override close(): void {}
  override on(): void {}
  override unwrap<T>(): T {
    return undefined as T;
  }
}
Object.setPrototypeOf(Recorder.prototype, ServerGrpc.prototype);

interface Served {
  readonly outcome: unknown;
  readonly log: readonly string[];
}

// A filter that takes its time has an Observable emit another one.
async function valuesOf(result: unknown): Promise<unknown[]> {
  if (!isObservable(result)) return [result];
  const values = await lastValueFrom(result.pipe(toArray()));
  return (await Promise.all(values.map(valuesOf))).flat();
}

async function outcomeOf(run: () => unknown): Promise<Served> {
  log.length = 0;
  try {
    const values = await valuesOf(await run());
    return { outcome: { values }, log: [...log] };
  } catch (error) {
    const { name, message } = error as Error;
    const own = error instanceof RpcException ? error.getError() : error;
    return { outcome: { failed: error instanceof Error ? [name, message, own] : error }, log: [...log] };
  } finally {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

// Where one parameter fails, the pipes of the others go on beside it: what they note comes before or after the filter.
function comparable({ outcome, log: lines }: Served, { params: shape }: ChainCase): unknown {
  if (shape !== 'failing') return { outcome, lines };
  const isFilter = (line: string): boolean => line.startsWith('filter');
  return { outcome, filters: lines.filter(isFilter), others: lines.filter((line) => !isFilter(line)) };
}

const metadata = { toString: () => 'metadata' };
const message = { name: 'Ann', toString: () => 'message' };
const call = { metadata, request: message, toString: () => 'call' } as unknown as RpcCall;

async function started(
  controllers: readonly Type[],
  providers: readonly Provider[],
): Promise<{ app: INestApplication; recorder: Recorder; source: HandlerSource }> {
  class AppModule {}
  Module({ controllers: [...controllers], providers: [...providers] })(AppModule);
  const app = await NestFactory.create(AppModule, new FastifyAdapter(), { logger: false, abortOnError: false });
  const source = (await HandlerSource.of(app, app.getHttpAdapter())) as HandlerSource;
  const recorder = new Recorder();
  app.connectMicroservice({ strategy: recorder }, { inheritAppConfig: true });
  return { app, recorder, source };
}

function patterned(each: ChainCase, index: number): Type {
  const controller = controllerOf(each, `Case${index}`, params, answer);
  const prototype = controller.prototype as object;
  const run = Object.getOwnPropertyDescriptor(prototype, 'run') as TypedPropertyDescriptor<unknown>;
  MessagePattern({ service: 'S', rpc: String(index), streaming: 'no_stream' }, Transport.GRPC)(prototype, 'run', run);
  Controller()(controller);
  return controller;
}

class IdleInterceptor {
  get [onlyOnFace](): 'http' {
    return 'http';
  }
  intercept(_context: unknown, next: { handle(): unknown }): unknown {
    return next.handle();
  }
}

const globals: Readonly<Record<string, readonly Provider[]>> = {
  nothing: [],
  'what decides at once': [
    { provide: APP_GUARD, useValue: new LogGuard('yes', 'global') },
    { provide: APP_PIPE, useValue: new LogPipe('adds', 'global') },
    { provide: APP_FILTER, useValue: filterOf('own', 'global', answer) },
    { provide: APP_INTERCEPTOR, useClass: IdleInterceptor },
  ],
  'what takes its time': [
    { provide: APP_GUARD, useValue: new LogGuard('yes later', 'global') },
    { provide: APP_PIPE, useValue: new LogPipe('adds later', 'global') },
    { provide: APP_FILTER, useValue: filterOf('all', 'global', answer) },
  ],
};

describe("a chain and Nest's own closure", () => {
  it.each(Object.keys(globals))(
    'come to the same, step by step, with %s around the application',
    { timeout: 60_000 },
    async (name) => {
      const cases = randomCases(600, name.length, Object.keys(params));
      const { app, recorder, source } = await started(cases.map(patterned), globals[name] as readonly Provider[]);
      const served = new Set<string>();

      for (const [pattern, closure] of recorder.closures) {
        const each = cases[Number((pattern as { rpc: string }).rpc)] as ChainCase;
        const chain = composeRpc(source, pattern);
        // Only where an interceptor stands Nest's closure has to serve.
        expect(chain === undefined, JSON.stringify(each)).toBe(each.interceptor !== undefined);
        if (chain === undefined) continue;
        const expected = await outcomeOf(() => closure(message, metadata, call));
        const found = await outcomeOf(() => chain(message, call));
        expect(comparable(found, each), JSON.stringify(each)).toEqual(comparable(expected, each));
        served.add(JSON.stringify(expected.outcome));
      }

      expect(recorder.closures.size).toBe(600);
      // The cases are not all refused by the first guard.
      expect(served.size).toBeGreaterThan(20);
      await app.close();
    },
  );
});

describe('a chain', () => {
  const chainOf = async (
    each: Partial<ChainCase>,
    providers: readonly Provider[] = [],
  ): Promise<{ chain: RpcChain | undefined; close(): Promise<void> }> => {
    const { app, recorder, source } = await started([patterned({ ...plain, ...each }, 0)], providers);
    const [pattern] = recorder.closures.keys();
    return { chain: composeRpc(source, pattern as object), close: () => app.close() };
  };
  const plain: ChainCase = {
    classGuard: undefined,
    methodGuard: undefined,
    classPipe: undefined,
    methodPipe: undefined,
    paramPipe: undefined,
    params: 'field',
    interceptor: undefined,
    classFilter: undefined,
    methodFilter: undefined,
    handler: 'value',
  };

  it('gives the value itself where nothing waits', async () => {
    const { chain, close } = await chainOf({ methodGuard: 'yes', classPipe: 'adds', paramPipe: 'adds' });

    expect(chain?.(message, call)).toEqual({ args: ['Ann+class+param0'] });
    await close();
  });

  it('does not ask for the metadata that nobody looks at', async () => {
    const { chain, close } = await chainOf({ params: 'payload' });
    const blind = {
      get metadata(): never {
        throw new Error('asked for');
      },
    } as unknown as RpcCall;

    expect(chain?.('message', blind)).toEqual({ args: ['message'] });
    await close();
  });

  it('throws at once where nobody filters and the application rethrows', async () => {
    class Passing {
      get [onlyOnFace](): 'http' {
        return 'http';
      }
      catch(error: unknown): never {
        throw error;
      }
    }
    const { chain, close } = await chainOf({ handler: 'throws' }, [{ provide: APP_FILTER, useValue: new Passing() }]);

    expect(() => chain?.(message, call)).toThrow('handler');
    await close();
  });

  it('leaves an application with a pre-request hook to Nest', async () => {
    const { app, recorder, source } = await started([patterned(plain, 0)], []);
    const [pattern] = recorder.closures.keys();

    const before = composeRpc(source, pattern as object);
    (app as unknown as { config: { registerPreRequestHook(hook: unknown): void } }).config.registerPreRequestHook(
      () => undefined,
    );

    expect([typeof before, composeRpc(source, pattern as object)]).toEqual(['function', undefined]);
    await app.close();
  });

  it('has filters see what a stream of messages throws, and ends the stream where it is not wanted any more', async () => {
    const ended: string[] = [];
    class Streams {
      async *failing(): AsyncGenerator<number> {
        yield 1;
        throw await Promise.resolve(new OwnError('late'));
      }
      endless(): AsyncIterable<number> {
        return {
          [Symbol.asyncIterator]: () => ({
            next: () => new Promise(() => {}),
            return: async () => {
              ended.push('endless');
              return { done: true, value: undefined };
            },
          }),
        };
      }
    }
    for (const name of ['failing', 'endless'] as const) {
      const method = Object.getOwnPropertyDescriptor(Streams.prototype, name) as TypedPropertyDescriptor<unknown>;
      MessagePattern({ service: 'S', rpc: name, streaming: 'no_stream' }, Transport.GRPC)(
        Streams.prototype,
        name,
        method,
      );
      UseFilters(filterOf('own', 'class', () => of(7, 8)))(Streams.prototype, name, method);
    }
    Controller()(Streams);
    const { app, recorder, source } = await started([Streams], []);
    const [failing, endless] = [...recorder.closures.keys()].map((pattern) => {
      const chain = composeRpc(source, pattern) as RpcChain;
      return chain(message, call) as AsyncIterable<unknown>;
    }) as [AsyncIterable<unknown>, AsyncIterable<unknown>];

    const seen: unknown[] = [];
    for await (const value of failing) seen.push(value);
    const iterator = endless[Symbol.asyncIterator]();
    void iterator.next();
    await iterator.return?.();

    expect(seen).toEqual([1, 7, 8]);
    expect(ended).toEqual(['endless']);
    await app.close();
  });

  it('is not made for what is made anew for each request', async () => {
    const scoped = patterned(plain, 0);
    Controller({ scope: Scope.REQUEST })(scoped);
    const { app, recorder, source } = await started([scoped], []);
    const [pattern] = recorder.closures.keys();

    expect(composeRpc(source, pattern as object)).toBeUndefined();
    await app.close();
  });
});
