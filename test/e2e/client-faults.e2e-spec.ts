import { constants } from 'node:http2';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type RequestEnd, requestEndChannel, type RequestFault, requestFaultChannel } from 'rookery/core';
import { signTestToken } from 'rookery/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ChildService } from '../support/child-service.js';
import { EditedApp } from '../support/edited-app.js';
import { eventually } from '../support/eventually.js';
import { methodOf, pathOf } from '../support/grpc-caller.js';
import { http } from '../support/http-caller.js';
import { Http2Caller } from '../support/http2-caller.js';
import { RawConnection } from '../support/raw-connection.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { TrialService } from '../support/trial-proto.js';

const rounds = 30;
const placeOrder = pathOf(methodOf(TrialService, 'PlaceOrder'));
const fail = pathOf(methodOf(TrialService, 'Fail'));
const failStream = pathOf(methodOf(TrialService, 'FailStream'));
const failUpload = pathOf(methodOf(TrialService, 'FailUpload'));
const failChat = pathOf(methodOf(TrialService, 'FailChat'));

const frame = (bytes: string | Uint8Array, flag = 0): Buffer => {
  const data = Buffer.from(bytes);
  const prefix = Buffer.alloc(5);
  prefix.writeUInt8(flag);
  prefix.writeUInt32BE(data.length, 1);
  return Buffer.concat([prefix, data]);
};
/** A `TrialRequest` with that mode. */
const mode = (name: string): Buffer => frame(`\x0a${String.fromCharCode(name.length)}${name}`);
const empty = frame('');

interface Target {
  readonly url: string;
  readonly port: number;
  readonly http2: Http2Caller;
}

type Attack = (target: Target) => Promise<unknown>;

const quiet = (): void => {};

const rpc =
  (path: string, body: Buffer, headers: Record<string, string> = {}): Attack =>
  ({ http2 }) => {
    const fixed = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' };
    return http2.request({ ...fixed, ...headers }, body);
  };

/** Opens a stream, sends `body` without an end, and resets it or waits for the service to end it. */
const openRpc =
  (path: string, body: Buffer | undefined, isReset: boolean, headers: Record<string, string> = {}): Attack =>
  async ({ http2 }) => {
    const fixed = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' };
    const stream = http2.session.request({ ...fixed, ...headers });
    const closed = new Promise<void>((resolve) => void stream.on('close', resolve));
    stream.on('error', quiet).on('data', quiet);
    if (body !== undefined) stream.write(body);
    if (isReset) await new Promise((resolve) => void setImmediate(resolve));
    if (isReset) stream.close(constants.NGHTTP2_CANCEL);
    await closed;
  };

const rest =
  (path: string, init: { readonly body?: unknown; readonly headers?: Record<string, string> } = {}): Attack =>
  ({ url }) =>
    http(url, { method: 'POST', path, ...init });

/** Half of a body on HTTP/1.1, then the end of the connection. */
const halfBody: Attack = async ({ port }) => {
  const connection = await RawConnection.open(port);
  connection.write(
    'POST /trial/orders HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 90\r\nexpect: 100-continue\r\n\r\n',
  );
  // The request has begun: who goes before that has asked for nothing.
  await connection.sees('100 Continue');
  connection.write('{');
  connection.destroy();
};

/** Half of a body on HTTP/1.1, and patience. */
const slowBody: Attack = async ({ port }) => {
  const connection = await RawConnection.open(port);
  connection.write(
    'POST /trial/orders HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 90\r\n\r\n{',
  );
  await connection.closed;
};

const slowBody2: Attack = async ({ http2 }) => {
  const fixed = { ':method': 'POST', ':path': '/trial/orders', 'content-type': 'application/json' };
  const stream = http2.session.request({ ...fixed, 'content-length': '90' });
  stream.on('error', quiet).on('data', quiet);
  stream.write('{');
  await new Promise<void>((resolve) => void stream.on('close', resolve));
};

const web =
  (body: Buffer, headers: Record<string, string>): Attack =>
  ({ url }) =>
    http(url, {
      method: 'POST',
      path: placeOrder,
      body,
      headers: { 'content-type': 'application/grpc-web', ...headers },
    });

