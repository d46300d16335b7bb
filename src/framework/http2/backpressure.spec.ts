import { describe, expect, it } from 'vitest';
import { ErrorCode } from './error-code.js';
import { Flag, FrameType, readUint32 } from './frame.js';
import type { Http2Stream } from './http2-stream.js';
import { frame, RawClient, requestFields, setting, settings, uint32 } from '../../../test/support/raw-http2-client.js';
import { listener, ok, serve } from '../../../test/support/raw-http2-server.js';

const maxWindow = 0x7fff_ffff;
const initialWindow = 0x4;

const windowUpdate = (streamId: number, bytes: number): Buffer =>
  frame(FrameType.windowUpdate, 0, streamId, uint32(bytes));
const bytesOf = (client: RawClient, streamId?: number): number =>
  client.of(FrameType.data, streamId).reduce((sum, each) => sum + each.payload.length, 0);

/** Bytes that the client may send by the updates that it has got. */
const granted = (client: RawClient, streamId: number): number =>
  client.of(FrameType.windowUpdate, streamId).reduce((sum, each) => sum + readUint32(each.payload, 0), 0);

function upload(client: RawClient, streamId: number, bytes: number): void {
  for (let left = bytes; left > 0; left -= 16_384) {
    client.send(frame(FrameType.data, 0, streamId, Buffer.alloc(Math.min(left, 16_384))));
  }
}

describe('sending', () => {
  it('stays within the windows of stream and connection', async () => {
    await using server = await serve((stream) => {
      stream.respond(ok);
      stream.write(Buffer.alloc(200_000));
      stream.end();
    });
    const client = await RawClient.connect(server.port, settings(setting(initialWindow, 40_000)));

    client.send(client.headers(1, requestFields()), client.headers(3, requestFields()));
    await client.roundTrip();
    expect([bytesOf(client, 1), bytesOf(client, 3)]).toEqual([40_000, 25_535]);

    client.send(windowUpdate(0, 1_000_000));
    await client.roundTrip();
    expect([bytesOf(client, 1), bytesOf(client, 3)]).toEqual([40_000, 40_000]);

    client.send(settings(setting(initialWindow, 50_000)), windowUpdate(3, 1_000_000));
    expect(await client.body(3)).toHaveLength(200_000);
    expect(bytesOf(client, 1)).toBe(50_000);
  });

  it('stays within the window of the connection where the stream has more', async () => {
    await using server = await serve((stream) => {
      stream.respond(ok);
      stream.end(undefined, Buffer.alloc(100_000));
    });
    const client = await RawClient.connect(server.port, settings(setting(initialWindow, maxWindow)));

    client.send(client.headers(1, requestFields()));
    await client.roundTrip();
    expect(bytesOf(client)).toBe(65_535);
    client.send(windowUpdate(0, 100_000));

    expect(await client.body(1)).toHaveLength(100_000);
  });

  it('goes on from below zero when the initial window has been made smaller', async () => {
    await using server = await serve((stream) => {
      stream.respond(ok);
      stream.end(undefined, Buffer.alloc(20));
    });
    const client = await RawClient.connect(server.port, settings(setting(initialWindow, 10)));
    client.send(client.headers(1, requestFields()));
    await client.roundTrip();

    client.send(settings(setting(initialWindow, 0)), windowUpdate(1, 10));
    await client.roundTrip();
    expect(bytesOf(client)).toBe(10);
    client.send(windowUpdate(1, 10));

    expect(await client.body(1)).toHaveLength(20);
  });

  it('tells a writer to wait, and to go on', async () => {
    const written: boolean[] = [];
    let drains = 0;
    await using server = await serve((stream) => {
      stream.respond(ok);
      stream.listen(
        listener({
          onDrain: () => {
            drains += 1;
            stream.end([{ name: 'x-end', value: '1' }]);
          },
        }),
      );
      for (let i = 0; i < 3; i += 1) written.push(stream.write(Buffer.alloc(65_536)));
    });
    const client = await RawClient.connect(server.port, settings(setting(initialWindow, 65_536)));

    client.send(windowUpdate(0, maxWindow - 65_535), client.headers(1, requestFields()));
    await client.roundTrip();
    expect(written).toEqual([true, false, false]);
    expect(drains).toBe(0);
    client.send(windowUpdate(1, 1_000_000));

    expect(await client.body(1)).toHaveLength(3 * 65_536);
    expect(drains).toBe(1);
  });

  it('keeps the order of what is written, small and large', async () => {
    const parts = Array.from({ length: 300 }, (_, i) => Buffer.alloc(i % 7 === 0 ? 20_000 : i * 3 + 1, i));
    await using server = await serve((stream) => {
      stream.respond(ok);
      for (const part of parts) stream.write(part);
      stream.end();
    });
    const client = await RawClient.connect(server.port, settings(setting(initialWindow, 1000)));

    client.send(client.headers(1, requestFields()));
    await client.roundTrip();
    client.send(windowUpdate(0, maxWindow - 65_535), windowUpdate(1, 30_001));
    await client.roundTrip();
    client.send(windowUpdate(1, 10_000_000));

    expect((await client.body(1)).equals(Buffer.concat(parts))).toBe(true);
  });

  it('shares a connection among its streams frame by frame', async () => {
    const count = 1000;
    await using server = await serve(
      (stream) => {
        stream.respond(ok);
        stream.end(undefined, Buffer.alloc(60_000));
      },
      { maxConcurrentStreams: count },
    );
    const client = await RawClient.connect(server.port);
    const ids = Array.from({ length: count }, (_, i) => 2 * i + 1);

    for (const id of ids) client.send(client.headers(id, requestFields()));
    await client.roundTrip();
    const before = client.of(FrameType.data).length;
    client.send(windowUpdate(0, count * 2 * 16_384));
    await client.when(() => bytesOf(client) >= count * 2 * 16_384);

    const served = client
      .of(FrameType.data)
      .slice(before)
      .map((each) => each.streamId);
    // The first two had the window that a connection begins with.
    const times = ids.slice(2).map((id) => served.filter((each) => each === id).length);
    expect(Math.max(...times) - Math.min(...times)).toBeLessThanOrEqual(1);
  });

  it('holds no more than the socket takes for a client that does not read', async () => {
    let written = 0;
    const streams: Http2Stream[] = [];
    await using server = await serve((stream) => {
      streams.push(stream);
      stream.respond(ok);
      const fill = (): void => {
        while (written < 200_000_000 && stream.write(Buffer.alloc(65_536))) written += 65_536;
      };
      stream.listen(listener({ onDrain: fill }));
      fill();
    });
    const client = await RawClient.connect(server.port, settings(setting(initialWindow, maxWindow)));
    client.socket.pause();
    client.send(windowUpdate(0, maxWindow - 65_535), client.headers(1, requestFields()));
    const other = await RawClient.connect(server.port);
    for (let before = -1; before < written || written === 0; ) {
      before = written;
      for (let i = 0; i < 20; i += 1) await other.roundTrip();
    }

    // The buffers of the kernel at both ends, and one high-water mark.
    expect(written).toBeLessThan(50_000_000);
    client.close();
    other.close();
  });
});

