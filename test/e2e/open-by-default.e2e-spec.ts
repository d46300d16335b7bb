import { Agent } from 'node:http';
import { Controller, Get, Module, VersioningType } from '@nestjs/common';
import { createService, Public, type Service } from 'rookery';
import { HttpAdapter } from 'rookery/http';
import { signTestToken, testSecret } from 'rookery/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GrpcCaller } from '../support/grpc-caller.js';
import { http } from '../support/http-caller.js';
import { Http2Caller } from '../support/http2-caller.js';
import { emptyApplication, listed, reflect, reflectionServices } from '../support/operator.js';

@Controller('greeting')
@Public()
class GreetingController {
  @Get()
  greet(): string {
    return 'hello';
  }
}

@Module({ controllers: [GreetingController] })
class GreetingModule {}

type Settings = Readonly<Record<string, unknown>>;

/** A service in production that does not own the process. */
async function production(
  set: Settings = {},
  application: typeof GreetingModule = emptyApplication,
  prepare: (service: Service) => void = () => {},
): Promise<Service> {
  const own = { 'server.host': '127.0.0.1', 'server.port': 0, 'server.idleLingerMs': 0, 'log.level': 'silent' };
  const service = await createService(application, {
    ownsProcess: false,
    config: {
      directory: 'nowhere',
      environment: { ROOKERY_ENV: 'production' },
      argv: Object.entries({ ...own, 'auth.jwt.secret': testSecret, ...set }).flatMap(([path, value]) => [
        '--set',
        `${path}=${String(value)}`,
      ]),
    },
  });
  prepare(service);
  return service.listen();
}

// As many requests as there are; connections that are kept.
const agent = new Agent({ keepAlive: true, maxSockets: 8 });
afterAll(() => agent.destroy());

const probes = ['/health/live', '/health/ready', '/health/startup'];
const methods = ['GET', 'HEAD', 'POST', 'OPTIONS'];

/** Every route that is registered, whoever registered it; the application has none of its own. */
function pathsOf(service: Service): string[] {
  const adapter = service.app.getHttpAdapter();
  if (!(adapter instanceof HttpAdapter)) throw new Error('not our adapter');
  return [...new Set(adapter.routes.map(({ path }) => path))];
}

/** Ways to write a path that a router may take for the same. */
function spellings(path: string): string[] {
  const encoded = `/%${path.charCodeAt(1).toString(16)}${path.slice(2)}`;
  return [
    path,
    `${path}/`,
    `${path}?x=1`,
    `${path};x=1`,
    `/${path}`,
    encoded,
    path.toUpperCase(),
    `${path}/.`,
    `/.${path}`,
    `/health/live/..${path}`,
    `/health/..%2f${path.slice(1)}`,
    `${path}%00`,
    `${path}%2f`,
  ];
}

interface Seen {
  readonly status: number;
  readonly text: string;
}

/** Asks on both versions of HTTP; what differs between them is a failure of its own. */
async function ask(service: Service, http2: Http2Caller, method: string, path: string): Promise<Seen> {
  const [one, two] = await Promise.all([
    http(service.url, { method, path, agent }),
    http2.request({ ':method': method, ':path': path }),
  ]);
  expect([method, path, two.status]).toEqual([method, path, one.status]);
  return { status: one.status, text: one.text };
}

/** What was served of what only operators are to see. */
async function served(service: Service, paths: readonly string[]): Promise<string[]> {
  const http2 = await Http2Caller.connect(service.url);
  const requests = paths.flatMap(spellings).flatMap((path) => methods.map((method) => ({ method, path })));
  const seen = await Promise.all(
    requests.map(async ({ method, path }) => ({ method, path, ...(await ask(service, http2, method, path)) })),
  );
  http2.close();
  return seen
    .filter(({ method, status, text }) => !isHidden(method, status, text))
    .map(({ method, path, status, text }) => `${method} ${path}: ${status} ${text}`);
}

// The answer to OPTIONS has no body, and says of a known path what the documentation says of it.
function isHidden(method: string, status: number, text: string): boolean {
  return [400, 401, 404, 405].includes(status) || (method === 'OPTIONS' && status === 204 && text === '');
}

