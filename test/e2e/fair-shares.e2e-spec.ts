import { once } from 'node:events';
import { connect, constants } from 'node:http2';
import { signTestToken } from 'rookery/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Attacker } from '../support/attacker.js';
import { eventually } from '../support/eventually.js';
import { http } from '../support/http-caller.js';
import { PatientClient, type Patience } from '../support/patient-client.js';
import { figuresOf, inUse, refusals } from '../support/service-figures.js';
import { FrameType } from '../../src/framework/http2/frame.js';
import { frame } from '../support/raw-http2-client.js';
import { tokens } from '../support/tokens.js';
import { TrialProcess } from '../support/trial-process.js';

// Addresses of this machine that nothing else here calls from.
const addresses = ['127.0.0.2', '127.0.0.3', '127.0.0.4', '127.0.0.5'];
const limit = 200;
const rounds = 15;
const trial = '/trial.service.v1.TrialService';
const json = { 'content-type': 'application/json' };
const grpc = { 'content-type': 'application/grpc', te: 'trailers' };
const web = { 'content-type': 'application/grpc-web+proto' };

let service: TrialProcess;
let url: string;
let patient: PatientClient;
let alone: Patience;
let attackers: Attacker[];

beforeAll(async () => {
  service = await TrialProcess.start({
    ROOKERY_LOG__LEVEL: 'silent',
    ROOKERY_SERVER__MAX_CONNECTIONS: '600',
    ROOKERY_SERVER__LIMITS__MAX_CONCURRENT_REQUESTS: String(limit),
    ROOKERY_SERVER__LIMITS__MAX_CONCURRENT_STREAMS: String(limit),
    ROOKERY_SERVER__LIMITS__MAX_WAITING_REQUESTS: String(limit),
    ROOKERY_SERVER__LIMITS__MAX_BUFFERED_BYTES: String(8 * 1024 * 1024),
  });
  url = `http://127.0.0.1:${service.port}`;
  patient = await PatientClient.connect(url);
  // What is compiled once is not the attackers' doing.
  await patient.ask(rounds);
  alone = await patient.ask(rounds);
  attackers = addresses.map((address) => new Attacker(address, service.port));
}, 60_000);

afterEach(async () => {
  for (const attacker of attackers) attacker.close();
  // All that was counted is counted down again, whatever became of it.
  await eventually('nothing is in use', async () => {
    const figures = await figuresOf(url);
    const left = ['requests', 'streams', 'waiting', 'bytes', 'handshakes'].map((bound) =>
      figures.get(`rookery_server_in_use{bound="${bound}"}`),
    );
    return left.every((value) => value === 0) && figures.get('rookery_requests_in_flight') === 0;
  });
  // Those of the patient client, and the one that asks.
  await eventually('the connections are gone', async () => (await inUse(url, 'connections')) <= 4);
  expect((await figuresOf(url)).get('rookery_server_peers')).toBe(1);
});

afterAll(async () => {
  patient.close();
  expect(await service.stop()).toBe(0);
});

/** gRPC's form of one message with one text field. */
function message(text: string): Buffer {
  const bytes = Buffer.concat([Buffer.from([0x0a, text.length]), Buffer.from(text)]);
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([prefix, bytes]);
}

const untilAborted = message('untilAborted');
const upload = (announced: number, sent: number): Buffer =>
  Buffer.concat([
    Buffer.from(
      `POST /trial/orders HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: ${announced}\r\n\r\n`,
    ),
    Buffer.alloc(sent, ' '),
  ]);

type Attack = (attacker: Attacker) => Promise<unknown>;

const attacks: readonly (readonly [name: string, bound: string, attack: Attack])[] = [
  ['bodies that never come on HTTP/1.1', 'waiting', (attacker) => attacker.connections(60, upload(100, 1))],
  ['bodies that never come on HTTP/2', 'waiting', (attacker) => attacker.streams(240, '/trial/orders', json)],
  ['gRPC messages that never come', 'waiting', (attacker) => attacker.streams(240, `${trial}/PlaceOrder`, grpc)],
  [
    'questions about health that never come',
    'waiting',
    (attacker) => attacker.streams(240, '/grpc.health.v1.Health/Check', grpc),
  ],
  ['gRPC-Web messages that never come', 'waiting', (attacker) => attacker.streams(240, `${trial}/PlaceOrder`, web)],
  [
    'responses that are not read',
    'waiting',
    (attacker) => attacker.streams(240, '/trial/context', {}, { method: 'GET', windowBytes: 0 }),
  ],
  [
    'gRPC responses that are not read',
    'waiting',
    (attacker) => attacker.streams(240, `${trial}/Inspect`, grpc, { body: message(''), windowBytes: 0 }),
  ],
  [
    'handlers that take long',
    'requests',
    (attacker) =>
      attacker.streams(240, '/trial/fail', json, { body: Buffer.from(JSON.stringify({ mode: 'untilAborted' })) }),
  ],
  [
    'gRPC handlers that take long',
    'requests',
    (attacker) => attacker.streams(240, `${trial}/Fail`, grpc, { body: untilAborted }),
  ],
  [
    'gRPC streams that do not end',
    'streams',
    (attacker) => attacker.streams(240, `${trial}/FailStream`, grpc, { body: untilAborted }),
  ],
  [
    'gRPC-Web streams that do not end',
    'streams',
    (attacker) => attacker.streams(240, `${trial}/FailStream`, web, { body: untilAborted }),
  ],
  [
    'watches on health',
    'streams',
    (attacker) => attacker.streams(240, '/grpc.health.v1.Health/Watch', grpc, { body: Buffer.alloc(5) }),
  ],
  ['gRPC uploads that do not end', 'streams', (attacker) => attacker.streams(240, `${trial}/Consume`, grpc)],
  ['halves of large bodies', 'bytes', (attacker) => attacker.connections(10, upload(1_000_000, 900_000))],
  ['silent connections', 'handshakes', (attacker) => attacker.connections(200, '')],
  [
    'idle connections',
    'connections',
    // A few at a time: what comes at once is refused before it has spoken.
    async (attacker) => {
      for (let batch = 0; batch < 15; batch += 1)
        await attacker.connections(20, 'GET /trial/context HTTP/1.1\r\nhost: a\r\n\r\n');
    },
  ],
];

