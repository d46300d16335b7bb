import { describe, expect, it } from 'vitest';
import { ErrorCode } from './error-code.js';
import { Flag, FrameType } from './frame.js';
import type { Http2Abuse } from './http2.counters.js';
import { frame, RawClient, requestFields, setting, settings, uint32 } from '../../../test/support/raw-http2-client.js';
import { answer, type RawServer, serve } from '../../../test/support/raw-http2-server.js';

/** Sends what `attack` makes until the connection is cut, while another client goes on being served. */
async function attacked(
  server: RawServer,
  attack: (client: RawClient, round: number) => Buffer,
): Promise<number | undefined> {
  const attacker = await RawClient.connect(server.port);
  const other = await RawClient.connect(server.port);
  let streamId = 1;
  for (let round = 0; !attacker.isClosed && round < 200; round += 1) {
    for (let i = 0; i < 10 && !attacker.isClosed; i += 1) attacker.send(attack(attacker, round * 10 + i));
    other.send(other.headers(streamId, requestFields(`/${round}`)));
    expect(String(await other.body(streamId))).toBe(`POST /${round}`);
    streamId += 2;
  }
  const code = await attacker.goawayCode();
  other.send(other.headers(streamId, requestFields('/last')));
  expect(String(await other.body(streamId))).toBe('POST /last');
  expect(other.of(FrameType.goaway)).toEqual([]);
  other.close();
  return code;
}

/** Cut for this, once, and for nothing else. */
function expectCut(server: RawServer, abuse: Http2Abuse): void {
  const cuts = Object.entries(server.counters.cut).filter(([, count]) => count > 0);
  expect(cuts).toEqual([[abuse, 1]]);
}

const openId = (i: number): number => 2 * i + 1;