const bearer = { authorization: `Bearer ${signTestToken({}, 'not the secret of this service, but as long')}` };

/** Refused or over at once. */
const attacks: readonly (readonly [name: string, attack: Attack])[] = [
  ['grpc-timeout: 1n', rpc(placeOrder, empty, { 'grpc-timeout': '1n' })],
  ['grpc-timeout: 1u', rpc(placeOrder, empty, { 'grpc-timeout': '1u' })],
  ['grpc-timeout: 0S', rpc(placeOrder, empty, { 'grpc-timeout': '0S' })],
  ['a malformed grpc-timeout', rpc(placeOrder, empty, { 'grpc-timeout': 'soon' })],
  ['a grpc-timeout of nine digits', rpc(placeOrder, empty, { 'grpc-timeout': '123456789S' })],
  ['a compressed flag without an encoding', rpc(placeOrder, frame('x', 1))],
  ['a compressed flag in a stream', rpc(failUpload, frame('x', 1))],
  ['a compressed flag in both directions', rpc(failChat, frame('x', 1))],
  ['an unknown encoding', rpc(placeOrder, frame('x', 1), { 'grpc-encoding': 'lzma' })],
  ['what is no gzip', rpc(placeOrder, frame('x', 1), { 'grpc-encoding': 'gzip' })],
  ['half a message', rpc(placeOrder, frame('xyz').subarray(0, 6))],
  ['half a message in a stream', rpc(failUpload, frame('xyz').subarray(0, 6))],
  ['no message', rpc(placeOrder, Buffer.alloc(0))],
  ['a message that is too large', rpc(placeOrder, frame(Buffer.alloc(3000)))],
  ['what is no protobuf', rpc(placeOrder, frame('\xff\xff\xff'))],
  ['metadata that is not base64', rpc(fail, mode('ok'), { 'grpc-timeout': 'x', 'a-bin': '*' })],
  ['an unknown method', rpc('/trial.service.v1.TrialService/Nothing', empty)],
  ['an unknown service', rpc('/nobody.v1.None/Nothing', empty)],
  ['another codec', rpc(placeOrder, empty, { 'content-type': 'application/grpc+json' })],
  ['a forged token', rpc(placeOrder, frame('\x0a\x01a'), bearer)],
  ['a reset of a call', openRpc(fail, mode('never'), true)],
  ['a reset of half a call', openRpc(fail, mode('never').subarray(0, 3), true)],
  ['a reset of a stream', openRpc(failChat, mode('never'), true)],
  ['gRPC-Web with grpc-timeout: 1n', web(empty, { 'grpc-timeout': '1n' })],
  ['gRPC-Web with a malformed grpc-timeout', web(empty, { 'grpc-timeout': '1' })],
  ['gRPC-Web with a compressed flag', web(frame('x', 1), {})],
  ['request-timeout: 0.001', rest('/trial/fail', { body: { mode: 'never' }, headers: { 'request-timeout': '0.001' } })],
  ['a malformed request-timeout', rest('/trial/orders', { body: {}, headers: { 'request-timeout': 'soon' } })],
  ['broken JSON', rest('/trial/orders', { body: '{', headers: { 'content-type': 'application/json' } })],
  ['a body that is too large', rest('/trial/orders', { body: { title: 'x'.repeat(3000) } })],
  ['an unknown path', rest('/nowhere')],
  ['a forged token on REST', rest('/trial/orders', { body: { title: 'a' }, headers: bearer })],
  ['half a body', halfBody],
];

