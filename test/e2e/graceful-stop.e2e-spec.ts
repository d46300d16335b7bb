import { once } from 'node:events';
import { connect } from 'node:http2';
import { connect as connectSocket } from 'node:net';
import { afterEach, beforeAll, afterAll, describe, expect, it } from 'vitest';
import { ChildService } from '../support/child-service.js';
import { eventually } from '../support/eventually.js';
import { GrpcCaller } from '../support/grpc-caller.js';
import { http } from '../support/http-caller.js';
import { Load } from '../support/load.js';
import { RawConnection } from '../support/raw-connection.js';
import { temporaryFolder, type TemporaryFolder } from '../support/temporary-folder.js';
import { users } from '../support/trial-app.js';

const graceMs = 10_000;
let folder: TemporaryFolder;
let child: ChildService;

beforeAll(async () => {
  folder = await temporaryFolder();
});

afterEach(() => child.dispose());

afterAll(() => folder.remove());

async function start(environment: Record<string, string> = {}): Promise<ChildService> {
  child = await ChildService.start({
    ROOKERY_FILES__DIRECTORY: folder.path,
    ROOKERY_SERVER__GRACE_MS: String(graceMs),
    ROOKERY_LOG__ACCESS: 'false',
    ...environment,
  });
  return child;
}

