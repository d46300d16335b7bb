import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ErrorCode } from '../../src/framework/http2/error-code.js';
import { Flag, FrameType } from '../../src/framework/http2/frame.js';
import { eventually } from '../support/eventually.js';
import { http } from '../support/http-caller.js';
import { Http2Caller } from '../support/http2-caller.js';
import { frame, RawClient, requestFields, setting, settings, uint32 } from '../support/raw-http2-client.js';
import { TrialApp } from '../support/trial-app.js';

const { data, headers, rstStream, ping, windowUpdate, priority, continuation, goaway } = FrameType;

let app: TrialApp;
let before: Map<string, number>;

// Low enough for the attacks to be over soon; what is tested is that they end, each for its own reason.
const rates = {
  resetBurst: 100,
  settingsBurst: 100,
  pingBurst: 100,
  windowUpdateBurst: 100,
  priorityBurst: 100,
  emptyDataBurst: 100,
  paddingBurst: 100,
  unknownFrameBurst: 100,
  resetsPerSecond: 1,
  settingsPerSecond: 1,
  pingsPerSecond: 1,
  windowUpdatesPerSecond: 1,
  prioritiesPerSecond: 1,
  emptyDataPerSecond: 1,
  paddingsPerSecond: 1,
  unknownFramesPerSecond: 1,
};

beforeAll(async () => {
  const limits = { firstByteTimeoutMs: 500, headersTimeoutMs: 500, bodyTimeoutMs: 500 };
  const http2 = { settingsTimeoutMs: 500, sendStallTimeoutMs: 500, maxConcurrentStreams: 20, rates };
  app = await TrialApp.start(undefined, {
    set: { ...pathsOf('server.limits', limits), ...pathsOf('server.http2', http2) },
  });
});

afterAll(() => app.close());

beforeEach(async () => {
  before = await figures();
});

function pathsOf(prefix: string, values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [`${prefix}.${name}`, value]));
}

/** What `GET /metrics` says. */
async function figures(): Promise<Map<string, number>> {
  const { text } = await http(app.url, { path: '/metrics' });
  return new Map(Array.from(text.matchAll(/^(rookery_\S+) (\S+)$/gm), ([, name = '', value]) => [name, Number(value)]));
}

/** What has grown by how much since the test began. */
async function growth(name: string): Promise<number> {
  return ((await figures()).get(name) ?? 0) - (before.get(name) ?? 0);
}

/** Reasons for which connections were cut since the test began. */
async function cuts(): Promise<string[]> {
  const now = await figures();
  return [...now.keys()].flatMap((name) => {
    const reason = /^rookery_http2_connections_cut_total\{reason="(\w+)"\}$/.exec(name)?.[1];
    const grown = (now.get(name) ?? 0) - (before.get(name) ?? 0);
    return reason === undefined || grown === 0 ? [] : [`${reason} ${grown}`];
  });
}

/** Somebody who has nothing to do with it: asks on a connection of its own, before, during and after. */
class Witness {
  readonly #caller: Http2Caller;
  #answers = 0;

  private constructor(caller: Http2Caller) {
    this.#caller = caller;
  }

  static async connect(): Promise<Witness> {
    const witness = new Witness(await Http2Caller.connect(app.url));
    await witness.asks();
    return witness;
  }

