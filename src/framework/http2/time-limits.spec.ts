import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { ErrorCode } from './error-code.js';
import { clientPreface, Flag, FrameType } from './frame.js';
import type { Http2Abuse } from './http2.counters.js';
import type { Http2ConnectionOptions } from './http2.options.js';
import { frame, RawClient, requestFields, setting, settings } from '../../../test/support/raw-http2-client.js';
import { answer, listener, ok, serve } from '../../../test/support/raw-http2-server.js';

const soon = 10;

async function silent(port: number): Promise<RawClient> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  return new RawClient(socket);
}

describe('a connection in time', () => {
  it.each<[string, Http2Abuse, Partial<Http2ConnectionOptions>, number, (client: RawClient) => void]>([
    ['says nothing', 'handshakeTimeout', { handshakeTimeoutMs: soon }, ErrorCode.settingsTimeout, () => {}],
    [
      'does not acknowledge SETTINGS',
      'settingsTimeout',
      { settingsTimeoutMs: soon },
      ErrorCode.settingsTimeout,
      (client) => client.send(clientPreface, settings()),
    ],
    [
      'does not end a header block',
      'headerTimeout',
      { headerTimeoutMs: soon },
      ErrorCode.enhanceYourCalm,
      (client) => client.send(clientPreface, settings(), frame(FrameType.headers, 0, 1, client.block(requestFields()))),
    ],
    [
      'does not end a frame with header fields',
      'headerTimeout',
      { headerTimeoutMs: soon },
      ErrorCode.enhanceYourCalm,
      (client) => client.send(clientPreface, settings(), client.headers(1, requestFields()).subarray(0, 12)),
    ],
    [
      'does not answer PING',
      'keepaliveTimeout',
      { keepaliveIntervalMs: soon, keepaliveTimeoutMs: soon },
      ErrorCode.noError,
      (client) => client.send(clientPreface, settings()),
    ],
  ])('is cut when the client %s', async (_what, abuse, changes, code, act) => {
    await using server = await serve(answer, changes);
    const client = await silent(server.port);

    act(client);

    expect(await client.goawayCode()).toBe(code);
    await server.gone(1);
    expect(server.counters.cut[abuse]).toBe(1);
  });

  it('lives as long as PING is answered', async () => {
    await using server = await serve(answer, { keepaliveIntervalMs: soon, keepaliveTimeoutMs: 2000 });
    const client = await RawClient.connect(server.port);

    const isPing = (each: { type: number; flags: number }): boolean => each.type === FrameType.ping && each.flags === 0;
    for (let pings = 1; pings <= 3; pings += 1) {
      await client.when(() => client.frames.filter(isPing).length >= pings);
      client.send(frame(FrameType.ping, Flag.ack, 0, client.frames.findLast(isPing)!.payload));
    }

    expect(client.isClosed).toBe(false);
  });

  it('gives the peer time for PING from when what was sent before is out', async () => {
    const bytes = 16_000_000;
    await using server = await serve(
      (stream) => {
        stream.respond(ok);
        stream.end(undefined, Buffer.alloc(bytes));
      },
      { keepaliveIntervalMs: soon, keepaliveTimeoutMs: 1000 },
    );
    const client = await RawClient.connect(server.port, settings(setting(0x4, 0x7fff_ffff)));
    client.send(frame(FrameType.windowUpdate, 0, 0, Buffer.from([0x7f, 0, 0, 0])));
    await client.roundTrip();
    client.socket.pause();
    client.send(client.headers(1, requestFields()));
    await delay(2000);
    client.socket.resume();

    expect(await client.body(1)).toHaveLength(bytes);
    expect(server.counters.cut.keepaliveTimeout).toBe(0);
  }, 20_000);

  it('is closed gracefully when nothing has gone on for long', async () => {
    await using server = await serve(answer, { idleTimeoutMs: soon });
    const client = await RawClient.connect(server.port);

    const ping = await client.until((each) => each.type === FrameType.ping);
    client.send(frame(FrameType.ping, Flag.ack, 0, ping.payload));

    expect(await client.goawayCode()).toBe(ErrorCode.noError);
    expect(client.of(FrameType.goaway)).toHaveLength(2);
    expect(server.counters.idleTimeouts).toBe(1);
  });

  it('is not idle while a stream is open, and ends with it when it is old', async () => {
    const finish = Promise.withResolvers<void>();
    await using server = await serve((stream) => void finish.promise.then(() => stream.respondOnly(ok)), {
      idleTimeoutMs: soon,
      maxAgeMs: 300,
    });
    const client = await RawClient.connect(server.port);
    client.send(client.headers(1, requestFields()));

    // The PING stays unanswered: the second step comes all the same.
    await client.when(() => client.of(FrameType.goaway).length === 2);
    finish.resolve();

    await client.body(1);
    await client.untilClosed();
    expect(server.counters).toMatchObject({ idleTimeouts: 0, agedOut: 1 });
  });

  it('ends by force when it is old and its streams do not end', async () => {
    const closed: number[] = [];
    await using server = await serve((stream) => stream.listen(listener({ onClose: (code) => closed.push(code) })), {
      maxAgeMs: soon,
      maxAgeGraceMs: soon,
    });
    const client = await RawClient.connect(server.port);
    client.send(client.headers(1, requestFields()));

    await client.untilClosed();
    await server.gone(1);

    expect(closed).toEqual([ErrorCode.cancel]);
  });

  it('gives up a stream whose client lets nothing be sent, and keeps the others', async () => {
    await using server = await serve(
      (stream, head) => {
        stream.respond(ok);
        if (head.path === '/body') stream.write(Buffer.alloc(100));
      },
      { sendStallTimeoutMs: soon },
    );
    const client = await RawClient.connect(server.port, settings(setting(0x4, 0)));

    client.send(client.headers(1, requestFields('/body')), client.headers(3, requestFields('/waits')));

    expect(await client.resetCode(1)).toBe(ErrorCode.enhanceYourCalm);
    await client.roundTrip();
    expect(server.connections[0]?.streams).toBe(1);
    expect(server.counters.streamsStalled).toBe(1);
  });

  it.each([16_384, 16_777_215])(
    'lives as long as the client reads something, however slowly, in frames of up to %d bytes',
    async (frameBytes) => {
      const bytes = 16_000_000;
      await using server = await serve(
        (stream) => {
          stream.respond(ok);
          stream.end(undefined, Buffer.alloc(bytes));
        },
        { sendStallTimeoutMs: 750 },
      );
      const client = await RawClient.connect(
        server.port,
        settings(setting(0x4, 0x7fff_ffff), setting(0x5, frameBytes)),
      );
      let taken = 0;
      // 64 KiB in some 20 ms: five seconds for all.
      client.socket.on('data', (chunk) => {
        taken += chunk.length;
        if (taken < 65_536) return;
        taken = 0;
        client.socket.pause();
        setTimeout(() => client.socket.resume(), 20);
      });

      client.send(
        frame(FrameType.windowUpdate, 0, 0, Buffer.from([0x7f, 0, 0, 0])),
        client.headers(1, requestFields()),
      );

      expect(await client.body(1)).toHaveLength(bytes);
      expect(server.counters.cut.sendStall).toBe(0);
    },
    20_000,
  );

  it('is cut when the socket takes nothing', async () => {
    await using server = await serve(
      (stream) => {
        stream.respond(ok);
        const fill = (): void => {
          while (stream.write(Buffer.alloc(1_000_000)));
        };
        stream.listen(listener({ onDrain: fill }));
        fill();
      },
      { sendStallTimeoutMs: 300 },
    );
    const client = await RawClient.connect(server.port, settings(setting(0x4, 0x7fff_ffff)));
    client.socket.pause();

    client.send(frame(FrameType.windowUpdate, 0, 0, Buffer.from([0x7f, 0, 0, 0])), client.headers(1, requestFields()));
    await server.gone(1);

    expect(server.counters.cut.sendStall).toBe(1);
    client.close();
  });
});
