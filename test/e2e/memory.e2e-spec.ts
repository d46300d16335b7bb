import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { run } from '../support/peers.js';
import { tokens } from '../support/tokens.js';
import { inUse } from '../support/service-figures.js';
import { TrialProcess } from '../support/trial-process.js';

const program = fileURLToPath(new URL('../support/flood.mjs', import.meta.url));
const times = 10_000;
const manyTimes = 200_000;
// A leak of 200 bytes a request would show. What is kept on purpose (tables, compiled code) has its place after the warm-up.
const allowedBytes = 2_000_000;
const warmUpTimes = 1000;

interface Flood {
  readonly kind: 'http1' | 'http2' | 'raw';
  readonly bytes?: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
  readonly until?: 'answer' | 'close' | 'leave';
  readonly breakOff?: 'connection';
}

let trial: TrialProcess;

beforeAll(async () => {
  trial = await TrialProcess.start({
    ROOKERY_SERVER__LIMITS__FIRST_BYTE_TIMEOUT_MS: '2000',
    ROOKERY_LOG__LEVEL: 'silent',
    // What a wrong token leaves behind is seen only where it is looked at.
    ROOKERY_AUTH__FAILURES__BURST: '0',
  });
});

afterAll(async () => {
  expect(await trial.stop()).toBe(0);
});