  async asks(): Promise<void> {
    expect((await this.#caller.request({ ':path': '/trial/context' })).status).toBe(200);
    this.#answers += 1;
  }

  async leaves(): Promise<void> {
    await this.asks();
    expect(this.#answers).toBeGreaterThan(1);
    this.#caller.close();
  }
}

/** Opens a connection and does what `attack` says until it is cut, or 2000 times. Returns the code of the GOAWAY. */
async function attacked(attack: (client: RawClient, round: number) => Buffer): Promise<number | undefined> {
  const witness = await Witness.connect();
  const client = await RawClient.connect(app.port);
  for (let round = 0; round < 2000 && !client.isClosed; round += 1) {
    client.send(attack(client, round));
    if (round % 10 === 9) await witness.asks();
  }
  const code = await client.goawayCode();
  await witness.leaves();
  return code;
}

const id = (round: number): number => 2 * round + 1;
const get = (more: Record<string, string> = {}): ReturnType<typeof requestFields> =>
  requestFields('/trial/context', more, 'GET');
const post = requestFields('/trial/orders', { 'content-type': 'application/json' });
const opening = (client: RawClient, round: number, otherwise: () => Buffer): Buffer =>
  round === 0 ? client.headers(1, post, 0) : otherwise();

describe('a client of the one port that asks too much', () => {
  it.each<[string, string, (client: RawClient, round: number) => Buffer]>([
    [
      'opens streams and resets them (CVE-2023-44487)',
      'reset',
      (client, round) =>
        Buffer.concat([client.headers(id(round), post, 0), frame(rstStream, 0, id(round), uint32(ErrorCode.cancel))]),
    ],
    [
      'makes the service reset its streams (CVE-2025-8671)',
      'reset',
      (client, round) =>
        Buffer.concat([client.headers(id(round), post, 0), frame(windowUpdate, 0, id(round), uint32(0))]),
    ],
    ['opens more streams than it may, again and again', 'reset', (client, round) => client.headers(id(round), post, 0)],
    [
      'sends header lists that are too large, again and again',
      'reset',
      (client, round) => client.headers(id(round), get({ 'x-large': 'a'.repeat(17_000) })),
    ],
    ['sends SETTINGS', 'settings', () => settings(setting(4, 1000))],
    ['sends PING', 'ping', () => frame(ping, 0, 0, Buffer.alloc(8))],
    ['opens the window byte by byte', 'window_update', () => frame(windowUpdate, 0, 0, uint32(1))],
    ['sends PRIORITY', 'priority', () => frame(priority, 0, 1, Buffer.alloc(5))],
    ['sends frames of unknown types', 'unknown_frame', () => frame(0xfe, 0, 0)],
    ['sends empty DATA', 'empty_data', (client, round) => opening(client, round, () => frame(data, 0, 1))],
    [
      'sends padding',
      'padding',
      (client, round) =>
        opening(client, round, () => frame(data, Flag.padded, 1, Buffer.concat([Buffer.from([9]), Buffer.alloc(10)]))),
    ],
    [
      'sends CONTINUATION without end (CVE-2024-27316)',
      'continuation',
      (client, round) =>
        round === 0 ? frame(headers, 0, 1, client.block(get())) : frame(continuation, 0, 1, Buffer.alloc(1)),
    ],
  ])('%s: is cut for it, while another is served', async (_what, reason, attack) => {
    const code = await attacked(attack);

    expect(code).toBe(ErrorCode.enhanceYourCalm);
    expect(await cuts()).toEqual([`${reason} 1`]);
    await eventually('nothing is in flight', () => app.inFlight === 0);
  });

  it.each<[string, number, (client: RawClient) => Buffer]>([
    ['uses an even stream id', ErrorCode.protocolError, (client) => client.headers(2, get())],
    [
      'goes back to a stream id that it has passed over',
      ErrorCode.streamClosed,
      (client) => Buffer.concat([client.headers(5, get()), client.headers(3, get())]),
    ],
    [
      'sends DATA on a stream that it has not opened',
      ErrorCode.protocolError,
      () => frame(data, 0, 7, Buffer.alloc(1)),
    ],
    [
      'breaks the header compression',
      ErrorCode.compressionError,
      () => frame(headers, Flag.endHeaders | Flag.endStream, 1, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff])),
    ],
    ['sends a frame that is too long', ErrorCode.frameSizeError, () => frame(data, 0, 1, Buffer.alloc(16_385))],
  ])('%s: is told so and cut, while another is served', async (_what, code, attack) => {
    expect(await attacked((client, round) => (round === 0 ? attack(client) : Buffer.alloc(0)))).toBe(code);

    expect(await growth('rookery_http2_connection_errors_total')).toBe(1);
  });

  it('has 20 streams open and asks for more: those are refused, and those that were open are served', async () => {
    const client = await RawClient.connect(app.port);
    await client.until((each) => each.type === FrameType.settings && each.flags === 0);

    for (let round = 0; round < 25; round += 1) client.send(client.headers(id(round), post, 0));
    const codes = await Promise.all([20, 21, 22, 23, 24].map((round) => client.resetCode(id(round))));
    client.send(frame(data, Flag.endStream, 1, Buffer.from('{"title":"still here"}')));

    expect(codes).toEqual(Array.from({ length: 5 }, () => ErrorCode.refusedStream));
    expect(String(await client.body(1))).toContain('still here');
    expect(await growth('rookery_http2_streams_refused_total')).toBe(5);
    client.close();
  });

  it('blows header fields up out of the table (HPACK bomb): gets 431 and a line in the log, and goes on', async () => {
    const client = await RawClient.connect(app.port);
    const bomb = get({ 'x-bomb': 'b'.repeat(200) });
    client.send(client.headers(1, bomb), client.headers(3, bomb), client.headers(5, bomb));
    await client.body(5);

    const references = client.block([...bomb, ...Array.from({ length: 16_000 }, () => bomb.at(-1)!)]);
    client.send(frame(headers, Flag.endHeaders | Flag.endStream, 7, references), client.headers(9, bomb));
    await client.body(9);

    expect(references.length).toBeLessThan(16_384);
    expect(JSON.parse(String(await client.body(7)))).toMatchObject({ code: 431, reason: 'HEADERS_TOO_LARGE' });
    expect(await growth('rookery_http2_header_lists_too_large_total')).toBe(1);
    expect(await growth('rookery_requests_total{face="http",status="RESOURCE_EXHAUSTED"}')).toBe(1);
    client.close();
  });
});

describe('a client of the one port that is too slow', () => {
  it('sends half a header block: is cut', async () => {
    const witness = await Witness.connect();
    const client = await RawClient.connect(app.port);

    client.send(frame(headers, 0, 1, client.block(get())));

    expect(await client.goawayCode()).toBe(ErrorCode.enhanceYourCalm);
    expect(await cuts()).toEqual(['header_timeout 1']);
    await witness.leaves();
  });

  it('sends half a body, byte by byte: is answered 408, and its other streams are served', async () => {
    const client = await RawClient.connect(app.port);

    client.send(client.headers(1, post, 0), client.headers(3, get()));
    const drip = setInterval(() => client.send(frame(data, 0, 1, Buffer.from(' '))), 50);
    const answer = JSON.parse(String(await client.body(1))) as unknown;
    clearInterval(drip);

    expect(answer).toMatchObject({ code: 408, reason: 'REQUEST_TIMEOUT' });
    expect(JSON.parse(String(await client.body(3)))).toMatchObject({ code: 200 });
    await eventually('nothing is in flight', () => app.inFlight === 0);
    client.close();
  });

  it('opens no window for its answer: the stream is given up, the connection goes on', async () => {
    const client = await RawClient.connect(app.port, settings(setting(4, 0)));

    client.send(client.headers(1, get()));

    expect(await client.resetCode(1)).toBe(ErrorCode.enhanceYourCalm);
    expect(await growth('rookery_http2_streams_stalled_total')).toBe(1);
    client.send(frame(FrameType.settings, 0, 0, setting(4, 100_000)), client.headers(3, get()));
    expect(JSON.parse(String(await client.body(3)))).toMatchObject({ code: 200 });
    await eventually('nothing is in flight', () => app.inFlight === 0);
    client.close();
  });

  it('acknowledges no SETTINGS: is cut', async () => {
    const client = await RawClient.connect(app.port, settings(), false);

    expect(await client.goawayCode()).toBe(ErrorCode.settingsTimeout);
    expect(await cuts()).toEqual(['settings_timeout 1']);
  });

  it('says nothing after the preface: is cut', async () => {
    const client = await RawClient.connect(app.port, Buffer.alloc(0), false);

    expect(await client.goawayCode()).toBe(ErrorCode.settingsTimeout);
    expect(await cuts()).toEqual(['handshake_timeout 1']);
  });
});

describe('a connection that gets old or idle', () => {
  it.each([
    ['idle', { idleTimeoutMs: 300 }],
    ['age', { maxConnectionAgeMs: 300 }],
  ])('is retired gracefully (%s): what is open is served, what comes later goes elsewhere', async (reason, options) => {
    const young = await TrialApp.start(undefined, { set: pathsOf('server.http2', options) });
    const client = await RawClient.connect(young.port);
    if (reason === 'age') client.send(client.headers(1, post, 0));

    await client.until(({ type, payload }) => type === goaway && payload.readUInt32BE(4) === ErrorCode.noError);
    let served: string | undefined;
    if (reason === 'age') {
      client.send(frame(data, Flag.endStream, 1, Buffer.from('{"title":"in time"}')));
      served = String(await client.body(1));
    }
    expect(served?.includes('in time')).toBe(reason === 'age' ? true : undefined);
    const { text } = await http(young.url, { path: '/metrics' });

    await client.untilClosed();
    expect(text).toContain(`rookery_http2_connections_retired_total{reason="${reason}"} 1\n`);
    await young.close();
  });
});
