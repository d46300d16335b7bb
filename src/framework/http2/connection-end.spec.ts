import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { ErrorCode } from './error-code.js';
import { clientPreface, Flag, FrameType, largestStreamId, readUint31, readUint32 } from './frame.js';
import type { Http2Stream } from './http2-stream.js';
import { frame, RawClient, requestFields, setting, settings, uint32 } from '../../../test/support/raw-http2-client.js';
import { answer, listener, ok, serve } from '../../../test/support/raw-http2-server.js';

const data = (streamId: number, payload: Uint8Array, flags = 0): Buffer =>
  frame(FrameType.data, flags, streamId, payload);

describe('the end of a connection', () => {
  it('is told in two steps, and waits for the streams', async () => {
    const open: Http2Stream[] = [];
    await using server = await serve((stream) => open.push(stream));
    const client = await RawClient.connect(server.port);
    client.send(client.headers(1, requestFields()));
    await client.roundTrip();

    const closing = server.connections[0]!.close(10_000);
    await client.until((each) => each.type === FrameType.goaway);
    const ping = await client.until((each) => each.type === FrameType.ping && (each.flags & Flag.ack) === 0);
    client.send(client.headers(3, requestFields()));
    client.send(frame(FrameType.ping, Flag.ack, 0, ping.payload));
    await client.when(() => client.of(FrameType.goaway).length === 2);
    client.send(client.headers(5, requestFields()));
    await client.roundTrip();
    for (const stream of open) stream.respondOnly(ok);

    expect(await closing).toBe(true);
    await client.untilClosed();
    expect(client.of(FrameType.goaway).map((each) => readUint31(each.payload, 0))).toEqual([largestStreamId, 3]);
    expect(open.map((stream) => stream.id)).toEqual([1, 3]);
    expect(client.of(FrameType.headers).map((each) => each.streamId)).toEqual([1, 3]);
  });

  it('never names a higher stream than it has named before', async () => {
    await using server = await serve(() => {});
    const client = await RawClient.connect(server.port);
    client.send(client.headers(1, requestFields()));
    await client.roundTrip();

    const closing = server.connections[0]!.close(1500);
    await client.when(() => client.of(FrameType.goaway).length === 2);
    client.send(client.headers(3, requestFields()));
    await client.roundTrip();

    expect(await closing).toBe(false);
    await client.untilClosed();
    expect(client.of(FrameType.goaway).map((each) => readUint31(each.payload, 0))).toEqual([largestStreamId, 1, 1]);
  });

  it('waits for a peer that is slow to read its answers', async () => {
    const bytes = 16_000_000;
    await using server = await serve((stream) => {
      stream.respond(ok);
      stream.end(undefined, Buffer.alloc(bytes));
    });
    const window = settings(setting(0x4, largestStreamId));
    const client = await RawClient.connect(server.port, window);
    client.send(frame(FrameType.windowUpdate, 0, 0, uint32(largestStreamId - 65_535)));
    await client.roundTrip();
    client.socket.pause();
    client.send(client.headers(1, requestFields()), frame(FrameType.goaway, 0, 0, Buffer.alloc(8)));
    // Longer than a peer that has read everything has to close.
    await delay(2000);
    client.socket.resume();

    expect(await client.body(1)).toHaveLength(bytes);
    await client.untilClosed();
  }, 20_000);

  it('comes by force when streams stay open', async () => {
    const closed: number[] = [];
    await using server = await serve((stream) => stream.listen(listener({ onClose: (code) => closed.push(code) })));
    const client = await RawClient.connect(server.port);
    client.send(client.headers(1, requestFields()));
    await client.roundTrip();

    expect(await server.connections[0]!.close(10)).toBe(false);
    expect(closed).toEqual([ErrorCode.cancel]);
    expect(await server.connections[0]!.close(10)).toBe(true);
  });

  it('closes the streams when the peer goes away', async () => {
    const closed = Promise.withResolvers<number>();
    await using server = await serve((stream) => stream.listen(listener({ onClose: closed.resolve })));
    const client = await RawClient.connect(server.port);

    client.send(client.headers(1, requestFields(), 0));
    await client.roundTrip();
    client.close();

    expect(await closed.promise).toBe(ErrorCode.cancel);
  });

  it('lets a client that says GOAWAY see its answers', async () => {
    await using server = await serve(answer);
    const client = await RawClient.connect(server.port);

    client.send(client.headers(1, requestFields(), 0), frame(FrameType.goaway, 0, 0, Buffer.alloc(8)));
    client.send(data(1, Buffer.from('x'), Flag.endStream));

    expect(String(await client.body(1))).toBe('POST /');
    await client.untilClosed();
  });

  it('names what was wrong', async () => {
    await using server = await serve(answer);
    const client = await RawClient.connect(server.port);

    client.send(client.headers(1, requestFields()), frame(FrameType.data, 0, 0));

    expect(await client.goawayCode()).toBe(ErrorCode.protocolError);
    expect(readUint31(client.of(FrameType.goaway)[0]!.payload, 0)).toBe(1);
    await server.gone(1);
    expect(server.errors).toMatchObject([{ code: ErrorCode.protocolError, message: 'DATA on stream 0' }]);
    expect(server.counters.connectionErrors).toBe(1);
  });

  it('is COMPRESSION_ERROR for a header block that cannot be decoded', async () => {
    await using server = await serve(answer);
    const client = await RawClient.connect(server.port);

    client.send(frame(FrameType.headers, Flag.endHeaders | Flag.endStream, 1, Buffer.from([0x80])));

    expect(await client.goawayCode()).toBe(ErrorCode.compressionError);
  });

  it('keeps the state of the compression through requests that it refuses', async () => {
    await using server = await serve(answer, { maxConcurrentStreams: 1 });
    const client = await RawClient.connect(server.port);
    const fields = requestFields('/again', { 'x-kept': 'in the table' });

    client.send(
      client.headers(1, requestFields(), 0),
      client.headers(3, fields),
      client.headers(5, fields),
      client.headers(7, fields),
    );
    expect(await client.resetCode(7)).toBe(ErrorCode.refusedStream);
    client.send(data(1, Buffer.from('x'), Flag.endStream), client.headers(9, fields));

    expect(String(await client.body(9))).toBe('POST /again');
    expect(readUint32(client.of(FrameType.rstStream, 3)[0]!.payload, 0)).toBe(ErrorCode.refusedStream);
  });

  it('reads four mebibytes more of a client that sends on after an error, and then nothing', async () => {
    await using server = await serve(answer);
    const socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true });
    await once(socket, 'connect');
    const client = new RawClient(socket);
    client.send(clientPreface, settings());
    const total = 60_000_000;
    client.send(frame(FrameType.data, 0, 0));
    await client.until(({ type }) => type === FrameType.goaway);

    client.send(Buffer.alloc(total));
    await delay(500);

    // What is not there any more has been read, or waits in the buffers of the kernel.
    expect(client.socket.writableLength).toBeGreaterThan(total / 2);
    socket.destroy();
  });
});