function http1(
  method: string,
  path: string,
  body: string | Buffer = '',
  headers: Readonly<Record<string, string>> = { 'content-type': 'application/json' },
): Flood {
  const lines = Object.entries({ host: 'a', ...headers, 'content-length': String(Buffer.byteLength(body)) }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  return {
    kind: 'http1',
    bytes: Buffer.concat([Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`), Buffer.from(body)]),
  };
}

function rpc(path: string, message: Buffer, headers: Readonly<Record<string, string>> = {}): Flood {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return {
    kind: 'http2',
    bytes: Buffer.concat([prefix, message]),
    headers: { ':path': path, 'content-type': 'application/grpc', ...headers },
  };
}

async function flood({ bytes = '', ...rest }: Flood, count: number): Promise<Record<string, number>> {
  const { code, stdout, stderr } = await run(
    process.execPath,
    [program, String(trial.port)],
    JSON.stringify({ ...rest, count, bytes: Buffer.from(bytes).toString('base64') }),
  );
  expect([code, stderr]).toEqual([0, '']);
  return JSON.parse(stdout.toString()) as Record<string, number>;
}

/** Bytes in use when no request is. */
async function level(): Promise<number> {
  let usedBytes = 0;
  // Of clients that have gone, thousands may not have been accepted yet. Who asks stands behind them.
  const url = `http://127.0.0.1:${trial.port}`;
  await eventually('all connections are gone', async () => (await inUse(url, 'connections')) === 1);
  await eventually('nothing is in flight', async () => {
    const report = await trial.report();
    usedBytes = report.usedBytes;
    return report.inFlight === 0;
  });
  return usedBytes;
}

function json(body: string | Buffer): Flood {
  return { kind: 'http2', bytes: body, headers: { ':path': '/trial/orders', 'content-type': 'application/json' } };
}

const placeOrder = '/trial.service.v1.TrialService/PlaceOrder';
const fail = '/trial.service.v1.TrialService/Fail';
const mode = (name: string): Buffer => Buffer.concat([Buffer.from([0x0a, name.length]), Buffer.from(name)]);
const failing = (name: string, headers?: Record<string, string>): Flood =>
  http1('POST', '/trial/fail', JSON.stringify({ mode: name }), { 'content-type': 'application/json', ...headers });

const cases: readonly (readonly [name: string, flood: Flood, answer: string])[] = [
  // On HTTP/2, as a connection of HTTP/1.1 is closed after a body that cannot be parsed.
  ['malformed JSON', json('{"title":'), '400'],
  ['a wrong type', http1('POST', '/trial/orders', '{"title":1}'), '400'],
  ['an unknown field', http1('POST', '/trial/orders', '{"title":"a","colour":"red"}'), '400'],
  ['a missing field', http1('POST', '/trial/orders', '{}'), '400'],
  [
    'a wrong field deep inside',
    http1('POST', '/trial/orders', '{"title":"a","items":[{"name":"","quantity":1}]}'),
    '400',
  ],
  ['bad UTF-8', json(Buffer.from([0x22, 0xff, 0x22])), '400'],
  ['a bad escape in the path', http1('GET', '/trial/%zz'), '400'],
  ['an unsupported content type', http1('POST', '/trial/orders', 'a', { 'content-type': 'text/plain' }), '415'],
  ['an unknown route', http1('GET', '/nothing'), '404'],
  ['a wrong method', http1('DELETE', '/trial/orders'), '405'],
  ['a missing token', http1('POST', '/api/v1/users', '{}'), '401'],
  [
    'a wrongly signed token',
    http1('POST', '/api/v1/users', '{}', {
      'content-type': 'application/json',
      authorization: `Bearer ${tokens.wronglySigned()}`,
    }),
    '401',
  ],
  ['a thrown string', failing('string'), '500'],
  ['a thrown undefined', failing('undefined'), '500'],
  ['a deadline that passes', failing('never', { 'request-timeout': '0.001' }), '504'],
  ['a malformed message', rpc(placeOrder, Buffer.from([0xff])), '3'],
  ['a message with a wrong field', rpc(placeOrder, Buffer.alloc(0)), '3'],
  [
    'a message that is too large',
    { ...rpc(placeOrder, Buffer.alloc(0)), bytes: Buffer.from([0, 0xff, 0xff, 0xff, 0xff]) },
    '8',
  ],
  ['an unknown RPC', rpc('/no.Service/Nothing', Buffer.alloc(0)), '12'],
  ['a missing token on gRPC', rpc('/user.service.v1.UserService/DeleteUser', Buffer.from([0x08, 1])), '16'],
  ['a thrown string on gRPC', rpc(fail, mode('string')), '13'],
  ['a deadline that passes on gRPC', rpc(fail, mode('never'), { 'grpc-timeout': '1m' }), '4'],
  [
    'callers that leave in the middle of a stream',
    { ...rpc('/user.service.v1.UserService/WatchUsers', Buffer.from([0x08, 1])), breakOff: 'connection' },
    '200',
  ],
];

const connectionCases: readonly (readonly [name: string, flood: Flood, answer: string])[] = [
  ['no HTTP', { kind: 'raw', bytes: Buffer.from('\0\u0001\u0002\r\n\r\n'), until: 'answer' }, '400'],
  ['no host', { kind: 'raw', bytes: 'GET / HTTP/1.1\r\n\r\n', until: 'answer' }, '400'],
  [
    'an unknown expectation',
    { kind: 'raw', bytes: 'GET / HTTP/1.1\r\nhost: a\r\nexpect: a\r\n\r\n', until: 'answer' },
    '417',
  ],
  ['CONNECT', { kind: 'raw', bytes: 'CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n', until: 'answer' }, '501'],
  ['an unknown method', { kind: 'raw', bytes: 'BREW / HTTP/1.1\r\nhost: a\r\n\r\n', until: 'answer' }, '404'],
  ['half a preface, and then nobody', { kind: 'raw', bytes: 'PRI * HTTP/2', until: 'leave' }, 'left'],
  [
    'a body that is too large',
    {
      kind: 'raw',
      bytes:
        'POST /trial/orders HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 9999999\r\n\r\n{',
      until: 'answer',
    },
    '413',
  ],
  [
    'a body that breaks off',
    {
      kind: 'raw',
      bytes: 'POST /trial/orders HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{',
      until: 'leave',
    },
    'left',
  ],
];

async function expectNoGrowth(bad: Flood, answer: string, count: number): Promise<void> {
  await flood(bad, warmUpTimes);
  const before = await level();
  const answers = await flood(bad, count);
  const grown = (await level()) - before;

  expect(answers).toEqual({ [answer]: count });
  expect(grown).toBeLessThan(allowedBytes);
}

describe('memory returns to its level', () => {
  // 10 bytes each would show. The whole way: a deadline, a context, validation, a message each way.
  it(`after ${manyTimes} unary calls that succeed`, { timeout: 300_000 }, async () => {
    const call = rpc(placeOrder, Buffer.from([0x0a, 1, 0x61]), { 'grpc-timeout': '60S' });
    await flood(call, warmUpTimes);
    const before = await level();

    for (let sent = 0; sent < manyTimes; sent += times) expect(await flood(call, times)).toEqual({ 200: times });

    expect((await level()) - before).toBeLessThan(allowedBytes);
  });

  it.each(cases)(`after ${times} times %s`, { timeout: 120_000 }, async (_, bad, answer) => {
    await expectNoGrowth(bad, answer, times);
  });

  it.each(connectionCases)(`after ${times} connections with %s`, { timeout: 120_000 }, async (_, bad, answer) => {
    await expectNoGrowth(bad, answer, times);
  });
});
