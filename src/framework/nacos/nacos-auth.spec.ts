import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeNacos } from '../../../test/support/fake-nacos.js';
import { nacosSettings } from './nacos.options.js';
import { NacosAuth } from './nacos-auth.js';

const ttlSeconds = 1000;

let fake: FakeNacos;
let nowMs = 0;
let logins = 0;
let auth: NacosAuth;

beforeEach(async () => {
  fake = await FakeNacos.start();
  nowMs = 0;
  logins = 0;
  fake.login = (path) =>
    path.startsWith('/nacos/v3')
      ? { status: 200, body: { accessToken: `token-${++logins}`, tokenTtl: ttlSeconds } }
      : { status: 410 };
  auth = authWithin(4000);
});

afterEach(() => fake.close());

function authWithin(connectTimeoutMs: number): NacosAuth {
  const settings = nacosSettings({
    servers: [fake.server],
    username: 'ann',
    password: 's3cret',
    connectTimeoutMs,
  });
  return new NacosAuth(settings, () => nowMs);
}

const token = async (): Promise<string | undefined> => {
  const servers = [{ host: '127.0.0.1', port: fake.port, grpcPort: fake.grpcPort }];
  return (await auth.headers(servers, new AbortController().signal))['accessToken'];
};
const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'no failure',
    (error: unknown) => error,
  );

describe('the token', () => {
  it('is asked for once, however many need it', async () => {
    expect(await Promise.all([token(), token(), token()])).toEqual(['token-1', 'token-1', 'token-1']);
    expect(await token()).toBe('token-1');
  });

  it('is renewed in its last tenth while it still serves', async () => {
    await token();
    nowMs = ttlSeconds * 1000 * 0.89;
    expect(await token()).toBe('token-1');
    expect(fake.logins).toHaveLength(1);

    nowMs = ttlSeconds * 1000 * 0.91;
    expect(await token()).toBe('token-1');
    await expect.poll(token).toBe('token-2');

    expect(fake.logins).toHaveLength(2);
  });

  it('serves until its end when it cannot be renewed, which is tried once a second', async () => {
    await token();
    fake.login = () => ({ status: 500 });
    nowMs = ttlSeconds * 1000 * 0.91;

    expect(await token()).toBe('token-1');
    await expect.poll(() => fake.logins.length).toBe(2);
    expect(await token()).toBe('token-1');
    expect(fake.logins).toHaveLength(2);

    nowMs = ttlSeconds * 1000;
    expect(await failure(token())).toMatchObject({ reason: 'NACOS_DENIED' });
  });

  it('is asked for anew when it was refused, once for all who were', async () => {
    const headers = await auth.headers(
      [{ host: '127.0.0.1', port: fake.port, grpcPort: 1 }],
      new AbortController().signal,
    );

    auth.refuse(headers);
    expect(await token()).toBe('token-2');
    auth.refuse(headers);

    expect(await token()).toBe('token-2');
  });
});

describe('the login', () => {
  it('keeps to the path that worked, until it is gone', async () => {
    fake.login = (path) =>
      path.includes('/v1/') ? { status: 200, body: { accessToken: 'old', tokenTtl: 1 } } : { status: 404 };
    await token();
    nowMs = 2000;
    await token();
    fake.login = (path) =>
      path.includes('/v3/') ? { status: 200, body: { accessToken: 'new', tokenTtl: 1 } } : { status: 410 };
    nowMs = 4000;

    expect(await token()).toBe('new');
    expect(fake.logins.map((path) => path.slice(7, 9))).toEqual(['v3', 'v1', 'v1', 'v1', 'v3']);
  });

  it('is denied by a status that HTTP does not have', async () => {
    fake.login = (path) => ({ status: path.includes('/v3/') ? 404 : -1 });

    expect(await failure(token())).toMatchObject({
      reason: 'NACOS_DENIED',
      message: `nacos: no login at ${fake.server.address} (HTTP status 0)`,
    });
  });

  // 3.1 answers a wrong password with 500 and not a word about it.
  it.each([403, 500])('asks for user and password to be looked at where the server answers %i', async (status) => {
    fake.login = () => ({ status });

    expect(await failure(token())).toMatchObject({
      message: `nacos: no login at ${fake.server.address} (HTTP status ${status}; wrong username or password?)`,
    });
  });

  it('says why a server was not reached', async () => {
    const servers = [{ host: '127.0.0.1', port: 1, grpcPort: 2 }];

    const error = await failure(auth.headers(servers, new AbortController().signal));

    expect(error).toMatchObject({ message: 'nacos: no login at 127.0.0.1:1 (ECONNREFUSED)' });
  });

  it('ends in time before a server that says nothing', async () => {
    fake.login = () => ({ status: 'never' });
    auth = authWithin(200);

    expect(await failure(token())).toMatchObject({
      reason: 'NACOS_TIMEOUT',
      message: `nacos: no login at ${fake.server.address} within 200 ms`,
    });
  });

  it('asks the next server where one is not there', async () => {
    const servers = [
      { host: '127.0.0.1', port: 1, grpcPort: 2 },
      { host: '127.0.0.1', port: fake.port, grpcPort: fake.grpcPort },
    ];

    expect(await auth.headers(servers, new AbortController().signal)).toEqual({ accessToken: 'token-1' });
  });

  it.each(['', '<html>', '[]', 'null', '{"accessToken":""}'])(
    'is denied by an answer that holds no token: %s',
    async (body) => {
      fake.login = () => ({ status: 200, body: body.startsWith('{') || body === 'null' ? JSON.parse(body) : body });

      expect(await failure(token())).toMatchObject({ reason: 'NACOS_DENIED' });
    },
  );
});