/** A download whose reader stops at once, and so never ends. */
async function stuckDownload(service: ChildService): Promise<{ close: () => void }> {
  const session = connect(service.url);
  session.on('error', () => {});
  const stream = session.request({
    ':method': 'POST',
    ':path': '/file.service.v1.FileService/Download',
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  stream.on('error', () => {});
  // Field name.
  stream.end(Buffer.concat([Buffer.from([0, 0, 0, 0, 12, 0x0a, 10]), Buffer.from('sample.bin')]));
  await once(stream, 'response');
  return { close: () => session.destroy() };
}

describe.each([['0'], ['400']])('SIGTERM under load, with a drain delay of %s ms', (drainDelayMs) => {
  it('loses no request of either face and ends with 0', { timeout: 60_000 }, async () => {
    const service = await start({ ROOKERY_SERVER__DRAIN_DELAY_MS: drainDelayMs });
    const stop = new AbortController();
    const load = new Load(service.address, 4, stop.signal);
    const reports = Object.values(load.reports);
    await eventually(
      'all kinds of callers are at work',
      () => reports.every(({ answeredAtMs }) => answeredAtMs.length >= 25),
      30_000,
    );
    const signalledAtMs = performance.now();
    service.kill('SIGTERM');
    const { code, atMs } = await service.exit;
    stop.abort();
    await load.ended;

    expect(reports.flatMap(({ failures }) => failures)).toEqual([]);
    expect(code).toBe(0);
    expect(atMs - signalledAtMs).toBeLessThan(graceMs);
    expect(atMs - signalledAtMs).toBeGreaterThanOrEqual(Number(drainDelayMs));
    expect(service.stderr).toBe('');
    expect(service.lines.map(({ msg }) => msg)).toEqual(expect.arrayContaining(['listening', 'draining', 'stopped']));
  });
});

describe('SIGTERM', () => {
  it('lets a running request finish, tells its caller to go elsewhere, and refuses new connections', async () => {
    const service = await start();
    const body = '{"displayName":"Late","email":"late@example.com","role":"viewer"}';
    const socket = connectSocket(service.port, '127.0.0.1');
    let received = '';
    socket.setEncoding('utf8').on('data', (text: string) => {
      received += text;
    });
    // The second half of the body comes only after the signal.
    socket.write(
      `POST /api/v1/users HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body.slice(0, 10)}`,
    );
    await eventually(
      'the request has begun',
      async () => (await http(service.url, { path: '/health/ready' })).status === 200,
    );
    service.kill('SIGTERM');
    await service.line('draining');
    await eventually('new connections are refused', () => refuses(service.port));
    socket.write(body.slice(10));
    await once(socket, 'close');

    expect(received).toMatch(/^HTTP\/1\.1 401 /);
    expect(received).toMatch(/\r\nconnection: close\r\n/i);
    expect(await service.exit).toMatchObject({ code: 0 });
  });

  it('answers a request that was on its way on a kept connection', async () => {
    const service = await start({ ROOKERY_SERVER__IDLE_LINGER_MS: '5000' });
    const connection = await RawConnection.open(service.port);
    const request = 'GET /api/v1/users/1 HTTP/1.1\r\nhost: a\r\n\r\n';
    connection.write(request);
    await connection.sees('Alice');
    service.kill('SIGTERM');
    await service.line('draining');
    await eventually('new connections are refused', () => refuses(service.port));
    connection.write(request);
    const answers = (await connection.closed).toString().split(/(?=HTTP\/1\.1 )/);

    expect(answers).toHaveLength(2);
    expect(answers[1]).toMatch(/^HTTP\/1\.1 200 [^]*\r\nconnection: close\r\n[^]*Alice/i);
    expect(await service.exit).toMatchObject({ code: 0 });
  });

  it('turns readiness red before it refuses anything', async () => {
    const service = await start({ ROOKERY_SERVER__DRAIN_DELAY_MS: '1500' });
    service.kill('SIGTERM');
    await service.line('draining');
    const ready = await http(service.url, { path: '/health/ready' });
    const live = await http(service.url, { path: '/health/live' });
    const user = await http(service.url, { path: '/api/v1/users/1' });

    expect([ready.status, live.status, user.status]).toEqual([503, 200, 200]);
    expect(await service.exit).toMatchObject({ code: 0 });
  });

  it('ends watches in good order', async () => {
    const service = await start();
    const caller = new GrpcCaller(service.address);
    const { call, ended } = caller.open(users.watch);
    call.write({ includeExisting: true });
    call.end();
    await once(call, 'data');
    call.resume();
    service.kill('SIGTERM');

    expect(await ended).toMatchObject({ failure: undefined });
    expect(await service.exit).toMatchObject({ code: 0 });
    caller.close();
  });

  it('is obeyed by an idle service at once, with idle, silent and kept connections open', async () => {
    const service = await start({ ROOKERY_SERVER__IDLE_LINGER_MS: '100' });
    const silent = connectSocket(service.port, '127.0.0.1').on('error', () => {});
    const idle = connect(service.url).on('error', () => {});
    await Promise.all([once(silent, 'connect'), once(idle, 'remoteSettings')]);
    const signalledAtMs = performance.now();
    service.kill('SIGTERM');
    const { code, atMs } = await service.exit;
    silent.destroy();
    idle.destroy();

    expect(code).toBe(0);
    expect(atMs - signalledAtMs).toBeLessThan(5000);
  });

  it('ends with 2 when the grace limit passes first', async () => {
    const service = await start({ ROOKERY_SERVER__GRACE_MS: '500' });
    const stuck = await stuckDownload(service);
    service.kill('SIGTERM');
    const { code } = await service.exit;
    stuck.close();

    expect(code).toBe(2);
    expect(service.lines.at(-1)).toMatchObject({ msg: 'stopped before everything had ended', isDrained: false });
  });

  it.each([
    ['SIGTERM', 'SIGINT'],
    ['SIGINT', 'SIGINT'],
  ] as const)('%s and, a moment later, %s ends at once', async (first, second) => {
    const service = await start({ ROOKERY_SERVER__GRACE_MS: '600000' });
    const stuck = await stuckDownload(service);
    service.kill(first);
    await service.line('draining');
    const signalledAtMs = performance.now();
    const again = setInterval(() => service.kill(second), 20);
    const { code, atMs } = await service.exit;
    clearInterval(again);
    stuck.close();

    expect(code).toBe(2);
    // What comes sooner is the same signal, passed on by a wrapper.
    expect(atMs - signalledAtMs).toBeGreaterThan(100);
  });
});

async function refuses(port: number): Promise<boolean> {
  const socket = connectSocket(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return false;
  } catch {
    return true;
  } finally {
    socket.destroy();
  }
}
