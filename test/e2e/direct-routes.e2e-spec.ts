import { tracingChannel } from 'node:diagnostics_channel';
import { Agent } from 'node:http';
import {
  Body,
  Controller,
  type DynamicModule,
  Get,
  Header,
  HttpCode,
  Inject,
  Injectable,
  Module,
  NotFoundException,
  type OnModuleInit,
  Param,
  Patch,
  Post,
  Query,
  Req,
  Res,
  StreamableFile,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { IsInt, IsString, Length } from 'class-validator';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Public } from 'rookery/auth';
import { currentContext, type RequestEnd, requestEndChannel } from 'rookery/core';
import { Raw } from 'rookery/http';
import { Input } from 'rookery/pipeline';
import { startTestService, type TestService } from 'rookery/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { http } from '../support/http-caller.js';
import { type Http2Answer, Http2Caller } from '../support/http2-caller.js';

class ItemInput {
  @IsString()
  @Length(1, 20)
  readonly name!: string;

  @IsInt()
  readonly size!: number;
}

@Controller('items')
@Public()
class ItemsController {
  @Get()
  list(@Query() query: Record<string, string>): object {
    return { ...query };
  }

  @Get('large')
  large(): object {
    return { text: 'a'.repeat(5000) };
  }

  @Get('text')
  @Raw()
  text(): string {
    return 'plain';
  }

  @Get('bytes')
  @Raw()
  bytes(): Buffer {
    return Buffer.from('bytes');
  }

  @Get('file')
  file(): StreamableFile {
    return new StreamableFile(Buffer.from('file'), { type: 'application/x-own' });
  }

  @Get('raw')
  @Raw()
  raw(): object {
    return { pipe: 1, own: 'yes' };
  }

  @Get('nothing')
  nothing(): undefined {
    return undefined;
  }

  @Get('empty')
  @HttpCode(204)
  empty(): object {
    return { never: 'sent' };
  }

  @Get('marked')
  @Header('x-own', 'yes')
  @HttpCode(203)
  marked(): object {
    return {};
  }

  @Get('big-number')
  bigNumber(): object {
    return { number: 1n };
  }

  @Get('reply')
  reply(@Res({ passthrough: true }) reply: FastifyReply): object {
    const names = Object.keys(reply.getHeaders()).sort();
    void reply.removeHeader('x-frame-options').header('x-own', 'yes').code(202);
    return { names, id: typeof reply.getHeader('x-request-id'), compress: typeof reply.compress, sent: reply.sent };
  }

  @Get('on-node')
  onNode(@Res({ passthrough: true }) reply: FastifyReply): object {
    reply.raw.setHeader('x-own', 'yes');
    return { isTimed: reply.elapsedTime >= 0, isStarted: reply.elapsedTime < 10_000 };
  }

  @Get('request/:a/of/:b')
  request(@Req() request: FastifyRequest & { answerOf?: number }): object {
    const { params, query, method, url, ip, hostname, protocol, is404, routeOptions, answerOf } = request;
    const { 'x-own': own, host } = request.headers;
    const isFastifys = request.server.hasRequestDecorator('answerOf');
    const path = routeOptions.url;
    return {
      params,
      query,
      method,
      url,
      ip,
      hostname,
      protocol,
      is404,
      path,
      answerOf,
      own,
      host: typeof host,
      isFastifys,
    };
  }

  @Get(':id')
  get(@Param('id') id: string): object {
    if (id === 'none') throw new NotFoundException('none of that');
    return { id, operation: currentContext()?.operation };
  }

  @Post()
  async create(@Input() input: ItemInput): Promise<object> {
    await Promise.resolve();
    return { ...input, operation: currentContext()?.operation };
  }

  @Patch(':id')
  change(@Param('id') id: string, @Body() body: unknown): object {
    return { id, body: body ?? null };
  }

  @Post('slow')
  slow(@Body() _body: unknown): never {
    throw new Error('is not to be reached');
  }
}

/** Returns what is to be done when the modules are there. */
type Prepare = (fastify: FastifyInstance, host: HttpAdapterHost) => unknown;

@Injectable()
class Preparation implements OnModuleInit {
  readonly #later: unknown;

  constructor(@Inject('PREPARE') prepare: Prepare, host: HttpAdapterHost) {
    const fastify = host.httpAdapter.getInstance<FastifyInstance>();
    fastify.decorateRequest('answerOf', 42);
    this.#later = prepare(fastify, host);
  }

