import { Readable } from 'node:stream';
import {
  type ArgumentsHost,
  Body,
  Controller,
  Get,
  Header,
  Headers,
  HttpCode,
  Module,
  Param,
  Post,
  type Provider,
  Query,
  Redirect,
  Req,
  Res,
  Scope,
  Sse,
  StreamableFile,
  type Type,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, APP_PIPE, NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyReply, InjectOptions } from 'fastify';
import { EMPTY, type Observable, of } from 'rxjs';
import { describe, expect, it } from 'vitest';
import {
  type ChainCase,
  controllerOf,
  customParam,
  filterOf,
  log,
  LogGuard,
  LogPipe,
  type ParamDecorators,
  randomCases,
} from '../../../test/support/chain-cases.js';
import { Lifecycle, LiveValue } from '../core/index.js';
import { HandlerSource, LIMIT_OPTIONS, LimitOptions, RequestGate } from '../pipeline/index.js';
import { composeRoutes } from './composed-routes.js';
import { EnvelopeInterceptor } from './envelope.interceptor.js';
import { ErrorFilter } from './error.filter.js';
import { HttpAdapter } from './http-adapter.js';
import { Raw } from './raw.decorator.js';

const params: ParamDecorators = {
  none: [],
  path: [(...pipes) => Param('id', ...pipes)],
  query: [(...pipes) => Query('q', ...pipes), (...pipes) => Param('id', ...pipes)],
  'from behind': [() => Headers('x-h'), () => Req(), (...pipes) => Body('b', ...pipes)],
  custom: [(...pipes) => customParam('sync', ...pipes)],
  late: [(...pipes) => customParam('late', ...pipes), (...pipes) => Query('q', ...pipes)],
  failing: [
    (...pipes) => Query('q', ...pipes),
    (...pipes) => customParam('throws', ...pipes),
    (...pipes) => customParam('after', ...pipes),
  ],
};

const answer = (host: ArgumentsHost, value: unknown): undefined => {
  void host.switchToHttp().getResponse<FastifyReply>().status(418).send(value);
};

interface Started {
  readonly app: NestFastifyApplication;
  /** How many routes were served by chains. */
  readonly composed: number;
}

async function started(
  controllers: readonly Type[],
  providers: readonly Provider[],
  isComposed: boolean,
): Promise<Started> {
  class AppModule {}
  const live = new LiveValue(new LimitOptions());
  Module({
    controllers: [...controllers],
    providers: [{ provide: LIMIT_OPTIONS, useValue: live }, ...providers],
  })(AppModule);
  const adapter = new HttpAdapter({
    gate: new RequestGate(new Lifecycle(), live),
    limits: live,
    trustsProxies: () => false,
    securityHeaders: false,
  });
  const app = await NestFactory.create<NestFastifyApplication>(AppModule, adapter, {
    logger: false,
    abortOnError: false,
  });
  const source = isComposed ? await HandlerSource.of(app, adapter) : undefined;
  const count = source && composeRoutes(adapter, source);
  await app.init();
  return { app, composed: count?.composed ?? 0 };
}