/** Over when a time limit is. */
const slowAttacks: typeof attacks = [
  ['a short deadline for a handler that hangs', rpc(fail, mode('never'), { 'grpc-timeout': '5m' })],
  ['a short deadline for a handler that heeds it', rpc(fail, mode('untilAborted'), { 'grpc-timeout': '5m' })],
  ['a short deadline for a stream', rpc(failStream, mode('never'), { 'grpc-timeout': '5m' })],
  [
    'a short deadline on REST',
    rest('/trial/fail', { body: { mode: 'untilAborted' }, headers: { 'request-timeout': '0.005' } }),
  ],
  ['a stream that is held open', rpc(failStream, mode('never'))],
  ['a stream for which a huge timeout was asked', rpc(failStream, mode('never'), { 'grpc-timeout': '99999999H' })],
  ['a call without its message', openRpc(placeOrder, undefined, false)],
  ['a call with half of its message', openRpc(placeOrder, mode('x').subarray(0, 3), false)],
  ['an upload that never goes on', openRpc(failUpload, undefined, false)],
  ['a body that never comes', slowBody],
  ['a body that never comes on HTTP/2', slowBody2],
];

describe('with a change in its rollback window, clients', () => {
  let app: EditedApp;
  let target: Target;
  const ends: RequestEnd[] = [];
  const faults: RequestFault[] = [];
  let leave: (() => void)[];
  const newSecret = 'the key after the one that has leaked, as long as it must be';

  beforeAll(async () => {
    app = await EditedApp.start(
      {
        'config.probation': { enabled: true, minRequests: 5, maxErrorRatio: 0, durationMs: 600_000, maxP99Ms: 2000 },
        'server.limits': {
          maxBodyBytes: 2048,
          requestTimeoutMs: 300,
          streamTimeoutMs: 150,
          bodyTimeoutMs: 150,
          maxTimeoutMs: 300,
        },
        'auth.jwt.secret': 'the key that has leaked, which is as long as it must be',
      },
      { fromFile: ['auth.jwt.secret'] },
    );
    target = { url: app.url, port: app.test.port, http2: await Http2Caller.connect(app.url) };
    await app.edit({ 'auth.jwt.secret': newSecret, 'log.access': false });
  });
  beforeEach(() => {
    ends.length = 0;
    faults.length = 0;
    leave = [
      requestEndChannel.subscribe((end) => ends.push(end)),
      requestFaultChannel.subscribe((fault) => faults.push(fault)),
    ];
  });
  afterEach(() => leave.forEach((each) => each()));
  afterAll(async () => {
    target.http2.close();
    await app.close();
  });

  async function expectHarmless(attack: Attack): Promise<void> {
    const { version } = app.test.service.config;

    await Promise.all(Array.from({ length: rounds }, async () => attack(target)));
    await eventually('all have ended', () => ends.length >= rounds && app.test.service.lifecycle.inFlight === 0);

    expect(ends.map(({ fault, reason }) => `${fault} ${reason}`)).toEqual(ends.map(({ reason }) => `client ${reason}`));
    expect(faults).toEqual([]);
    expect(app.test.service.config.version).toBe(version);
  }

  it.each(attacks)('cannot revert it by %s', async (_, attack) => {
    await expectHarmless(attack);
  });

  it.each(slowAttacks)('cannot revert it by %s', async (_, attack) => {
    await expectHarmless(attack);
  });

  it('cannot make the latency rise by slow bodies and streams', async () => {
    const before = app.test.service.config.version;
    const body = JSON.stringify({ title: 'slow' });
    const head = `POST /trial/orders HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: application/json\r\n`;
    const connections = await Promise.all(
      Array.from({ length: rounds }, async () => RawConnection.open(app.test.port)),
    );

    for (const each of connections) each.write(`${head}content-length: ${body.length}\r\n\r\n${body.slice(0, 5)}`);
    await eventually('all have begun', () => app.test.service.lifecycle.inFlight === rounds);
    // What is measured: time in which only the client has something to do.
    await new Promise((resolve) => void setTimeout(resolve, 60));
    for (const each of connections) each.write(body.slice(5));
    await eventually('all have ended', () => ends.length === rounds);

    for (const { durationMs, serviceMs = Number.NaN, httpStatus } of ends) {
      expect(httpStatus).toBe(201);
      expect(durationMs - serviceMs).toBeGreaterThan(55);
    }
    for (const each of connections) each.destroy();
    expect(app.test.service.config.version).toBe(before);
  });

  it('see it reverted by faults of its own, but for the key', async () => {
    const { config } = app.test.service;
    const before = config.version;

    for (let count = 0; count < 20 && config.version === before; count += 1) {
      await http(app.url, { method: 'POST', path: '/trial/fail', body: { mode: count % 2 === 0 ? 'error' : 'never' } });
    }

    expect(new Set(ends.map(({ fault }) => fault))).toEqual(new Set(['service']));
    expect(config.version).toBe(before + 1);
    expect(config.history.at(-1)).toMatchObject({
      source: 'probation',
      changes: expect.arrayContaining([{ path: 'log.access', before: 'false', after: 'true' }]) as unknown,
    });
    expect(config.get('log.access')).toBe(true);
    expect(config.get('auth.jwt.secret')).toBe(newSecret);
    const order = { method: 'POST', path: '/trial/orders', body: { title: 'a' } };
    const [fresh, leaked] = await Promise.all(
      [newSecret, 'the key that has leaked, which is as long as it must be'].map((key) =>
        http(app.url, { ...order, token: signTestToken({}, key) }),
      ),
    );
    expect([fresh?.status, leaked?.status]).toEqual([201, 401]);
  });
});