describe('a client that asks too much', () => {
  it.each<[string, Http2Abuse, (client: RawClient, i: number) => Buffer]>([
    [
      'opens streams and resets them (CVE-2023-44487)',
      'reset',
      (client, i) =>
        Buffer.concat([
          client.headers(openId(i), requestFields(), 0),
          frame(FrameType.rstStream, 0, openId(i), uint32(ErrorCode.cancel)),
        ]),
    ],
    [
      'makes us reset its streams (CVE-2025-8671)',
      'reset',
      (client, i) =>
        Buffer.concat([
          client.headers(openId(i), requestFields('/', { 'content-length': '0' }), 0),
          frame(FrameType.data, 0, openId(i), Buffer.alloc(1)),
        ]),
    ],
    ['sends malformed requests', 'reset', (client, i) => client.headers(openId(i), [{ name: 'x', value: 'y' }])],
    ['sends SETTINGS', 'settings', () => settings(setting(0x4, 1000))],
    ['sends empty SETTINGS', 'settings', () => settings()],
    ['acknowledges SETTINGS', 'settings', () => frame(FrameType.settings, Flag.ack, 0)],
    ['sends PING', 'ping', () => frame(FrameType.ping, 0, 0, Buffer.alloc(8))],
    ['acknowledges PING', 'ping', () => frame(FrameType.ping, Flag.ack, 0, Buffer.alloc(8))],
    ['opens the window byte by byte', 'windowUpdate', () => frame(FrameType.windowUpdate, 0, 0, uint32(1))],
    ['sends PRIORITY', 'priority', () => frame(FrameType.priority, 0, 1, Buffer.alloc(5))],
    ['sends frames of unknown types', 'unknownFrame', () => frame(0xfe, 0, 0)],
    [
      'sends empty DATA',
      'emptyData',
      (client, i) => (i === 0 ? client.headers(1, requestFields(), 0) : frame(FrameType.data, 0, 1)),
    ],
    [
      'sends DATA with nothing but padding',
      'emptyData',
      (client, i) =>
        i === 0 ? client.headers(1, requestFields(), 0) : frame(FrameType.data, Flag.padded, 1, Buffer.from([1, 0])),
    ],
    [
      'sends DATA with more padding than data',
      'padding',
      (client, i) =>
        i === 0
          ? client.headers(1, requestFields(), 0)
          : frame(FrameType.data, Flag.padded, 1, Buffer.concat([Buffer.from([255]), Buffer.alloc(256)])),
    ],
    [
      'sends CONTINUATION without end (CVE-2024-27316)',
      'continuation',
      (client, i) =>
        i === 0
          ? frame(FrameType.headers, 0, 1, client.block(requestFields()))
          : frame(FrameType.continuation, 0, 1, Buffer.alloc(1)),
    ],
    [
      'sends a header block without end',
      'continuation',
      (_client, i) => frame(i === 0 ? FrameType.headers : FrameType.continuation, 0, 1, Buffer.alloc(16_000, 0x82)),
    ],
    [
      'sends empty CONTINUATION',
      'continuation',
      (_client, i) => frame(i === 0 ? FrameType.headers : FrameType.continuation, 0, 1),
    ],
  ])('%s: is cut, and others are served', async (_what, abuse, attack) => {
    const rate = { burst: 100, perSecond: 1 };
    await using server = await serve(answer, {
      resetRate: rate,
      settingsRate: rate,
      pingRate: rate,
      windowUpdateRate: rate,
      priorityRate: rate,
      emptyDataRate: rate,
      paddingRate: rate,
      unknownFrameRate: rate,
    });

    expect(await attacked(server, attack)).toBe(ErrorCode.enhanceYourCalm);
    await server.gone(1);
    expectCut(server, abuse);
  });

  it('sends a header block without end in few large frames: is cut before it is all kept', async () => {
    await using server = await serve(answer, { maxHeaderBlockBytes: 20_000, maxContinuations: 1000 });
    const client = await RawClient.connect(server.port);

    client.send(frame(FrameType.headers, 0, 1, Buffer.alloc(16_000, 0x82)));
    await client.when(() => client.of(FrameType.settings).length === 2);
    client.send(frame(FrameType.continuation, 0, 1, Buffer.alloc(4001, 0x82)));

    expect(await client.goawayCode()).toBe(ErrorCode.enhanceYourCalm);
    expect(server.counters.cut.continuation).toBe(1);
  });

  it('blows header fields up out of the table (HPACK bomb): gets 431 at the price of a few bytes', async () => {
    await using server = await serve(answer);
    const client = await RawClient.connect(server.port);
    const bomb = requestFields('/', { 'x-bomb': 'b'.repeat(200) });
    client.send(client.headers(1, bomb), client.headers(3, bomb), client.headers(5, bomb));
    await client.body(5);

    // One byte each, and 240 of the header list.
    const references = client.block([...bomb, ...Array.from({ length: 16_000 }, () => bomb.at(-1)!)]);
    expect(references.length).toBeLessThan(16_384);
    client.send(frame(FrameType.headers, Flag.endHeaders | Flag.endStream, 7, references));
    await client.body(7);
    client.send(client.headers(9, bomb));

    expect(String(await client.body(9))).toBe('POST /');
    expect(server.counters.headerListsTooLarge).toBe(1);
  });

  it('does as clients do: is not cut', async () => {
    await using server = await serve(answer);
    const client = await RawClient.connect(server.port);

    for (let i = 0; i < 3000; i += 1) {
      const id = openId(i);
      client.send(
        client.headers(id, requestFields(), 0),
        frame(FrameType.priority, 0, id, Buffer.from([0, 0, 0, 0, 15])),
        frame(FrameType.data, 0, id, Buffer.alloc(10)),
        frame(FrameType.data, Flag.endStream, id),
        frame(FrameType.windowUpdate, 0, 0, uint32(20)),
      );
      if (i % 20 === 0) await client.roundTrip();
    }
    client.send(client.headers(openId(3000), requestFields()));

    expect(String(await client.body(openId(3000)))).toBe('POST /');
  });

  it('cancels as many requests as it lets come to their end: is not cut', async () => {
    await using server = await serve(answer, { resetRate: { burst: 100, perSecond: 0, perAnswer: 1 } });
    const proxy = await RawClient.connect(server.port);

    for (let i = 0; i < 1000; i += 1) {
      const cancelled = 4 * i + 1;
      proxy.send(
        proxy.headers(cancelled, requestFields(), 0),
        frame(FrameType.rstStream, 0, cancelled, uint32(ErrorCode.cancel)),
        proxy.headers(cancelled + 2, requestFields()),
      );
      if (i % 20 === 0) await proxy.roundTrip();
    }

    expect(String(await proxy.body(3999))).toBe('POST /');
    expect(server.counters.streamsResetByPeer).toBe(1000);
  });

  it.each<[string, (client: RawClient, id: number) => Buffer]>([
    [
      'cancels two requests for each that it lets come to its end',
      (client, id) =>
        Buffer.concat([
          client.headers(id, requestFields(), 0),
          frame(FrameType.rstStream, 0, id, uint32(ErrorCode.cancel)),
        ]),
    ],
    ['sends two malformed requests for each good one', (client, id) => client.headers(id, [{ name: 'x', value: 'y' }])],
    [
      'asks for two of a scheme that is not served for each good one',
      (client, id) => client.headers(id, requestFields('/', { ':scheme': 'coap' })),
    ],
    [
      'sends two header lists that are refused for each good one',
      (client, id) => client.headers(id, requestFields('/', { 'x-large': 'x'.repeat(2000) })),
    ],
  ])('%s: is cut', async (_what, bad) => {
    const resetRate = { burst: 100, perSecond: 0, perAnswer: 1 };
    await using server = await serve(answer, { resetRate, maxHeaderListBytes: 1024 });
    const client = await RawClient.connect(server.port);

    for (let i = 0; i < 400 && !client.isClosed; i += 1) {
      const id = 6 * i + 1;
      client.send(bad(client, id), bad(client, id + 2), client.headers(id + 4, requestFields()));
      if (i % 10 === 0) await client.roundTrip().catch(() => {});
    }

    expect(await client.goawayCode()).toBe(ErrorCode.enhanceYourCalm);
    expectCut(server, 'reset');
  });

  it('uses stream ids out of order: is told PROTOCOL_ERROR or STREAM_CLOSED', async () => {
    await using server = await serve(answer);
    const even = await RawClient.connect(server.port);
    even.send(even.headers(2, requestFields()));
    const back = await RawClient.connect(server.port);
    back.send(back.headers(5, requestFields()), back.headers(3, requestFields()));

    expect(await even.goawayCode()).toBe(ErrorCode.protocolError);
    expect(await back.goawayCode()).toBe(ErrorCode.streamClosed);
  });

  it('does not read what it makes us say: is not read either', { timeout: 30_000 }, async () => {
    await using server = await serve(answer, {
      maxSocketBacklogBytes: 16_384,
      pingRate: { burst: 100_000_000, perSecond: 0 },
    });
    const client = await RawClient.connect(server.port);
    client.socket.pause();
    const pings = Buffer.concat(Array.from({ length: 4000 }, () => frame(FrameType.ping, 0, 0, Buffer.alloc(8))));

    // Until neither kernel takes any more: what is sent stays here.
    const other = await RawClient.connect(server.port);
    for (let stuck = 0; stuck < 20; ) {
      const before = client.socket.writableLength;
      if (before < 4_000_000) client.send(pings);
      await other.roundTrip();
      stuck = before >= 4_000_000 && client.socket.writableLength === before ? stuck + 1 : 0;
    }
    const answered = server.counters.pings;
    client.socket.resume();
    await client.when(() => client.of(FrameType.ping).length > answered);

    expect(client.isClosed).toBe(false);
    client.close();
    other.close();
  });
});
