import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TestAuthority } from '../../../test/support/certificates.js';
import { eventually } from '../../../test/support/eventually.js';
import { FakeNacos } from '../../../test/support/fake-nacos.js';
import { NacosConnection, type NacosOptions, type NacosState } from './index.js';

/** Something between client and server that stops carrying anything, and closes nothing. */
async function relayTo(
  port: number,
): Promise<{ port: number; cut(): void; hasClosedSockets(): Promise<boolean>; close(): void }> {
  const sockets: Socket[] = [];
  const upstream: Socket[] = [];
  const server = createServer((socket) => {
    const other = createConnection({ port, host: '127.0.0.1' });
    sockets.push(socket.on('error', () => {}));
    upstream.push(other.on('error', () => {}));
    socket.pipe(other).pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    cut() {
      sockets.forEach((socket, index) => {
        socket.unpipe();
        upstream[index]?.unpipe();
        socket.pause();
      });
    },
    async hasClosedSockets() {
      const open = sockets.filter((socket) => !socket.closed);
      await Promise.all(open.map((socket) => once(socket.resume(), 'close')));
      return sockets.length > 0;
    },
    close() {
      for (const socket of [...sockets, ...upstream]) socket.destroy();
      server.close();
    },
  };
}

let fake: FakeNacos;
const open: { close(): unknown }[] = [];

beforeEach(async () => {
  fake = await FakeNacos.start();
  open.push(fake);
});

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

function connect(changes: Partial<NacosOptions> = {}): NacosConnection {
  const connection = new NacosConnection({ servers: [fake.server], minBackoffMs: 5, ...changes });
  open.push(connection);
  return connection;
}

function statesOf(connection: NacosConnection): NacosState['state'][] {
  const states: NacosState['state'][] = [];
  connection.onState(({ state }) => states.push(state));
  return states;
}

const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'no failure',
    (error: unknown) => error,
  );

describe('the handshake', () => {
  it('checks, opens the stream, sets up, and asks only after the acknowledgement', async () => {
    const connection = connect({ namespace: 'ns', appName: 'orders', module: 'naming' });

    await connection.request('AnyRequest', { a: 1 });

    expect(fake.taken.map(({ type }) => type)).toEqual(['ServerCheckRequest', 'ConnectionSetupRequest', 'AnyRequest']);
    expect(fake.taken[1]?.body).toMatchObject({
      tenant: 'ns',
      labels: { source: 'sdk', module: 'naming', AppName: 'orders' },
      abilityTable: {},
    });
  });

  it('waits 100 ms where the server does not acknowledge', async () => {
    fake.acknowledgesSetup = false;
    const startedAt = performance.now();

    await connect().request('AnyRequest', {});

    expect(performance.now() - startedAt).toBeGreaterThan(95);
  });

  it('gives each connection an identity of its own', async () => {
    await Promise.all([connect().connected(), connect().connected()]);

    expect(new Set([...fake.streams].map((stream) => stream.getPeer())).size).toBe(2);
  });

  it('goes on to the next server when one is not there', async () => {
    const connection = connect({ servers: ['127.0.0.1:1', fake.server, '127.0.0.1:2'] });

    await connection.connected();

    expect(connection.state).toEqual({ state: 'connected', server: fake.server.address });
  });

  it('tries again at a server that is starting', async () => {
    fake.answerWith = ({ type }, count) =>
      type === 'ServerCheckRequest' && count === 1
        ? { resultCode: 500, errorCode: 300, message: 'starting' }
        : undefined;

    await connect().connected();

    expect(fake.count('ServerCheckRequest')).toBe(2);
  });
});

