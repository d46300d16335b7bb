import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { networkInterfaces } from 'node:os';
import { signTestToken, startTestService, type TestService } from 'rookery/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { AppModule } from '../../src/service/app.module.js';
import { ChildService } from '../support/child-service.js';
import { eventually } from '../support/eventually.js';
import { GrpcCaller } from '../support/grpc-caller.js';
import { http, type HttpAnswer } from '../support/http-caller.js';
import { Http2Caller } from '../support/http2-caller.js';
import { connects, listed, reflect, reflectionServices } from '../support/operator.js';
import { inUse } from '../support/service-figures.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const operatorPaths = ['/docs', '/docs/init.js', '/docs/swagger-ui.css', '/metrics', '/openapi.json'];
const health = '/grpc.health.v1.Health';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

interface Managed extends TestService {
  readonly management: string;
}

async function start(set: Readonly<Record<string, unknown>> = {}): Promise<Managed> {
  const folder = await temporaryFolder();
  closing.push(folder.remove);
  const own = { 'management.port': 0, 'files.directory': folder.path };
  const test = await startTestService(AppModule, { env: { ROOKERY_ENV: 'production' }, set: { ...own, ...set } });
  closing.push(() => test.close());
  return { ...test, management: `http://${test.service.managementAddress}` };
}

async function startChild(environment: Readonly<Record<string, string>>): Promise<ChildService> {
  const folder = await temporaryFolder();
  closing.push(folder.remove);
  const child = new ChildService({
    ROOKERY_ENV: 'production',
    ROOKERY_FILES__DIRECTORY: folder.path,
    ROOKERY_MANAGEMENT__PORT: '0',
    ...environment,
  });
  closing.push(() => child.dispose());
  return child;
}

async function managementOf(child: ChildService): Promise<string> {
  return `http://${String((await child.line('listening'))['management'])}`;
}

async function heldPort(): Promise<{ readonly port: number; readonly server: Server }> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => new Promise((resolve) => server.close(resolve)));
  return { port: (server.address() as AddressInfo).port, server };
}