  onModuleInit(): void {
    if (typeof this.#later === 'function') this.#later();
  }
}

@Module({})
class ItemsModule {
  static with(prepare: Prepare): DynamicModule {
    return {
      module: ItemsModule,
      controllers: [ItemsController],
      providers: [Preparation, { provide: 'PREPARE', useValue: prepare }],
    };
  }
}

type Answer = Pick<Http2Answer, 'status' | 'headers' | 'text'>;

/** A service, a connection to it, and how often Fastify's router was asked. */
class Trial {
  routed = 0;
  readonly agent = new Agent({ keepAlive: true });

  private constructor(
    readonly test: TestService,
    readonly caller: Http2Caller,
  ) {}

  static async start(prepare: Prepare = () => {}, set: Record<string, unknown> = {}): Promise<Trial> {
    const test = await startTestService(ItemsModule.with(prepare), {
      set: { 'server.limits.maxBodyBytes': 2000, ...set },
    });
    const trial = new Trial(test, await Http2Caller.connect(test.url));
    const fastify = test.service.app.getHttpAdapter().getInstance();
    const routing = fastify.routing.bind(fastify);
    fastify.routing = (request, response) => {
      trial.routed += 1;
      routing(request, response);
    };
    return trial;
  }

  ask(path: string, { method = 'GET', body, headers }: Ask = {}, version = 2): Promise<Answer> {
    if (version === 1) return http(this.test.url, { method, path, body, headers: { ...headers }, agent: this.agent });
    return this.caller.request({ ':method': method, ':path': path, ...headers }, body);
  }