describe('in production without a token', () => {
  let service: Service;
  let caller: GrpcCaller;

  beforeAll(async () => {
    service = await production();
    caller = new GrpcCaller(service.address);
  });

  afterAll(async () => {
    caller.close();
    expect(await service.close()).toBe(0);
  });

  it('knows every path that the framework serves', () => {
    expect(pathsOf(service).toSorted()).toEqual(
      expect.arrayContaining(['/docs', '/docs/', '/docs/init.js', '/metrics', '/openapi.json', ...probes]),
    );
  });

  it('serves no path of the framework but the probes, however it is written', async () => {
    const paths = pathsOf(service).filter((path) => !probes.includes(path));

    expect(await served(service, [...paths, '/debug/heap', '/debug/cpu'])).toEqual([]);
  });

  it.each(['/docs', '/docs/', '/docs/init.js', '/docs/swagger-ui.css', '/openapi.json', '/metrics'])(
    'refuses %s as every protected route',
    async (path) => {
      const answer = await http(service.url, { path });

      expect(answer.status).toBe(401);
      expect(answer.headers['www-authenticate']).toBe('Bearer');
      expect(answer.json).toEqual({
        code: 401,
        data: null,
        message: 'bearer token missing',
        reason: 'TOKEN_MISSING',
        requestId: expect.any(String) as unknown,
      });
    },
  );

  it('refuses a conditional request before it looks at what is known', async () => {
    const known = await http(service.url, { path: '/openapi.json', token: signTestToken({ scope: 'docs:read' }) });
    const etag = String(known.headers.etag);

    expect((await http(service.url, { path: '/openapi.json', headers: { 'if-none-match': etag } })).status).toBe(401);
    expect((await http(service.url, { path: '/openapi.json', headers: { 'if-none-match': '*' } })).status).toBe(401);
  });

  it.each(probes)('tells %s the status and nothing else', async (path) => {
    const http2 = await Http2Caller.connect(service.url);

    expect(await ask(service, http2, 'GET', path)).toEqual({ status: 200, text: '{"status":"ok"}' });
    expect(await ask(service, http2, 'HEAD', path)).toEqual({ status: 200, text: '' });
    http2.close();
  });

  it('tells a probe with a token that is not good enough no more, and does not fail it', async () => {
    for (const token of ['x', signTestToken({ scope: 'users:read' }), signTestToken({ exp: 1 })]) {
      expect(await http(service.url, { path: '/health/ready', token })).toMatchObject({
        status: 200,
        text: '{"status":"ok"}',
      });
    }
  });

  it('serves no method of a service of the framework but health', async () => {
    const services = service.grpcServices;
    const refused: string[] = [];
    for (const { typeName, methods: rpcs } of services) {
      for (const { name } of rpcs) {
        if (typeName === 'grpc.health.v1.Health' && name === 'Watch') continue;
        const { failure } = await caller.callBytes(`/${typeName}/${name}`, [new Uint8Array()]);
        if (failure !== undefined) refused.push(`${typeName}/${name}: ${failure.status}`);
      }
    }

    expect(services.map(({ typeName }) => typeName)).toEqual(['grpc.health.v1.Health', ...reflectionServices]);
    expect(refused).toEqual(reflectionServices.map((name) => `${name}/ServerReflectionInfo: UNAUTHENTICATED`));
  });

  it('lists the process as a whole in Health/List', async () => {
    const { messages } = await caller.callBytes('/grpc.health.v1.Health/List', [new Uint8Array()]);

    // One entry: the empty name, SERVING.
    expect(messages).toEqual([Buffer.from([0x0a, 0x06, 0x0a, 0x00, 0x12, 0x02, 0x08, 0x01]).toString('base64')]);
  });

  it('has no text that names a service to somebody who guesses', async () => {
    const { failure } = await caller.callBytes('/user.service.v1.UserServic/GetUser', [new Uint8Array()]);

    expect(failure).toMatchObject({
      status: 'UNIMPLEMENTED',
      message: 'unknown service "user.service.v1.UserServic"',
    });
  });
});

describe('in production with a token', () => {
  let service: Service;
  let caller: GrpcCaller;

  beforeAll(async () => {
    service = await production();
    caller = new GrpcCaller(service.address);
  });

  afterAll(async () => {
    caller.close();
    expect(await service.close()).toBe(0);
  });

  const statusOf = async (path: string, scope: string): Promise<number> =>
    (await http(service.url, { path, token: signTestToken({ scope }) })).status;

  it.each([
    ['process:read', [200, 200, 200]],
    ['docs:read', [200, 200, 403]],
    ['metrics:read', [403, 403, 200]],
    ['users:write', [403, 403, 403]],
    ['', [403, 403, 403]],
  ])('of scope %j gets what the scope is for', async (scope, statuses) => {
    const paths = ['/docs', '/openapi.json', '/metrics'];

    expect(await Promise.all(paths.map((path) => statusOf(path, scope)))).toEqual(statuses);
  });

  it('names the scope that is missing', async () => {
    const answer = await http(service.url, { path: '/metrics', token: signTestToken({ scope: 'docs:read' }) });

    expect(answer.json).toMatchObject({ reason: 'SCOPE_MISSING', message: 'scope missing: metrics:read' });
    expect(answer.headers['www-authenticate']).toBe('Bearer error="insufficient_scope", scope="metrics:read"');
  });

  it.each(['process:read', 'metrics:read'])('of scope %s gets the details of health', async (scope) => {
    const { json } = await http(service.url, { path: '/health/ready', token: signTestToken({ scope }) });

    expect(json).toMatchObject({ status: 'ok', details: { lifecycle: { phase: 'ready', status: 'up' } } });
  });

  it.each(reflectionServices)('gets the services from %s', async (name) => {
    const list = [{ case: 'listServices', value: '' }] as const;
    const admitted = await reflect(caller, name, list, signTestToken({ scope: 'docs:read' }));
    const refused = await reflect(caller, name, list, signTestToken({ scope: 'metrics:read' }));

    expect(listed(admitted)).toEqual(['grpc.health.v1.Health', ...reflectionServices]);
    expect(refused).toMatchObject({
      messages: [],
      failure: { status: 'PERMISSION_DENIED', message: 'scope missing: docs:read' },
    });
  });
});