describe('the management port', () => {
  it('is off unless it is asked for', async () => {
    const { service } = await start({ 'management.port': undefined });

    expect(service.managementAddress).toBeUndefined();
  });

  it('serves operators without a token, and on the main port only the probes stay', async () => {
    const { url, management } = await start();
    const statuses = async (base: string): Promise<number[]> =>
      (await Promise.all(operatorPaths.map((path) => http(base, { path })))).map(({ status }) => status);

    expect(await statuses(management)).toEqual([200, 200, 200, 200, 200]);
    expect(await statuses(url)).toEqual([404, 404, 404, 404, 404]);
    for (const probe of ['live', 'ready', 'startup']) {
      expect(await http(url, { path: `/health/${probe}` })).toMatchObject({ status: 200, text: '{"status":"ok"}' });
    }
  });

  it('hides from operators with a token, too, what has left the main port', async () => {
    const { url, address, token } = await start();
    const operator = token({ scope: 'process:read' });
    const caller = new GrpcCaller(address);
    const { failure } = await reflect(caller, reflectionServices[0] as string, [], operator);
    caller.close();

    expect((await http(url, { path: '/metrics', token: operator })).status).toBe(404);
    expect(failure).toMatchObject({ status: 'UNIMPLEMENTED' });
  });

  it('has the same content as the main port would have', async () => {
    const { management } = await start();
    const ready = await http(management, { path: '/health/ready?verbose' });
    const metrics = await http(management, { path: '/metrics' });
    const document = await http(management, { path: '/openapi.json' });
    const again = await http(management, {
      path: '/openapi.json',
      headers: { 'if-none-match': String(document.headers.etag) },
    });
    const packed = await http(management, { path: '/openapi.json', headers: { 'accept-encoding': 'gzip' } });

    expect(ready.json).toMatchObject({
      status: 'ok',
      details: { lifecycle: { phase: 'ready', status: 'up' }, database: { status: 'up' } },
    });
    expect(ready.headers).toMatchObject({
      'cache-control': 'no-store',
      'content-type': expect.stringContaining('json') as string,
    });
    expect(metrics.text).toContain('rookery_requests_in_flight');
    expect(metrics.headers['content-type']).toContain('version=0.0.4');
    expect(document.json).toMatchObject({ paths: { '/api/v1/users': {} } });
    expect([again.status, again.text]).toEqual([304, '']);
    expect(packed.headers['content-encoding']).toBe('gzip');
    expect(packed.bytes.length).toBeLessThan(document.bytes.length);
  });

  it('speaks HTTP/2 and gRPC as well: health with names, reflection of the services of the main port', async () => {
    const { management, service } = await start();
    const http2 = await Http2Caller.connect(management);
    const caller = new GrpcCaller(String(service.managementAddress));
    closing.push(
      async () => http2.close(),
      async () => caller.close(),
    );

    const ready = await http2.request({ ':path': '/health/ready' });
    const head = await http2.request({ ':method': 'HEAD', ':path': '/metrics' });
    const list = await caller.callBytes(`${health}/List`, [new Uint8Array()]);
    const services = await reflect(caller, reflectionServices[1] as string, [{ case: 'listServices', value: '' }]);
    const own = await caller.callBytes('/user.service.v1.UserService/GetUser', [new Uint8Array()]);

    expect([ready.status, head.status, head.text]).toEqual([200, 200, '']);
    expect(Buffer.from(String(list.messages[0]), 'base64').toString()).toContain('user.service.v1.UserService');
    expect(listed(services)).toContain('user.service.v1.UserService');
    expect(own.failure).toMatchObject({ status: 'UNIMPLEMENTED' });
  });

  it('takes nothing of the bounds of the main port', async () => {
    const { management, service } = await start();
    const caller = new GrpcCaller(String(service.managementAddress));
    closing.push(async () => caller.close());

    // A message of 2 bytes: the name of a service, empty for the whole process.
    const { failure } = await caller.callBytes(`${health}/Check`, [Buffer.from([0x0a, 0x00])]);

    expect(failure).toBeUndefined();
    expect([await inUse(management, 'bytes'), await inUse(management, 'waiting')]).toEqual([0, 0]);
  });

  it('has room for as many connections of one client as for all', async () => {
    const { management, service } = await start({ 'management.maxConnections': 20 });
    const port = Number(String(service.managementAddress).split(':')[1]);
    const answers: string[] = [];
    for (let count = 0; count < 19; count += 1) {
      const socket = connect(port, '127.0.0.1').on('error', () => {});
      closing.push(async () => socket.destroy());
      socket.write('HEAD /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n');
      const [bytes] = (await Promise.race([once(socket, 'data'), once(socket, 'close')])) as [unknown];
      answers.push(String(bytes).slice(0, 15));
    }

    expect(answers).toEqual(answers.map(() => 'HTTP/1.1 200 OK'));
    expect((await http(management, { path: '/health/live' })).status).toBe(200);
  });

  it('serves nothing of the application, and no other method', async () => {
    const { management, token } = await start();
    const answers = await Promise.all(
      ['/api/v1/users/1', '/', '/docs/', '/nothing', '/%6detrics', '/metrics/'].map((path) =>
        http(management, { path, token: token() }),
      ),
    );
    const posted = await http(management, { method: 'POST', path: '/metrics', body: { a: 1 } });

    expect(answers.map(({ status }) => status)).toEqual([404, 404, 404, 404, 404, 404]);
    expect(answers[3]?.json).toMatchObject({ code: 404, data: null, reason: 'ROUTE_NOT_FOUND' });
    expect([posted.status, posted.headers['allow']]).toEqual([405, 'GET, HEAD']);
  });

  it('leaves out what is switched off', async () => {
    const { management, service } = await start({
      'http.docs': 'off',
      'telemetry.metrics': 'off',
      'grpc.reflection': 'off',
    });
    const caller = new GrpcCaller(String(service.managementAddress));
    closing.push(async () => caller.close());
    const answers = await Promise.all(operatorPaths.map((path) => http(management, { path })));
    const { failure } = await reflect(caller, reflectionServices[0] as string, []);

    expect(answers.map(({ status }) => status)).toEqual([404, 404, 404, 404, 404]);
    expect(failure).toMatchObject({ status: 'UNIMPLEMENTED' });
  });

  it('is no way round for a page whose name leads to this machine', async () => {
    const { management } = await start();
    const asked = (host: string): Promise<HttpAnswer> => http(management, { path: '/metrics', headers: { host } });

    expect((await asked('rebound.example')).json).toMatchObject({ code: 403, reason: 'MANAGEMENT_HOST' });
    for (const host of ['localhost', 'LOCALHOST:9000', '127.0.0.1', '[::1]:9000', '10.0.0.1']) {
      expect([host, (await asked(host)).status]).toEqual([host, 200]);
    }
  });

  it('listens on loopback, and closes with the service', async () => {
    const { service, close } = await start();
    const [host, port] = String(service.managementAddress).split(':');

    expect(host).toBe('127.0.0.1');
    expect(await connects('127.0.0.1', Number(port))).toBe(true);
    expect(await close()).toBe(0);
    expect(await connects('127.0.0.1', Number(port))).toBe(false);
  });

  it('closes with the application, where that is closed alone', async () => {
    const { service } = await start();
    const port = Number(String(service.managementAddress).split(':')[1]);
    await service.app.close();

    expect(await connects('127.0.0.1', port)).toBe(false);
  });
});