describe('receiving', () => {
  it('gives the window back only for what a consumer has taken', async () => {
    const streams: Http2Stream[] = [];
    let taken = 0;
    await using server = await serve(
      (stream) => {
        streams.push(stream);
        if (streams.length > 1) stream.listen(listener({ onData: (chunk) => (taken += chunk.length) }));
      },
      { streamWindowBytes: 65_536, connectionWindowBytes: 131_072, maxWaitingBytes: 0 },
    );
    const client = await RawClient.connect(server.port);

    client.send(client.headers(1, requestFields(), 0));
    upload(client, 1, 65_536);
    await client.roundTrip();
    const atStart = granted(client, 0);
    expect([granted(client, 1), atStart]).toEqual([0, 131_072 - 65_535]);

    streams[0]?.listen(listener({ onData: (chunk) => (taken += chunk.length) }));
    await client.roundTrip();
    expect(taken).toBe(65_536);
    expect(granted(client, 1)).toBe(65_536);
    expect(granted(client, 0) - atStart).toBe(65_536);
  });

  it('lets fast streams go on beside slow ones, up to what may wait for those', async () => {
    const slow: Http2Stream[] = [];
    let taken = 0;
    const take = listener({ onData: (chunk) => (taken += chunk.length) });
    await using server = await serve(
      (stream, head) => {
        if (head.path === '/slow') slow.push(stream);
        else stream.listen(take);
      },
      { streamWindowBytes: 65_536, connectionWindowBytes: 65_536, maxWaitingBytes: 3 * 65_536 },
    );
    const client = await RawClient.connect(server.port);
    await client.roundTrip();
    const atStart = granted(client, 0);
    const sent = (): number => taken + slow.length * 65_536;

    for (const id of [1, 3, 5]) {
      client.send(client.headers(id, requestFields('/slow'), 0));
      upload(client, id, 65_536);
      await client.roundTrip();
      expect(granted(client, 0) - atStart).toBe(sent());
    }
    client.send(client.headers(7, requestFields('/fast'), 0));
    upload(client, 7, 65_536);
    await client.roundTrip();
    expect(granted(client, 0) - atStart).toBe(sent());
    client.send(client.headers(9, requestFields('/slow'), 0));
    upload(client, 9, 65_536);
    await client.roundTrip();
    expect(granted(client, 0) - atStart).toBe(sent() - 65_536);

    for (const stream of slow) stream.listen(take);
    await client.roundTrip();
    expect(taken).toBe(5 * 65_536);
    expect(granted(client, 0) - atStart).toBe(taken);
  });

  it('lends the window again to streams that wait when others have been served', async () => {
    const slow: Http2Stream[] = [];
    await using server = await serve((stream) => slow.push(stream), {
      streamWindowBytes: 65_536,
      connectionWindowBytes: 65_536,
      maxWaitingBytes: 2 * 65_536,
    });
    const client = await RawClient.connect(server.port);
    await client.roundTrip();
    const atStart = granted(client, 0);
    for (const id of [1, 3, 5]) {
      client.send(client.headers(id, requestFields(), 0));
      upload(client, id, 65_536);
      await client.roundTrip();
    }
    expect(granted(client, 0) - atStart).toBe(2 * 65_536);

    for (const id of [1, 3]) client.send(frame(FrameType.rstStream, 0, id, uint32(ErrorCode.cancel)));
    await client.roundTrip();

    expect(granted(client, 0) - atStart).toBe(3 * 65_536);
  });

  it('delivers nothing while paused, and everything in order afterwards', async () => {
    const chunks: Uint8Array[] = [];
    const events: string[] = [];
    let stream: Http2Stream | undefined;
    await using server = await serve((each) => {
      stream = each;
      each.listen(listener({ onData: (chunk) => chunks.push(chunk), onEnd: () => events.push('end') }));
      each.pause();
    });
    const client = await RawClient.connect(server.port);
    const body = Buffer.from(Array.from({ length: 30_000 }, (_, i) => i % 251));

    client.send(client.headers(1, requestFields(), 0));
    for (let at = 0; at < body.length; at += 700) {
      client.send(frame(FrameType.data, 0, 1, body.subarray(at, at + 700)));
    }
    client.send(frame(FrameType.data, Flag.endStream, 1));
    await client.roundTrip();
    expect([chunks.length, events]).toEqual([0, []]);
    stream?.resume();

    expect(Buffer.concat(chunks).equals(body)).toBe(true);
    expect(events).toEqual(['end']);
    // Small pieces that wait are kept together.
    expect(chunks.length).toBeLessThan(10);
  });

  it('refuses more than the window of a stream, and of the connection', async () => {
    await using server = await serve(() => {}, {
      streamWindowBytes: 65_535,
      connectionWindowBytes: 100_000,
      maxWaitingBytes: 0,
    });
    const client = await RawClient.connect(server.port);

    client.send(client.headers(1, requestFields(), 0), client.headers(3, requestFields(), 0));
    upload(client, 1, 65_536);
    expect(await client.resetCode(1)).toBe(ErrorCode.flowControlError);
    upload(client, 3, 65_535);
    client.send(client.headers(5, requestFields(), 0));
    upload(client, 5, 65_535);

    expect(await client.goawayCode()).toBe(ErrorCode.flowControlError);
  });

  it('gives back to the connection what nobody takes of a stream that is gone', async () => {
    await using server = await serve((stream) => setImmediate(() => stream.reset(ErrorCode.cancel)), {
      connectionWindowBytes: 65_536,
      maxWaitingBytes: 40_000,
    });
    const client = await RawClient.connect(server.port);

    for (let id = 1; id < 20; id += 2) {
      client.send(client.headers(id, requestFields(), 0));
      upload(client, id, 32_768);
      await client.resetCode(id);
      await client.roundTrip();
    }

    expect(granted(client, 0)).toBe(1 + 10 * 32_768);
  });
});