describe('a patient client, while four others take all they can', () => {
  it.each(attacks)('is served as before: %s', { timeout: 120_000 }, async (name, bound, attack) => {
    const before = await refusals(url, bound);

    await Promise.all(attackers.map((attacker) => attack(attacker)));
    await eventually('some of it is refused', async () => (await refusals(url, bound)) > before);
    const under = await patient.ask(rounds);

    process.stdout.write(
      `${name}: p99 ${under.p99Ms.toFixed(1)} ms, alone ${alone.p99Ms.toFixed(1)} ms; ${bound} in use ${await inUse(url, bound)}\n`,
    );
    expect(under.failures).toEqual([]);
    // Twice as long is the aim, told above; a busy machine takes its time for other things.
    expect(under.p99Ms).toBeLessThan(Math.max(4 * alone.p99Ms, 500));
  });

  it('gets through on a connection of its own where others of its address take all they can', async () => {
    const neighbour = new Attacker('127.0.0.1', service.port);
    await neighbour.streams(240, `${trial}/Fail`, grpc, { body: untilAborted });
    await neighbour.streams(240, `${trial}/FailStream`, grpc, { body: untilAborted });
    await eventually('its connections are refused more', async () => {
      const requests = await refusals(url, 'requests', 'connection');
      return requests > 0 && (await refusals(url, 'streams', 'connection')) > 0;
    });

    const { failures } = await patient.ask(rounds);
    neighbour.close();

    expect(failures).toEqual([]);
  });
});

describe('a gRPC message that comes in small pieces', () => {
  it('is counted by its bytes', async () => {
    const attacker = new Attacker('127.0.0.6', service.port);
    const client = await attacker.streams(1, `${trial}/PlaceOrder`, grpc);
    const pieces = 40;
    // A message of 100 000 bytes, of which two fifths come.
    client.send(frame(FrameType.data, 0, 1, Buffer.from([0, 0, 0x01, 0x86, 0xa0])));
    for (let piece = 0; piece < pieces; piece += 1) {
      client.send(frame(FrameType.data, 0, 1, Buffer.alloc(1000)));
      await client.roundTrip();
    }

    await expect.poll(() => inUse(url, 'bytes'), { timeout: 10_000 }).toBeGreaterThanOrEqual(pieces * 1000);
    attacker.close();
  });
});

describe('a caller that cancels while its token is checked', () => {
  it('has nothing at work afterwards', async () => {
    const session = connect(url);
    for (let count = 0; count < 10; count += 1) {
      const authorization = `Bearer ${signTestToken({ sub: 'hasty', count })}`;
      const stream = session.request({ ':path': '/api/v1/users/1', authorization }).on('error', () => {});
      // The reset comes with the request, and the token takes a thread: the guards after it go on without a client.
      stream.close(constants.NGHTTP2_CANCEL);
      await once(stream, 'close');
    }
    session.destroy();

    await eventually('all have ended', async () => (await figuresOf(url)).get('rookery_requests_in_flight') === 0);
    // A check that is still under way when its request has ended.
    await expect.poll(async () => (await figuresOf(url)).get('rookery_quota_callers'), { timeout: 10_000 }).toBe(0);
  });
});

describe('forged tokens', () => {
  const forged = (): string => signTestToken({ sub: crypto.randomUUID() }, 'another secret, at least 32 bytes long');

  it.each([
    ['one after the other', 1],
    ['at once', 100],
  ])('are refused unchecked after the first 50, %s; other addresses and known tokens are not', async (_, atOnce) => {
    const path = '/api/v1/users/1';
    const from = `127.0.1.${atOnce}`;
    const ask = (token: string): Promise<number> => statusFrom(from, path, token);
    const known = tokens.writer();
    const before = await ask(known);

    const statuses: number[] = [];
    for (let sent = 0; sent < 100; sent += atOnce)
      statuses.push(...(await Promise.all(Array.from({ length: atOnce }, () => ask(forged())))));
    const fresh = await ask(signTestToken({ sub: 'fresh' }));

    const of = (status: number): number => statuses.filter((each) => each === status).length;
    expect(of(401) + of(429)).toBe(100);
    expect(of(401)).toBeGreaterThanOrEqual(50);
    expect(of(429)).toBeGreaterThan(0);
    expect([before, await ask(known)]).toEqual([200, 200]);
    // A token that is not known yet waits for the budget, at a fifth of a second each.
    expect([200, 429]).toContain(fresh);
    expect((await http(url, { path, token: signTestToken({ sub: 'elsewhere' }) })).status).toBe(200);
    expect((await figuresOf(url)).get('rookery_auth_tokens_refused_total')).toBeGreaterThan(0);
  });

  // What is refused unchecked says so, and when to come back.
  async function statusFrom(localAddress: string, path: string, token: string): Promise<number> {
    const answer = await http(url, { path, token, tls: { localAddress } });
    const { reason } = answer.json as { reason?: string };
    expect(answer.status === 429).toBe(reason === 'TOO_MANY_FAILED_TOKENS');
    expect(answer.headers['retry-after']).toBe(answer.status === 429 ? '1' : undefined);
    return answer.status;
  }
});