describe('a lost connection', () => {
  it.each([0, 1, 14])('comes back after the stream ended with status %i', async (code) => {
    const connection = connect();
    await connection.connected();
    const states = statesOf(connection);

    fake.endStreams(code);
    await eventually('connected again', () => states.includes('connected'));

    expect(states).toEqual(['disconnected', 'connecting', 'connected']);
    expect(fake.setups).toBe(2);
  });

  it.each([301, -401])('comes back on error %i, and the request is sent again', async (errorCode) => {
    fake.answerWith = ({ type }, count) =>
      type === 'AnyRequest' && count === 1
        ? { resultCode: 500, errorCode, success: false, message: 'unregistered' }
        : { resultCode: 200, connectionId: 'c', supportAbilityNegotiation: true, number: count };

    const answer = await connect().request('AnyRequest', {});

    expect(answer['number']).toBe(2);
    expect(fake.setups).toBe(2);
  });

  it('comes back after a push that cannot be read', async () => {
    await connect().connected();

    fake.pushBytes(Buffer.from('not an envelope'));

    await eventually('set up again', () => fake.setups === 2);

    expect(fake.count('ServerCheckRequest')).toBe(2);
  });

  it('is noticed by health checks where nothing closes it', async () => {
    const connection = connect({ healthCheckIdleMs: 100, healthCheckTimeoutMs: 60 });
    await connection.connected();
    const states = statesOf(connection);
    let isSilent = true;
    fake.answerWith = ({ type }) => (type === 'HealthCheckRequest' && isSilent ? 'never' : undefined);

    await eventually('disconnected', () => states.includes('disconnected'));
    isSilent = false;
    await eventually('connected', () => states.includes('connected'));

    expect(fake.count('HealthCheckRequest')).toBe(2);
  });
});

describe('the stream', () => {
  it('outlives a handler that throws, which is the process to hear of', async () => {
    const connection = connect();
    connection.onPush('SomeRequest', () => {
      throw new Error('of the handler');
    });
    await connection.connected();
    const uncaught = once(process, 'uncaughtException');
    const others = process.rawListeners('uncaughtException').slice(0, -1) as NodeJS.UncaughtExceptionListener[];
    for (const other of others) process.off('uncaughtException', other);
    try {
      fake.push('SomeRequest', { requestId: '1' });
      const [error] = (await uncaught) as [Error];
      await connection.request('AnyRequest', {});

      expect(error.message).toBe('of the handler');
      expect(fake.setups).toBe(1);
    } finally {
      for (const other of others) process.on('uncaughtException', other);
    }
  });

  it('answers the detection of the server', async () => {
    await connect().connected();

    fake.push('ClientDetectionRequest', { requestId: '42' });
    await fake.came('ClientDetectionResponse');

    expect(fake.taken.at(-1)?.body).toEqual({ resultCode: 200, requestId: '42' });
  });

  it('moves to the server that it is told, and answers before', async () => {
    const other = await FakeNacos.start();
    open.push(other);
    const connection = connect({ servers: [fake.server, other.server] });
    await connection.connected();
    const [from, to] = fake.setups === 1 ? [fake, other] : [other, fake];

    from.push('ConnectResetRequest', { requestId: '5', serverIp: '127.0.0.1', serverPort: String(to.port) });
    await eventually('moved', () => connection.state.state === 'connected' && to.setups === 1);

    expect(from.count('ConnectResetResponse')).toBe(1);
    expect(from.setups).toBe(1);
  });

  it('leaves pushes alone that it does not know', async () => {
    const connection = connect();
    await connection.connected();

    fake.push('TomorrowRequest', { requestId: '1' });
    fake.push('ClientDetectionRequest', { requestId: '2' });
    await fake.came('ClientDetectionResponse');

    expect(fake.count('TomorrowResponse')).toBe(0);
    expect(connection.state.state).toBe('connected');
  });

  it('acknowledges a push before its handler hears of it', async () => {
    const connection = connect();
    const heard = Promise.withResolvers<unknown>();
    connection.onPush('SomeRequest', (body) => heard.resolve(body));
    await connection.connected();

    fake.push('SomeRequest', { requestId: '9', what: 'x' });

    expect(await heard.promise).toEqual({ requestId: '9', what: 'x' });
    await fake.came('SomeResponse');
    expect(fake.taken.at(-1)?.body).toEqual({ resultCode: 200, requestId: '9' });
  });
});

