import { describe, expect, it } from 'vitest';
import { ErrorCode } from './error-code.js';
import { Flag, FrameType } from './frame.js';
import { frame, RawClient, requestFields, setting, settings, uint32 } from '../../../test/support/raw-http2-client.js';
import { listener, ok, serve } from '../../../test/support/raw-http2-server.js';

const {
  data,
  headers,
  priority,
  rstStream,
  settings: settingsType,
  pushPromise,
  ping,
  goaway,
  windowUpdate,
  continuation,
} = FrameType;
const { protocolError, frameSizeError, flowControlError, streamClosed } = ErrorCode;

type Attempt = (client: RawClient) => Buffer;

/** Stream 1 is open both ways, 3 is half-closed by the client, 5 is over; 7 would be the next. */
async function prepared(port: number): Promise<RawClient> {
  const client = await RawClient.connect(port);
  client.send(
    client.headers(1, requestFields(), 0),
    client.headers(3, requestFields()),
    client.headers(5, requestFields('/ends')),
  );
  await client.body(5);
  return client;
}

const serveSome = (): ReturnType<typeof serve> =>
  serve((stream, head) => {
    stream.listen(listener());
    stream.respond(ok);
    if (head.path === '/ends') stream.end();
  });

const bytes = (length: number): Buffer => Buffer.alloc(length);