  async close(): Promise<void> {
    this.caller.close();
    this.agent.destroy();
    await this.test.close();
  }
}

interface Ask {
  readonly method?: string;
  readonly body?: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

const type = { 'content-type': 'application/json' };
const json = { method: 'POST', headers: type };
const item = JSON.stringify({ name: 'egg', size: 1 });

const cases: readonly (readonly [what: string, path: string, ask: Ask])[] = [
  ['a path without parameters', '/items', {}],
  ['a query', '/items?a=1&b=%20x&a=2&c&=d&e=f=g+h', {}],
  ['an empty query', '/items?', {}],
  ['a trailing slash', '/items/', {}],
  ['a parameter', '/items/7', {}],
  ['a parameter and a query', '/items/7?x=1', {}],
  ['an escaped parameter', '/items/a%2Fb', {}],
  ['a broken escape', '/items/%zz', {}],
  ['an empty parameter', '/items/request//of/2', {}],
  ['two parameters', '/items/request/1/of/2?q=3', { headers: { 'x-own': 'mine' } }],
  ['a path that is none', '/items/request/1', {}],
  ['HEAD', '/items/7', { method: 'HEAD' }],
  ['OPTIONS', '/items/7', { method: 'OPTIONS' }],
  ['a method that the path has not', '/items/7', { method: 'DELETE' }],
  ['an error of the handler', '/items/none', {}],
  ['the same as a problem document', '/items/none', { headers: { accept: 'application/problem+json' } }],
  ['another origin', '/items/7', { headers: { origin: 'https://elsewhere.example.com' } }],
  ['a large answer', '/items/large', {}],
  ['a large answer, compressed', '/items/large', { headers: { 'accept-encoding': 'gzip' } }],
  ['a large answer for who wants it as it is', '/items/large', { headers: { 'accept-encoding': 'identity' } }],
  ['a small answer for who takes it compressed', '/items/7', { headers: { 'accept-encoding': 'gzip, br' } }],
  ['text', '/items/text', {}],
  ['bytes', '/items/bytes', {}],
  ['a file', '/items/file', {}],
  ['an object that looks like a stream', '/items/raw', {}],
  ['nothing', '/items/nothing', {}],
  ['an answer without content', '/items/empty', {}],
  ['headers and a status of the route', '/items/marked', {}],
  ['what JSON has no word for', '/items/big-number', {}],
  ['headers and a status of the handler', '/items/reply', {}],
  ["headers on Node's answer", '/items/on-node', {}],
  ['a request id', '/items/7', { headers: { 'x-request-id': 'mine' } }],
  ['a time limit', '/items/7', { headers: { 'request-timeout': '5' } }],
  ['a time limit that is none', '/items/7', { headers: { 'request-timeout': 'soon' } }],
  ['an expectation', '/items/7', { headers: { expect: 'more' } }],
  ['a body', '/items', { ...json, body: item }],
  [
    'a body of known length',
    '/items',
    { ...json, body: item, headers: { ...type, 'content-length': String(item.length) } },
  ],
  [
    'a body with a charset',
    '/items',
    { ...json, body: item, headers: { ...type, 'content-type': 'application/json; charset=UTF-8' } },
  ],
  [
    'a body of a kin of JSON',
    '/items',
    { ...json, body: item, headers: { ...type, 'content-type': 'application/own+json' } },
  ],
  ['a body of another type', '/items', { ...json, body: item, headers: { ...type, 'content-type': 'text/plain' } }],
  ['a body of no type', '/items', { method: 'POST', body: item }],
  ['a body that breaks rules', '/items', { ...json, body: '{"name":"","size":0.5,"more":1}' }],
  ['a body that is no JSON', '/items', { ...json, body: '{"name"' }],
  ['a body that is no UTF-8', '/items', { ...json, body: Buffer.from('{"name":"\xff"}', 'latin1') }],
  ['a body that is encoded', '/items', { ...json, body: item, headers: { ...type, 'content-encoding': 'gzip' } }],
  ['an empty body', '/items/1', { method: 'PATCH', body: '', headers: { 'content-type': 'application/json' } }],
  ['no body', '/items/1', { method: 'PATCH' }],
  [
    'a body that says to be too long',
    '/items',
    { ...json, body: 'x'.repeat(2001), headers: { ...type, 'content-length': '2001' } },
  ],
  ['a body that is too long', '/items', { ...json, body: `"${'x'.repeat(3000)}"` }],
];

describe.each([1, 2])('a route without hooks of the application, on HTTP/%i', (version) => {
  let direct: Trial;
  let ordinary: Trial;

  beforeAll(async () => {
    direct = await Trial.start();
    ordinary = await Trial.start((fastify) => fastify.addHook('onRequest', (_request, _reply, done) => done()));
  });

  afterAll(() => Promise.all([direct.close(), ordinary.close()]));

  it.each(cases)('answers as Fastify does: %s', async (_what, path, ask) => {
    await direct.ask(path, ask, version);

    expect(told(await direct.ask(path, ask, version))).toEqual(told(await ordinary.ask(path, ask, version)));
  });

  it.each([
    ['GET', '/items?a=1', {}],
    ['GET with a parameter', '/items/7', {}],
    ['POST', '/items', { ...json, body: item }],
    ['PATCH', '/items/1', { ...json, method: 'PATCH', body: item }],
  ])('is not served by Fastify: %s', async (_what, path, ask) => {
    await direct.ask(path, ask, version);
    direct.routed = 0;

    const { status } = await direct.ask(path, ask, version);

    expect(status).toBeLessThan(300);
    expect(direct.routed).toBe(0);
  });

  it('is served by Fastify where something listens for its handlers', async () => {
    const paths: unknown[] = [];
    const listener = (message: unknown): void => {
      paths.push((message as { route: { url: string } }).route.url);
    };
    const channel = tracingChannel('fastify.request.handler');
    channel.start.subscribe(listener);
    try {
      await direct.ask('/items/7', {}, version);
    } finally {
      channel.start.unsubscribe(listener);
    }

    expect(paths).toEqual(['/items/:id']);
  });
});

describe('a body on the direct way', () => {
  let trial: Trial;
  const ends: RequestEnd[] = [];
  let forget: () => void;
  const note = (end: RequestEnd): void => void ends.push(end);

  beforeAll(async () => {
    trial = await Trial.start(undefined, { 'server.limits.bodyTimeoutMs': 300 });
    await trial.ask('/items/slow', { ...json, body: '1' });
    forget = requestEndChannel.subscribe(note);
  });

  afterEach(() => {
    expect(trial.routed).toBe(0);
  });

  afterAll(async () => {
    forget();
    await trial.close();
  });

  it('is waited for however it is split, in the context of its request', async () => {
    await trial.ask('/items', { ...json, body: item });
    trial.routed = 0;
    const stream = trial.caller.session.request({
      ':path': '/items',
      ':method': 'POST',
      ...type,
    });
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    for (const char of item) {
      stream.write(char);
      await new Promise((resolve) => setImmediate(resolve));
    }
    stream.end();
    await new Promise((resolve) => stream.once('close', resolve));

    expect(JSON.parse(Buffer.concat(chunks).toString())).toMatchObject({
      data: { name: 'egg', size: 1, operation: 'POST /items' },
    });
  });

  it('that does not come is answered in time', async () => {
    ends.length = 0;
    const stream = trial.caller.session.request({
      ':path': '/items/slow',
      ':method': 'POST',
      ...type,
    });
    stream.on('error', () => {});
    stream.write('{');
    const headers = await new Promise<Record<string, unknown>>((resolve) => stream.once('response', resolve));
    stream.close();

    expect(headers[':status']).toBe(408);
    await eventually('an end', () => ends.length > 0);
  });

  it('whose caller leaves ends the request, and the handler is not called', async () => {
    ends.length = 0;
    const other = await Http2Caller.connect(trial.test.url);
    const stream = other.session.request({
      ':path': '/items/slow',
      ':method': 'POST',
      ...type,
    });
    stream.on('error', () => {});
    stream.write('{');
    await new Promise((resolve) => setTimeout(resolve, 20));
    other.close();

    await eventually('an end', () => ends.length > 0);
    expect(ends[0]).toMatchObject({ httpStatus: 499, reason: 'CANCELLED', context: { operation: 'POST /items/slow' } });
  });
});

describe('a hook of the application', () => {
  let trial: Trial | undefined;

  afterEach(async () => {
    await trial?.close();
    trial = undefined;
  });

  it.each([
    'onRequest',
    'preParsing',
    'preValidation',
    'preHandler',
    'preSerialization',
    'onSend',
    'onResponse',
  ] as const)('has its turn in each request: %s', async (name) => {
    const seen: string[] = [];
    trial = await Trial.start((fastify) =>
      fastify.addHook(name as 'onRequest', (request: FastifyRequest, ...rest: readonly unknown[]) => {
        seen.push(request.url);
        (rest.at(-1) as (error: null, value?: unknown) => void)(null, rest.length === 3 ? rest[1] : undefined);
      }),
    );

    for (const path of ['/items/1', '/items/2', '/items/3']) await trial.ask(path);
    for (const path of ['/items?4', '/items?5']) await trial.ask(path, { ...json, body: item });

    await eventually('five hooks', () => seen.length >= 5);
    expect(seen).toEqual(['/items/1', '/items/2', '/items/3', '/items?4', '/items?5']);
  });

  it('has its turn where it stands on one route alone, and the others do without Fastify', async () => {
    const seen: string[] = [];
    trial = await Trial.start((fastify) =>
      fastify.addHook('onRoute', (route) => {
        if (route.url === '/items/large') {
          route.preHandler = (request, _reply, done) => {
            seen.push(request.url);
            done();
          };
        }
      }),
    );
    for (const path of ['/items/large', '/items/1', '/items/large', '/items/1']) await trial.ask(path);

    expect(seen).toEqual(['/items/large', '/items/large']);
    expect(trial.routed).toBe(3);
  });

  it('has its turn where it is given to the adapter', async () => {
    const seen: string[] = [];
    let give = (): void => {};
    trial = await Trial.start((_fastify, host) => {
      const adapter = host.httpAdapter as unknown as {
        setOnRequestHook(hook: (request: FastifyRequest, reply: unknown, done: () => void) => void): void;
      };
      give = () =>
        adapter.setOnRequestHook((request, _reply, done) => {
          seen.push(request.url);
          done();
        });
    });
    await trial.ask('/items/1');
    give();
    await trial.ask('/items/1');
    await trial.ask('/items/2');

    expect(seen).toEqual(['/items/1', '/items/2']);
  });

  it('has its turn as a middleware', async () => {
    const seen: string[] = [];
    trial = await Trial.start((_fastify, host) => {
      host.httpAdapter.use((request: { url: string }, _response: unknown, next: () => void) => {
        seen.push(request.url);
        next();
      });
    });
    for (const path of ['/items/1', '/items/2']) await trial.ask(path);

    expect(seen).toEqual(['/items/1', '/items/2']);
  });

  it('may be a parser of its own for JSON', async () => {
    trial = await Trial.start((fastify) => () => {
      fastify.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) =>
        done(null, { own: body }),
      );
    });
    const ask = { ...json, method: 'PATCH', body: item };
    await trial.ask('/items/1', ask);

    expect(JSON.parse((await trial.ask('/items/1', ask)).text)).toMatchObject({ data: { body: { own: item } } });
  });
});

function told({ status, headers, text }: Answer): unknown {
  const { date, 'x-request-id': id, ...rest } = headers;
  const isOwn = id !== undefined && id !== 'mine';
  return { status, hasDate: typeof date, id: isOwn ? id.length : id, headers: { ...rest }, text: neutral(text) };
}

function neutral(text: string): string {
  return text.replaceAll(/"requestId":"[0-9a-f]{32}"/g, '"requestId":""').replaceAll(/"hostname":"[^"]*"/g, '');
}