describe('a request', () => {
  it('ends in time where the server is silent', async () => {
    fake.answerWith = ({ type }) => (type === 'AnyRequest' ? 'never' : undefined);
    const startedAt = performance.now();

    const error = await failure(connect().request('AnyRequest', {}, { timeoutMs: 200 }));

    expect(error).toMatchObject({ reason: 'NACOS_TIMEOUT', message: expect.stringContaining('within') });
    expect(performance.now() - startedAt).toBeLessThan(1000);
  });

  it('ends in time where no server is there, and says which were asked', async () => {
    const connection = connect({ servers: ['127.0.0.1:1'] });

    expect(await failure(connection.request('AnyRequest', {}, { timeoutMs: 150 }))).toMatchObject({
      reason: 'NACOS_UNAVAILABLE',
      message: 'nacos: AnyRequest: no connection within 150 ms (servers: 127.0.0.1:1)',
    });
  });

  it('ends with the reason of its signal', async () => {
    fake.answerWith = ({ type }) => (type === 'AnyRequest' ? 'never' : undefined);
    const abort = new AbortController();
    const error = failure(connect().request('AnyRequest', {}, { signal: abort.signal }));
    await fake.came('AnyRequest');

    abort.abort(new Error('enough'));

    expect(await error).toEqual(new Error('enough'));
  });

  it('reports what the server refuses, with its number', async () => {
    fake.answerWith = ({ type }) =>
      type === 'AnyRequest' ? { resultCode: 500, errorCode: 400, success: false, message: 'bad\nrequest' } : undefined;

    expect(await failure(connect().request('AnyRequest', {}))).toMatchObject({
      reason: 'NACOS_REQUEST_FAILED',
      errorCode: 400,
      message: 'nacos: AnyRequest: bad request (400)',
    });
  });

  it('is refused where too many wait', async () => {
    fake.answerWith = ({ type }) => (type === 'AnyRequest' ? 'never' : undefined);
    const connection = connect({ maxPendingRequests: 1 });
    const first = failure(connection.request('AnyRequest', {}, { timeoutMs: 300 }));

    expect(await failure(connection.request('AnyRequest', {}))).toMatchObject({ reason: 'NACOS_OVERLOADED' });
    expect(await first).toMatchObject({ reason: 'NACOS_TIMEOUT' });
  });

  it('keeps the connection when an answer is too large', async () => {
    fake.answerWith = ({ type }) =>
      type === 'HugeRequest' ? { resultCode: 200, content: 'x'.repeat(5000) } : undefined;
    const connection = connect({ maxMessageBytes: 4096 });

    expect(await failure(connection.request('HugeRequest', {}))).toMatchObject({ reason: 'NACOS_REQUEST_FAILED' });
    await connection.request('AnyRequest', {});

    expect(fake.setups).toBe(1);
  });
});

describe('the login', () => {
  const user = { username: 'ann', password: 's3cret' };
  const token = (number: number, tokenTtl = 18_000) => ({
    status: 200,
    body: { accessToken: `token-${number}`, tokenTtl },
  });

  it('asks the path of 3.x first, that of 2.x where it is not there', async () => {
    fake.login = (path, form) =>
      path === '/nacos/v1/auth/login' && form.get('password') === 's3cret' ? token(1) : { status: 404 };

    await connect(user).connected();

    expect(fake.logins).toEqual(['/nacos/v3/auth/user/login', '/nacos/v1/auth/login']);
  });

  it('says that the password is wrong, without saying it', async () => {
    fake.login = () => ({ status: 403, body: 'unknown user!' });

    const error = await failure(connect(user).connected({ timeoutMs: 200 }));

    expect(error).toMatchObject({ reason: 'NACOS_DENIED' });
    expect(String(error)).not.toContain('s3cret');
  });

  it('is repeated once where the token is refused', async () => {
    let logins = 0;
    fake.login = () => token(++logins);
    fake.answerWith = ({ type }, count) =>
      type === 'AnyRequest' && count === 1 ? { resultCode: 500, errorCode: 403, message: 'token expired' } : undefined;

    await connect(user).request('AnyRequest', {});

    expect(logins).toBe(2);
  });

  it('is not repeated again where the user lacks the right; no token is in the message', async () => {
    let logins = 0;
    fake.login = () => token(++logins);
    fake.answerWith = ({ type }) =>
      type === 'AnyRequest' ? { resultCode: 500, errorCode: 403, message: 'no right: token-2' } : undefined;

    const error = await failure(connect(user).request('AnyRequest', {}));

    expect(error).toMatchObject({ reason: 'NACOS_DENIED', message: 'nacos: AnyRequest: no right: *** (403)' });
    expect(logins).toBe(2);
  });
});