async function served(app: NestFastifyApplication, request: InjectOptions): Promise<unknown> {
  log.length = 0;
  const { statusCode, headers, body } = await app.inject(request);
  const lines = [...log];
  await new Promise((resolve) => setImmediate(resolve));
  const { date: _date, 'x-request-id': _id, ...rest } = headers;
  return { statusCode, headers: rest, body: body.replaceAll(/"requestId":"[^"]*"/g, '"requestId":""'), lines };
}

function routed(each: ChainCase, index: number): Type {
  const controller = controllerOf(each, `Case${index}`, params, answer);
  const prototype = controller.prototype as object;
  const run = Object.getOwnPropertyDescriptor(prototype, 'run') as TypedPropertyDescriptor<unknown>;
  (index % 2 === 0 ? Get : Post)(`${index}/:id`)(prototype, 'run', run);
  if (index % 3 === 0) HttpCode(206)(prototype, 'run', run);
  if (index % 5 === 0) Header('x-own', 'yes')(prototype, 'run', run);
  if (index % 7 === 0) Raw()(prototype, 'run', run);
  Controller()(controller);
  return controller;
}

const framework = [
  { provide: APP_INTERCEPTOR, useClass: EnvelopeInterceptor },
  { provide: APP_FILTER, useClass: ErrorFilter },
];

const globals: Readonly<Record<string, readonly Provider[]>> = {
  nothing: [],
  'the framework': framework,
  'the framework and what decides at once': [
    { provide: APP_GUARD, useValue: new LogGuard('yes', 'global') },
    { provide: APP_PIPE, useValue: new LogPipe('adds', 'global') },
    ...framework,
    { provide: APP_FILTER, useValue: filterOf('own', 'global', answer) },
  ],
  'the framework and what takes its time': [
    { provide: APP_GUARD, useValue: new LogGuard('yes later', 'global') },
    { provide: APP_PIPE, useValue: new LogPipe('adds later', 'global') },
    ...framework,
    { provide: APP_FILTER, useValue: filterOf('all', 'global', answer) },
  ],
};

// See the same in grpc/rpc-chain.spec.ts.
function comparable(found: unknown, { params: shape }: ChainCase): unknown {
  if (shape !== 'failing') return found;
  const { lines, ...answered } = found as { readonly lines: readonly string[] };
  const isFilter = (line: string): boolean => line.startsWith('filter');
  return { answered, filters: lines.filter(isFilter), others: lines.filter((line) => !isFilter(line)) };
}

describe("a route's chain and Nest's own closure", () => {
  it.each(Object.keys(globals))(
    'come to the same, step by step, with %s around the application',
    { timeout: 60_000 },
    async (name) => {
      const cases = randomCases(400, name.length, Object.keys(params));
      const controllers = cases.map(routed);
      const providers = globals[name] as readonly Provider[];
      const [{ app: byNest }, { app: byChain, composed }] = [
        await started(controllers, providers, false),
        await started(controllers, providers, true),
      ];
      const answers = new Set<unknown>();

      for (const [index, each] of cases.entries()) {
        const request: InjectOptions = {
          method: index % 2 === 0 ? 'GET' : 'POST',
          url: `/${index}/7?q=asked`,
          headers: { 'x-h': 'head' },
          ...(index % 2 === 1 && { payload: { b: 'body' } }),
        };
        const expected = await served(byNest, request);
        expect(comparable(await served(byChain, request), each), JSON.stringify(each)).toEqual(
          comparable(expected, each),
        );
        answers.add((expected as { body: string }).body);
      }

      expect(composed).toBe(cases.filter(({ interceptor }) => interceptor === undefined).length);
      expect(answers.size).toBeGreaterThan(20);
      await Promise.all([byNest.close(), byChain.close()]);
    },
  );
});

class Plain {
  constructor(readonly own: string) {}
}

@Controller('answers')
class AnswersController {
  @Get('file')
  file(): StreamableFile {
    return new StreamableFile(Buffer.from('file'), { type: 'text/plain', disposition: 'attachment' });
  }
  @Get('late-file')
  async lateFile(): Promise<StreamableFile> {
    return new StreamableFile(Readable.from(['a', 'b']));
  }
  @Get('readable')
  readable(): Readable {
    return Readable.from(['a', 'b']);
  }
  @Get('iterable')
  async *iterable(): AsyncGenerator<object> {
    yield { one: 1 };
    yield { two: 2 };
  }
  @Get('raw-iterable')
  @Raw()
  async *rawIterable(): AsyncGenerator<string> {
    yield 'raw';
  }
  @Get('web')
  web(): Response {
    return new Response('web', { status: 202, headers: { 'x-web': 'yes' } });
  }
  @Get('failing-iterable')
  async *failingIterable(): AsyncGenerator<object> {
    yield await Promise.reject<object>(new Error('at once'));
  }
  @Get('observed-file')
  observedFile(): Observable<StreamableFile> {
    return of(new StreamableFile(Buffer.from('observed')));
  }
  @Get('empty')
  empty(): Observable<never> {
    return EMPTY;
  }
  @Get('class')
  class(): Plain {
    return new Plain('yes');
  }
  @Get('array')
  array(): unknown[] {
    return [1, { two: 2 }];
  }
  @Get('number')
  number(): number {
    return 7;
  }
  @Get('raw-text')
  @Raw()
  rawText(): string {
    return 'text';
  }
  @Get('raw-buffer')
  @Raw()
  rawBuffer(): Buffer {
    return Buffer.from('buffer');
  }
  @Get('unserialisable')
  unserialisable(): object {
    return { value: 1n };
  }
  @Get('by-itself')
  byItself(@Res() reply: FastifyReply): void {
    void reply.code(203).send({ by: 'itself' });
  }
  @Get('passthrough')
  passthrough(@Res({ passthrough: true }) reply: FastifyReply): object {
    void reply.header('x-own', 'yes').code(203);
    return { own: true };
  }
  @Get('redirect')
  @Redirect('/elsewhere', 307)
  redirect(): void {}
  @Sse('events')
  events(): Observable<{ data: number }> {
    return of({ data: 1 }, { data: 2 });
  }
  @Get('several')
  @Header('cache-control', 'none')
  @Header('x-late', () => 'made anew')
  several(): object {
    return {};
  }
}

describe('answers of every form', () => {
  const paths = Object.getOwnPropertyNames(AnswersController.prototype)
    .filter((name) => name !== 'constructor')
    .map((name) => name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`));

  it.each([
    ['with the framework around them', framework],
    ['with nothing around them', []],
  ])('are the same %s', async (_, providers) => {
    const { app: byNest } = await started([AnswersController], providers, false);
    const { app: byChain, composed } = await started([AnswersController], providers, true);

    for (const path of paths) {
      const request = { method: 'GET', url: `/answers/${path}` } as const;
      expect(await served(byChain, request), path).toEqual(await served(byNest, request));
    }

    // All but events, redirection, and what the handler sends by itself.
    expect(composed).toBe(paths.length - 3);
    await Promise.all([byNest.close(), byChain.close()]);
  });
});

describe("a route's chain", () => {
  it('ends a handler that does not end by itself, and lets go of what it comes up with later', async () => {
    const { promise, resolve } = Promise.withResolvers<StreamableFile>();
    @Controller()
    class Slow {
      @Get('slow')
      slow(): Promise<StreamableFile> {
        return promise;
      }
    }
    const { app, composed } = await started([Slow], framework, true);

    const { statusCode, json } = await app.inject({ url: '/slow', headers: { 'request-timeout': '0.05' } });
    const late = Readable.from(['late']);
    resolve(new StreamableFile(late));
    await new Promise((done) => setImmediate(done));

    expect([composed, statusCode, json().reason]).toEqual([1, 504, 'DEADLINE_EXCEEDED']);
    expect(late.destroyed).toBe(true);
    await app.close();
  });

  it('is not made for what is made anew for each request, nor for a method of two controllers', async () => {
    @Controller({ path: 'scoped', scope: Scope.REQUEST })
    class Scoped {
      @Get()
      get(): object {
        return {};
      }
    }
    abstract class Base {
      @Get()
      get(): object {
        return {};
      }
    }
    @Controller('one')
    class One extends Base {}
    @Controller('two')
    class Two extends Base {}
    const { app, composed } = await started([Scoped, One, Two], framework, true);

    expect(composed).toBe(0);
    for (const url of ['/scoped', '/one', '/two']) expect((await app.inject(url)).statusCode).toBe(200);
    await app.close();
  });
});