describe('a real process in production', () => {
  it('logs no error for what clients do, keeps its change, and ends with 0', async () => {
    const folder = await temporaryFolder();
    const file = join(folder.path, 'config', 'application.yaml');
    const text = (greeting: string): string =>
      JSON.stringify({
        config: { settleMs: 20, probation: { enabled: true, minRequests: 5, maxErrorRatio: 0, durationMs: 600_000 } },
        greeting: { text: greeting },
      });
    await mkdir(join(folder.path, 'config'));
    await writeFile(file, text('before'));
    const environment = { ROOKERY_ENV: 'production', ROOKERY_TELEMETRY__METRICS: 'open' };
    const child = await ChildService.start(environment, { cwd: folder.path });
    const session = await Http2Caller.connect(child.url);
    try {
      await writeFile(file, text('after'));
      const greeting = async (): Promise<unknown> => (await http(child.url, { path: '/api/v1/greeting' })).json;
      await eventually('the change', async () => JSON.stringify(await greeting()).includes('after'));
      const path = '/user.service.v1.UserService/GetUser';
      const target = { url: child.url, port: child.port, http2: session };
      const all = [
        rpc(path, empty, { 'grpc-timeout': '1n' }),
        rpc(path, empty, { 'grpc-timeout': 'x' }),
        rpc(path, frame('x', 1)),
        rest('/api/v1/users', { body: '{', headers: { 'content-type': 'application/json', ...bearer } }),
      ];

      for (const attack of all) await Promise.all(Array.from({ length: rounds }, async () => attack(target)));
      const lines = (): typeof child.lines =>
        child.lines.filter(({ msg, fault }) => msg === 'request' && fault !== undefined);
      await eventually('a line for each', () => lines().length === rounds * all.length);

      expect(await greeting()).toEqual({ code: 200, data: { text: 'after' }, message: 'success' });
      expect(
        new Set(lines().map(({ level, fault, reason }) => `${String(level)} ${String(fault)} ${String(reason)}`)),
      ).toEqual(
        new Set([
          'warn client DEADLINE_EXCEEDED',
          'warn client MALFORMED_TIMEOUT',
          'warn client UNEXPECTED_COMPRESSION',
          'warn client MALFORMED_BODY',
        ]),
      );
      expect(child.lines.filter(({ level }) => level === 'error' || level === 'fatal')).toEqual([]);
      const metrics = await http(child.url, { path: '/metrics' });
      expect(metrics.text).toContain(`rookery_request_faults_total{face="grpc",fault="client"} ${3 * rounds}`);
      expect(metrics.text).toContain('rookery_request_faults_total{face="grpc",fault="service"} 0');
      session.close();
      child.kill('SIGTERM');
      expect((await child.exit).code).toBe(0);
    } finally {
      session.close();
      await child.dispose();
      await folder.remove();
    }
  }, 60_000);
});