describe('TLS', () => {
  it('protects requests and login alike', async () => {
    using authority = new TestAuthority();
    const pair = authority.issue('nacos');
    const [cert, key, ca] = [pair.certFile, pair.keyFile, authority.caFile].map((file) => readFileSync(file, 'utf8'));
    const secure = await FakeNacos.start({ cert: cert ?? '', key: key ?? '' });
    open.push(secure);
    secure.login = () => ({ status: 200, body: { accessToken: 't', tokenTtl: 100 } });
    const options = { servers: [secure.server], username: 'ann', password: 's3cret' };

    await connect({ ...options, tls: { ca: ca ?? '' } }).request('AnyRequest', {});

    expect(secure.count('AnyRequest')).toBe(1);
    expect(secure.logins).toHaveLength(1);
  });

  it('does not trust a server of somebody else', async () => {
    using authority = new TestAuthority();
    const pair = authority.issue('nacos');
    const [cert, key] = [pair.certFile, pair.keyFile].map((file) => readFileSync(file, 'utf8'));
    const secure = await FakeNacos.start({ cert: cert ?? '', key: key ?? '' });
    open.push(secure);

    const error = await failure(connect({ servers: [secure.server], tls: {} }).connected({ timeoutMs: 500 }));

    expect(error).toMatchObject({ reason: 'NACOS_UNAVAILABLE' });
    expect(secure.taken).toEqual([]);
  });
});

describe('close', () => {
  it('takes less than a second when the network is cut, and leaves no socket', async () => {
    const relay = await relayTo(fake.grpcPort);
    open.push(relay);
    const connection = connect({ servers: [{ address: fake.server.address, grpcPort: relay.port }] });
    await connection.connected();
    relay.cut();
    const startedAt = performance.now();

    await connection.close();

    expect(performance.now() - startedAt).toBeLessThan(1000);
    expect(await relay.hasClosedSockets()).toBe(true);
  });

  it('ends what waits, and may be called twice', async () => {
    fake.answerWith = ({ type }) => (type === 'AnyRequest' ? 'never' : undefined);
    const connection = connect();
    const error = failure(connection.request('AnyRequest', {}));
    await fake.came('AnyRequest');

    await connection.close();
    await connection.close();

    expect(await error).toMatchObject({ reason: 'NACOS_CLOSED' });
    expect(await failure(connection.request('AnyRequest', {}))).toMatchObject({ reason: 'NACOS_CLOSED' });
    expect(connection.state.state).toBe('closed');
  });

  it('takes less than a second before a server that accepts and says nothing, and leaves no socket', async () => {
    const sockets: Socket[] = [];
    const mute = createServer((socket) => sockets.push(socket));
    mute.listen(0, '127.0.0.1');
    await once(mute, 'listening');
    open.push(mute);
    const { port } = mute.address() as { port: number };
    const connection = connect({ servers: [{ address: '127.0.0.1:1', grpcPort: port }] });
    await eventually('accepted', () => sockets.length > 0);
    const [socket] = sockets as [Socket];
    const gone = once(socket, 'close');
    socket.resume();
    const startedAt = performance.now();

    await connection.close();
    await gone;

    expect(performance.now() - startedAt).toBeLessThan(1000);
  });
});