describe('the switches', () => {
  it.each([
    [{ 'http.docs': 'open' }, [200, 200, 401], 'UNAUTHENTICATED'],
    [{ 'telemetry.metrics': 'open' }, [401, 401, 200], 'UNAUTHENTICATED'],
    [{ 'grpc.reflection': 'open' }, [401, 401, 401], undefined],
    [{ 'http.docs': 'off', 'telemetry.metrics': 'off', 'grpc.reflection': 'off' }, [404, 404, 404], 'UNIMPLEMENTED'],
    [{ 'http.docs': false, 'telemetry.metrics': false, 'grpc.reflection': false }, [404, 404, 404], 'UNIMPLEMENTED'],
    [{ 'http.docs': true, 'telemetry.metrics': true, 'grpc.reflection': true }, [401, 401, 401], 'UNAUTHENTICATED'],
  ])('%j', async (set, statuses, status) => {
    const service = await production(set);
    const caller = new GrpcCaller(service.address);
    const answers = await Promise.all(
      ['/docs', '/openapi.json', '/metrics'].map((path) => http(service.url, { path })),
    );
    const { failure } = await reflect(caller, 'grpc.reflection.v1.ServerReflection', [
      { case: 'listServices', value: '' },
    ]);
    caller.close();
    await service.close();

    expect(answers.map((answer) => answer.status)).toEqual(statuses);
    expect(failure?.status).toBe(status);
  });

  it('health.details shows and hides names while the service runs', async () => {
    const service = await production({ 'health.details': 'open' });
    const ready = async (token?: string): Promise<unknown> =>
      (await http(service.url, { path: '/health/ready', token })).json;
    const operator = signTestToken({ scope: 'metrics:read' });
    const open = await ready();
    const switchTo = (details: string): number =>
      service.config.replace({
        name: 'arguments',
        kind: 'arguments',
        tree: { health: { details }, auth: { jwt: { secret: testSecret } } },
        sources: new Map(),
      });

    switchTo('token');
    const anonymous = await ready();
    const known = await ready(operator);
    switchTo('off');
    const off = await ready(operator);
    await service.close();

    expect(open).toMatchObject({ details: { lifecycle: { status: 'up' } } });
    expect(anonymous).toEqual({ status: 'ok' });
    expect(known).toEqual(open);
    expect(off).toEqual({ status: 'ok' });
  });
});

describe('with a prefix and versions of the application', () => {
  it('serves the route of the application and the probes, and nothing else', async () => {
    const service = await production({}, GreetingModule, ({ app }) => {
      app.setGlobalPrefix('api');
      app.enableVersioning({ type: VersioningType.URI, defaultVersion: '1' });
    });
    const own = '/api/v1/greeting';
    const paths = pathsOf(service).filter((path) => path !== own && !path.startsWith('/api/health/'));
    const greeting = await http(service.url, { path: own });
    const found = await served(service, paths);
    await service.close();

    expect(paths).toEqual(expect.arrayContaining(['/api/metrics', '/docs', '/openapi.json']));
    expect(greeting.status).toBe(200);
    expect(found).toEqual([]);
  });
});

describe('every other environment than development and test', () => {
  it.each(['prod', 'Production', 'Development', 'staging'])('has the rules of production: %s', async (env) => {
    const service = await createService(emptyApplication, {
      ownsProcess: false,
      config: {
        directory: 'nowhere',
        environment: { ROOKERY_ENV: env, ROOKERY_LOG__LEVEL: 'silent', PORT: '0' },
        argv: ['--set', 'server.idleLingerMs=0', '--set', 'server.host=127.0.0.1'],
      },
    });
    await service.listen();
    const statuses = await Promise.all(
      ['/docs', '/openapi.json', '/metrics', '/health/live'].map(async (path) => http(service.url, { path })),
    );
    await service.close();

    expect(statuses.map(({ status }) => status)).toEqual([401, 401, 401, 200]);
  });
});