describe('a frame against the rules', () => {
  it.each<[string, number, Attempt]>([
    ['DATA on stream 0', protocolError, () => frame(data, 0, 0)],
    ['DATA on an idle stream', protocolError, () => frame(data, 0, 7)],
    ['DATA on a stream of ours', protocolError, () => frame(data, 0, 2)],
    [
      'DATA with more padding than payload',
      protocolError,
      () => frame(data, Flag.padded, 1, Buffer.from([5, 0, 0, 0, 0])),
    ],
    ['DATA padded without the length of it', frameSizeError, () => frame(data, Flag.padded, 1)],
    ['HEADERS on stream 0', protocolError, () => frame(headers, Flag.endHeaders, 0)],
    ['HEADERS on an even stream', protocolError, (client) => client.headers(8, requestFields())],
    ['HEADERS on a stream that is over', streamClosed, (client) => client.headers(5, requestFields())],
    [
      'HEADERS with more padding than payload',
      protocolError,
      () => frame(headers, Flag.padded | Flag.endHeaders, 7, Buffer.from([9, 1])),
    ],
    [
      'HEADERS too short for their priority',
      frameSizeError,
      () => frame(headers, Flag.priority | Flag.endHeaders, 7, bytes(4)),
    ],
    ['PRIORITY on stream 0', protocolError, () => frame(priority, 0, 0, bytes(5))],
    ['PRIORITY of an idle stream on itself', protocolError, () => frame(priority, 0, 7, Buffer.from([0, 0, 0, 7, 1]))],
    ['RST_STREAM on stream 0', protocolError, () => frame(rstStream, 0, 0, bytes(4))],
    ['RST_STREAM on an idle stream', protocolError, () => frame(rstStream, 0, 7, bytes(4))],
    ['RST_STREAM of a wrong length', frameSizeError, () => frame(rstStream, 0, 1, bytes(3))],
    ['SETTINGS on a stream', protocolError, () => frame(settingsType, 0, 1)],
    ['SETTINGS of a wrong length', frameSizeError, () => frame(settingsType, 0, 0, bytes(5))],
    ['an acknowledgement of SETTINGS with content', frameSizeError, () => frame(settingsType, Flag.ack, 0, bytes(6))],
    ['ENABLE_PUSH other than 0 and 1', protocolError, () => settings(setting(0x2, 2))],
    ['INITIAL_WINDOW_SIZE too large', flowControlError, () => settings(setting(0x4, 2 ** 31))],
    ['MAX_FRAME_SIZE too small', protocolError, () => settings(setting(0x5, 16_383))],
    ['MAX_FRAME_SIZE too large', protocolError, () => settings(setting(0x5, 2 ** 24))],
    [
      'a window that INITIAL_WINDOW_SIZE makes too large',
      flowControlError,
      () => Buffer.concat([frame(windowUpdate, 0, 1, uint32(2 ** 31 - 65_536)), settings(setting(0x4, 65_536))]),
    ],
    ['PUSH_PROMISE', protocolError, () => frame(pushPromise, Flag.endHeaders, 1, bytes(4))],
    ['PING on a stream', protocolError, () => frame(ping, 0, 1, bytes(8))],
    ['PING of a wrong length', frameSizeError, () => frame(ping, 0, 0, bytes(7))],
    ['GOAWAY on a stream', protocolError, () => frame(goaway, 0, 1, bytes(8))],
    ['GOAWAY too short', frameSizeError, () => frame(goaway, 0, 0, bytes(7))],
    ['WINDOW_UPDATE of 0 on the connection', protocolError, () => frame(windowUpdate, 0, 0, uint32(0))],
    ['WINDOW_UPDATE beyond 2^31-1', flowControlError, () => frame(windowUpdate, 0, 0, uint32(2 ** 31 - 1))],
    ['WINDOW_UPDATE on an idle stream', protocolError, () => frame(windowUpdate, 0, 7, uint32(1))],
    ['WINDOW_UPDATE of a wrong length', frameSizeError, () => frame(windowUpdate, 0, 0, bytes(5))],
    ['CONTINUATION without HEADERS', protocolError, () => frame(continuation, Flag.endHeaders, 1)],
    [
      'CONTINUATION of another stream',
      protocolError,
      () => Buffer.concat([frame(headers, 0, 7), frame(continuation, Flag.endHeaders, 9)]),
    ],
    [
      'anything between HEADERS and CONTINUATION',
      protocolError,
      () => Buffer.concat([frame(headers, 0, 7), frame(0x30, 0, 0)]),
    ],
    ['a frame above SETTINGS_MAX_FRAME_SIZE', frameSizeError, () => frame(data, 0, 1, bytes(16_385))],
  ])('ends the connection: %s', async (_what, code, attempt) => {
    await using server = await serveSome();
    const client = await prepared(server.port);

    client.send(attempt(client));

    expect(await client.goawayCode()).toBe(code);
  });

  it.each<[string, number, number, Attempt]>([
    ['DATA after END_STREAM', 3, streamClosed, () => frame(data, 0, 3)],
    ['DATA on a stream that is over', 5, streamClosed, () => frame(data, Flag.endStream, 5)],
    ['HEADERS after END_STREAM', 3, streamClosed, (client) => client.headers(3, [{ name: 'x', value: 'y' }])],
    ['trailers without END_STREAM', 1, protocolError, (client) => client.headers(1, [{ name: 'x', value: 'y' }], 0)],
    ['a pseudo-header in trailers', 1, protocolError, (client) => client.headers(1, [{ name: ':path', value: '/' }])],
    ['WINDOW_UPDATE of 0', 1, protocolError, () => frame(windowUpdate, 0, 1, uint32(0))],
    ['WINDOW_UPDATE beyond 2^31-1', 1, flowControlError, () => frame(windowUpdate, 0, 1, uint32(2 ** 31 - 1))],
    ['PRIORITY of a wrong length', 1, frameSizeError, () => frame(priority, 0, 1, bytes(4))],
    ['PRIORITY of a stream on itself', 1, protocolError, () => frame(priority, 0, 1, Buffer.from([0, 0, 0, 1, 1]))],
    [
      'a request that depends on itself',
      7,
      protocolError,
      (client) =>
        frame(
          headers,
          Flag.priority | Flag.endHeaders,
          7,
          Buffer.concat([uint32(7), bytes(1), client.block(requestFields())]),
        ),
    ],
    ['a malformed request', 7, protocolError, (client) => client.headers(7, [{ name: 'x', value: 'y' }])],
  ])('resets the stream, and the connection goes on: %s', async (_what, streamId, code, attempt) => {
    await using server = await serveSome();
    const client = await prepared(server.port);

    client.send(attempt(client));
    expect(await client.resetCode(streamId)).toBe(code);
    client.send(client.headers(9, requestFields('/ends')));

    await client.body(9);
    expect(client.of(goaway)).toEqual([]);
  });

  it.each<[string, Attempt]>([
    ['WINDOW_UPDATE on a stream that is over', () => frame(windowUpdate, 0, 5, uint32(1))],
    ['RST_STREAM on a stream that is over', () => frame(rstStream, 0, 5, bytes(4))],
    ['PRIORITY on an idle stream', () => frame(priority, 0, 21, bytes(5))],
    ['an unknown frame', () => frame(0x99, 0xff, 1, bytes(10))],
    ['an unknown setting', () => settings(setting(0x99, 1))],
    ['reserved bits', () => frame(windowUpdate, 0, 0x8000_0001, uint32(0x8000_0001))],
  ])('passes over %s', async (_what, attempt) => {
    await using server = await serveSome();
    const client = await prepared(server.port);

    client.send(attempt(client), client.headers(9, requestFields('/ends')));

    await client.body(9);
    expect([...client.of(goaway), ...client.of(rstStream)]).toEqual([]);
  });

  it('says of malformed trailers that they are, on a stream that was answered and reset before', async () => {
    await using server = await serve((stream) => stream.respondOnly(ok));
    const client = await RawClient.connect(server.port);
    client.send(client.headers(1, requestFields(), 0));
    expect(await client.resetCode(1)).toBe(ErrorCode.noError);

    client.send(client.headers(1, [{ name: ':path', value: '/' }]));

    await client.when(() => client.of(rstStream, 1).length === 2);
    expect(client.of(rstStream, 1).at(-1)?.payload).toEqual(uint32(protocolError));
  });
});