describe('a process with a management port', () => {
  it('responds there while it drains, until the end', async () => {
    const child = await startChild({ ROOKERY_SERVER__DRAIN_DELAY_MS: '1500' });
    const management = await managementOf(child);
    const before = await http(management, { path: '/health/ready' });
    child.kill('SIGTERM');
    await child.line('draining');

    const draining = await http(management, { path: '/health/ready' });
    const metrics = await http(management, { path: '/metrics' });
    const { code } = await child.exit;

    expect(before.status).toBe(200);
    expect(draining).toMatchObject({
      status: 503,
      json: { status: 'error', error: { lifecycle: { phase: 'draining', status: 'down' } } },
    });
    expect(metrics.status).toBe(200);
    expect(code).toBe(0);
  });

  it('still responds there when the main port has closed', async () => {
    const child = await startChild({ ROOKERY_SERVER__GRACE_MS: '3000' });
    const management = await managementOf(child);
    // A request whose body does not come keeps the drain waiting.
    const socket = connect(child.port, '127.0.0.1', () => {
      socket.write(
        `POST /api/v1/users HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${signTestToken({ scope: 'users:write' })}\r\n` +
          'content-type: application/json\r\ncontent-length: 100\r\n\r\n{',
      );
    });
    socket.on('error', () => {});
    closing.push(async () => socket.destroy());
    await eventually('the request is at work on', async () =>
      /rookery_requests_in_flight [1-9]/.test((await http(management, { path: '/metrics' })).text),
    );
    child.kill('SIGTERM');
    await eventually('the main port is closed', async () => !(await connects('127.0.0.1', child.port)));

    const live = await http(management, { path: '/health/live' });
    socket.destroy();

    expect(live.status).toBe(200);
    expect(await child.exit).toMatchObject({ signal: null });
  });

  it('says so where others reach it', async () => {
    const child = await startChild({ ROOKERY_MANAGEMENT__HOST: '0.0.0.0' });
    const { management } = await child.line('listening');
    const warning = child.lines.find(({ msg }) => String(msg).startsWith('management.host: '));

    expect(warning).toMatchObject({
      level: 'warn',
      msg: `management.host: ${String(management)} is reachable from other machines; health, metrics and the API description need no token there`,
    });
  });

  it('does not say so on loopback', async () => {
    const child = await startChild({});
    await child.line('listening');

    expect(child.lines.filter(({ msg }) => String(msg).includes('management.host'))).toEqual([]);
  });

  it.each([
    ['is in use', (port: number) => ({ ROOKERY_MANAGEMENT__PORT: String(port) }), 'the address is in use'],
    [
      'is that of the service',
      (port: number) => ({ PORT: String(port), ROOKERY_MANAGEMENT__PORT: String(port) }),
      'server.port as well',
    ],
    ['has a host that does not exist', () => ({ ROOKERY_MANAGEMENT__HOST: 'nope.invalid' }), 'management.host'],
  ])('does not start where the port %s', async (_what, settings, text) => {
    const { port } = await heldPort();
    const child = await startChild(settings(port));
    const { code } = await child.exit;
    const lines = child.stderr.trimEnd().split('\n');

    expect(code).toBe(1);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^cannot start: management\.port: /);
    expect(lines[0]).toContain(text);
    expect(child.stdout).not.toContain('"msg":"listening"');
  });
});

describe('the address of a service without a host of its own', () => {
  const outer = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find(({ internal, family }) => !internal && family === 'IPv4')?.address;

  it.each([
    ['development', '127.0.0.1', false],
    ['test', '127.0.0.1', false],
    ['production', '0.0.0.0', true],
    ['prod', '0.0.0.0', true],
  ])('in %s is %s', async (env, host, isReached) => {
    const folder = await temporaryFolder();
    closing.push(folder.remove);
    // Without the files of the reference service: any application of the package.
    const child = new ChildService(
      { HOST: '', ROOKERY_ENV: env, ROOKERY_FILES__DIRECTORY: folder.path },
      { path: new URL('../../dist/main.js', import.meta.url).pathname, args: [], nodeOptions: [], cwd: folder.path },
    );
    closing.push(() => child.dispose());
    const line = await child.line('listening');
    const port = Number(String(line['address']).split(':').at(-1));

    expect(line).toMatchObject({ host, env });
    expect(await connects('127.0.0.1', port)).toBe(true);
    // A machine without a network has only the first.
    expect(outer === undefined || (await connects(outer, port)) === isReached).toBe(true);
  });
});
