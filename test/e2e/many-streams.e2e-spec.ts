import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { ErrorCode } from '../../src/framework/http2/error-code.js';
import { clientPreface, Flag, FrameType } from '../../src/framework/http2/frame.js';
import { eventually } from '../support/eventually.js';
import { BlockEncoder, frame, RawClient, requestFields, settings, uint32 } from '../support/raw-http2-client.js';
import { TrialProcess } from '../support/trial-process.js';

const connections = 10_000;
const streams = 1000;
const cancelled = 100_000;
const batch = 100;

let trial: TrialProcess;

beforeAll(async () => {
  trial = await TrialProcess.start({
    // All of them come from one address, which gets less than half.
    ROOKERY_SERVER__MAX_CONNECTIONS: String(3 * connections),
    ROOKERY_SERVER__KEEP_ALIVE_TIMEOUT_MS: '600000',
    ROOKERY_SERVER__HTTP2__MAX_CONCURRENT_STREAMS: String(streams),
    ROOKERY_SERVER__HTTP2__RATES__RESET_BURST: String(10 * cancelled),
    ROOKERY_LOG__LEVEL: 'silent',
  });
});

afterAll(async () => {
  expect(await trial.stop()).toBe(0);
});

/** Bytes in use when no request is. */
async function level(): Promise<number> {
  let usedBytes = 0;
  await eventually('nothing is in flight', async () => {
    const report = await trial.report();
    usedBytes = report.usedBytes;
    return report.inFlight === 0;
  });
  return usedBytes;
}

const get = requestFields('/trial/context', {}, 'GET');

const firstWords: Readonly<Record<'HTTP/1.1' | 'HTTP/2', Buffer>> = {
  'HTTP/1.1': Buffer.from('GET /trial/context HTTP/1.1\r\nhost: a\r\n\r\n'),
  'HTTP/2': Buffer.concat([
    clientPreface,
    settings(),
    frame(FrameType.settings, Flag.ack, 0),
    new BlockEncoder().headers(1, get),
  ]),
};

/** A connection that has asked one thing, and has nothing more to ask. */
async function idle(words: Buffer): Promise<Socket> {
  const socket = connect(trial.port, '127.0.0.1');
  let heard = '';
  socket.on('data', (chunk: Buffer) => {
    heard += chunk.toString('latin1');
  });
  socket.write(words);
  while (!heard.includes('"message":"success"')) await once(socket, 'data');
  return socket;
}

describe('10 000 idle connections', () => {
  it.each(['HTTP/1.1', 'HTTP/2'] as const)('cost 10 KiB each at most on %s', { timeout: 180_000 }, async (protocol) => {
    const sockets: Socket[] = [];
    const open = async (count: number): Promise<void> => {
      for (let at = 0; at < count; at += batch) {
        sockets.push(...(await Promise.all(Array.from({ length: batch }, () => idle(firstWords[protocol])))));
      }
    };
    // Those that come first leave compiled code and grown tables behind: once, some 150 bytes each.
    await open(connections);
    for (const socket of sockets.splice(0)) socket.destroy();
    await open(batch);
    const before = await level();

    await open(connections);
    // What only serves the next request goes when none has come for a second.
    const bytesEach = async (): Promise<number> => ((await level()) - before) / connections;
    await vi.waitFor(async () => expect(await bytesEach()).toBeLessThan(10 * 1024), { timeout: 10_000, interval: 500 });

    expect(sockets.filter(({ destroyed }) => destroyed)).toEqual([]);
    for (const socket of sockets) socket.destroy();
    await eventually('they are forgotten', async () => (await level()) - before < 1024 * 1024);
  });
});

describe(`${cancelled} cancelled streams`, () => {
  it.each([
    ['REST', { 'content-type': 'application/json' }, '/trial/orders'],
    ['gRPC', { 'content-type': 'application/grpc', te: 'trailers' }, '/trial.service.v1.TrialService/PlaceOrder'],
  ])('leave the memory where it was: %s', { timeout: 180_000 }, async (_face, headers, path) => {
    const client = await RawClient.connect(trial.port);
    let next = 1;
    const cancel = async (count: number): Promise<void> => {
      for (let at = 0; at < count; at += batch) {
        const parts: Buffer[] = [];
        for (let i = 0; i < batch; i += 1, next += 2) {
          parts.push(client.headers(next, requestFields(path, headers), 0));
          parts.push(frame(FrameType.rstStream, 0, next, uint32(ErrorCode.cancel)));
        }
        client.send(...parts);
        await client.roundTrip();
        client.frames.length = 0;
      }
    };
    await cancel(cancelled / 10);
    const before = await level();

    await cancel(cancelled);

    // Twenty bytes for each would show.
    expect((await level()) - before).toBeLessThan(2_000_000);
    expect(client.isClosed).toBe(false);
    client.close();
  });
});

describe(`${streams} streams of one connection`, () => {
  it('are served frame by frame in turn', { timeout: 60_000 }, async () => {
    const rounds = 2;
    const frameBytes = 4096;
    const client = await RawClient.connect(trial.port);
    const document = requestFields('/openapi.json', {}, 'GET');
    const received = (): number => client.of(FrameType.data).reduce((sum, { payload }) => sum + payload.length, 0);
    const ids = Array.from({ length: streams }, (_, at) => 2 * at + 1);

    for (const id of ids) client.send(client.headers(id, document));
    await client.when(() => client.of(FrameType.headers).length === streams);
    const already = new Set(client.of(FrameType.data).map(({ streamId }) => streamId));
    client.frames.length = 0;
    client.send(frame(FrameType.windowUpdate, 0, 0, uint32(streams * rounds * frameBytes)));
    await client.when(() => received() >= streams * rounds * frameBytes);

    // Those that the window at the beginning was enough for have had theirs.
    const served = ids.filter((id) => !already.has(id)).map((id) => client.of(FrameType.data, id).length);
    expect(Math.max(...served) - Math.min(...served)).toBeLessThanOrEqual(1);
    client.close();
  });
});
