import { once } from 'node:events';
import { connect } from 'node:http2';
import { describe, expect, it } from 'vitest';
import { ErrorCode } from './error-code.js';
import { Flag, FrameType } from './frame.js';
import { precompute } from './hpack/index.js';
import { Http2HeaderError } from './http2.errors.js';
import type { Http2Stream } from './http2-stream.js';
import type { Http2RequestHead } from './request-head.js';
import { frame, RawClient, requestFields, setting, settings, uint32 } from '../../../test/support/raw-http2-client.js';
import { answer, echo, listener, ok, serve } from '../../../test/support/raw-http2-server.js';

const data = (streamId: number, payload: Uint8Array, flags = 0): Buffer =>
  frame(FrameType.data, flags, streamId, payload);

describe('Http2Connection', () => {
  it('answers requests of one connection', async () => {
    await using server = await serve(answer);
    const client = await RawClient.connect(server.port);

    client.send(client.headers(1, requestFields('/one', {}, 'GET')), client.headers(3, requestFields('/three')));

    expect(String(await client.body(1))).toBe('GET /one');
    expect(String(await client.body(3))).toBe('POST /three');
    expect(client.decode(client.of(FrameType.headers, 1)[0]!)).toEqual({ ':status': '200' });
    await client.roundTrip();
    expect(client.of(FrameType.rstStream)).toEqual([]);
    expect(server.counters.streamsOpened).toBe(2);
    expect(server.connections[0]?.streams).toBe(0);
  });

  it('takes a request that comes one byte at a time', async () => {
    await using server = await serve(echo);
    const client = await RawClient.connect(server.port);
    client.socket.setNoDelay(true);

    const parts = [
      client.headers(1, requestFields(), 0),
      data(1, Buffer.from('hello')),
      data(1, Buffer.from('!'), Flag.endStream),
    ];
    for (const byte of Buffer.concat(parts)) client.send(Buffer.from([byte]));

    expect(String(await client.body(1))).toBe('hello!');
  });

  it('passes trailers both ways', async () => {
    await using server = await serve(echo);
    const client = await RawClient.connect(server.port);

    client.send(client.headers(1, requestFields(), 0), data(1, Buffer.from('x')));
    client.send(client.headers(1, [{ name: 'x-sum', value: '42' }], Flag.endStream));
    await client.body(1);

    const [head, trailers] = client.of(FrameType.headers, 1).map((each) => client.decode(each));
    expect(head).toEqual({ ':status': '200' });
    expect(trailers).toEqual({ 'x-sum': '42' });
  });

  describe('towards a client that says how many header fields it reads', () => {
    const field = (bytes: number): { name: string; value: string } => ({ name: 'x', value: 'v'.repeat(bytes - 33) });
    const maxHeaderList = 0x6;
    // ":status: 200" takes 42.
    const limit = 142;

    it.each<[string, (stream: Http2Stream, bytes: number) => void]>([
      ['headers', (stream, bytes) => (stream.respond([...ok, field(bytes - 42)]), stream.end())],
      ['headers without a body', (stream, bytes) => stream.respondOnly([...ok, field(bytes - 42)])],
      [
        'headers made beforehand',
        (stream, bytes) => (stream.respond(precompute([...ok, field(bytes - 42)])), stream.end()),
      ],
      ['trailers', (stream, bytes) => (stream.respond(ok), stream.end([field(bytes)], Buffer.from('x')))],
    ])('sends %s that it reads, and breaks off where they are more', async (_what, send) => {
      const errors: unknown[] = [];
      const onError = (error: unknown): void => void errors.push(error);
      await using server = await serve((stream, head) => send(stream, Number(head.path.slice(1))), {}, { onError });
      const client = await RawClient.connect(server.port, settings(setting(maxHeaderList, limit)));

      client.send(client.headers(1, requestFields(`/${limit}`)), client.headers(3, requestFields(`/${limit + 1}`)));

      await client.body(1);
      expect(client.of(FrameType.rstStream, 1)).toEqual([]);
      expect(await client.resetCode(3)).toBe(ErrorCode.internalError);
      expect(server.counters.answerFieldsTooLarge).toBe(1);
      expect(errors.map(String)).toEqual([expect.stringContaining(`${limit + 1} bytes (expected: <= ${limit}`)]);
      client.send(client.headers(5, requestFields(`/${limit}`)));
      await client.body(5);
      expect(client.of(FrameType.rstStream, 5)).toEqual([]);
    });
  });

  it('answers a request of a scheme that is not served with 400, and serves the next', async () => {
    await using server = await serve(answer);
    const client = await RawClient.connect(server.port);

    client.send(client.headers(1, requestFields('/', { ':scheme': 'coap' })), client.headers(3, requestFields()));
    await client.body(3);

    expect(client.decode(client.of(FrameType.headers, 1)[0]!)).toEqual({ ':status': '400' });
    expect(client.of(FrameType.rstStream)).toEqual([]);
    expect(server.counters.requestsMalformed).toBe(1);
  });

  it('sends interim answers before the answer', async () => {
    await using server = await serve((stream) => {
      stream.inform([{ name: ':status', value: '103' }]);
      stream.respondOnly([{ name: ':status', value: '204' }]);
      stream.inform([{ name: ':status', value: '103' }]);
    });
    const client = await RawClient.connect(server.port);

    client.send(client.headers(1, requestFields()));
    await client.body(1);

    const blocks = client
      .of(FrameType.headers, 1)
      .map((each) => [client.decode(each)[':status'], each.flags & Flag.endStream]);
    expect(blocks).toEqual([
      ['103', 0],
      ['204', 1],
    ]);
  });

  it('takes padding away, and priorities as read', async () => {
    await using server = await serve(echo);
    const client = await RawClient.connect(server.port);
    const block = client.block(requestFields());

    const padded = Buffer.concat([Buffer.from([3]), uint32(0), Buffer.from([7]), block, Buffer.alloc(3)]);
    client.send(frame(FrameType.headers, Flag.endHeaders | Flag.padded | Flag.priority, 1, padded));
    client.send(
      data(1, Buffer.from('\x02hi\0\0'), Flag.padded | Flag.endStream),
      frame(FrameType.priority, 0, 1, Buffer.alloc(5)),
    );

    expect(String(await client.body(1))).toBe('hi');
  });

  it('puts together header blocks of several frames, and splits its own', async () => {
    const long = 'v'.repeat(50_000);
    await using server = await serve(
      (stream, head) => {
        stream.respond([...ok, { name: 'x-long', value: head.headers.get('x-long') ?? '' }]);
        stream.end();
      },
      { maxHeaderListBytes: 100_000, maxHeaderBlockBytes: 100_000 },
    );
    const client = await RawClient.connect(server.port);
    const block = client.block(requestFields('/', { 'x-long': long }));

    client.send(frame(FrameType.headers, Flag.endStream, 1, block.subarray(0, 10)));
    client.send(frame(FrameType.continuation, 0, 1, block.subarray(10, 16_000)));
    for (let at = 16_000; at < block.length; at += 16_000) {
      const isLast = at + 16_000 >= block.length;
      client.send(frame(FrameType.continuation, isLast ? Flag.endHeaders : 0, 1, block.subarray(at, at + 16_000)));
    }
    await client.body(1);

    expect(block.length).toBeGreaterThan(20_000);
    const parts = [...client.of(FrameType.headers, 1), ...client.of(FrameType.continuation, 1)];
    expect(parts.map((each) => each.flags & Flag.endHeaders).filter((flag) => flag !== 0)).toHaveLength(1);
    expect(parts.length).toBeGreaterThan(2);
    const whole = { ...parts[0]!, payload: Buffer.concat(parts.map((each) => each.payload)) };
    expect(client.decode(whole)['x-long']).toBe(long);
  });

  it('answers too many fields with 431 and goes on', async () => {
    await using server = await serve(answer, { maxHeaderListBytes: 1024 });
    const client = await RawClient.connect(server.port);

    client.send(
      client.headers(1, requestFields('/', { 'x-long': 'v'.repeat(2000) })),
      client.headers(3, requestFields('/next')),
    );

    expect(String(await client.body(3))).toBe('POST /next');
    expect(client.decode(client.of(FrameType.headers, 1)[0]!)).toEqual({ ':status': '431' });
    expect(server.counters.headerListsTooLarge).toBe(1);
  });

  it('leaves the answer to too many fields to who wants it, with the fields that there is room for', async () => {
    const seen: string[] = [];
    const refuse = (stream: Http2Stream, head: Http2RequestHead): void => {
      const names = Array.from(head.headers, ([name]) => name);
      seen.push(`${head.method} ${head.path} ${names.join(' ')}`);
      stream.respond([{ name: ':status', value: '499' }]);
      stream.end(undefined, Buffer.from('too many'));
    };
    const limits = { maxHeaderListBytes: 1024, maxReadHeaderListBytes: 4096 };
    await using server = await serve(answer, limits, { onHeadersTooLarge: refuse });
    const client = await RawClient.connect(server.port);

    // The request is not over: who answers early says that nobody waits for the rest.
    client.send(
      client.headers(1, requestFields('/', { 'x-long': 'v'.repeat(2000), 'x-after': 'a' }), 0),
      client.headers(3, requestFields('/', { 'x-longer': 'v'.repeat(5000), 'x-beyond': 'a' })),
      client.headers(5, requestFields('/next')),
    );

    expect(String(await client.body(5))).toBe('POST /next');
    expect(String(await client.body(3))).toBe('too many');
    expect(await client.resetCode(1)).toBe(ErrorCode.noError);
    expect(seen).toEqual(['POST / x-long x-after', 'POST / ']);
    expect(server.counters.headerListsTooLarge).toBe(2);
  });

  it('resets a stream whose trailers have too many fields', async () => {
    await using server = await serve(answer, { maxHeaderListBytes: 1024 });
    const client = await RawClient.connect(server.port);

    client.send(client.headers(1, requestFields(), 0), client.headers(1, [{ name: 'x-sum', value: 'v'.repeat(2000) }]));

    expect(await client.resetCode(1)).toBe(ErrorCode.enhanceYourCalm);
    expect(server.counters.headerListsTooLarge).toBe(1);
  });

  it.each([
    ['more than content-length', '3', ['abcd']],
    ['less than content-length', '5', ['ab', 'cd']],
  ])('resets a request whose body is %s', async (_what, length, parts) => {
    const closed: number[] = [];
    await using server = await serve((stream) => stream.listen(listener({ onClose: (code) => closed.push(code) })));
    const client = await RawClient.connect(server.port);

    client.send(client.headers(1, requestFields('/', { 'content-length': length }), 0));
    client.send(...parts.map((part, i) => data(1, Buffer.from(part), i === parts.length - 1 ? Flag.endStream : 0)));

    expect(await client.resetCode(1)).toBe(ErrorCode.protocolError);
    expect(closed).toEqual([ErrorCode.protocolError]);
    expect(server.counters.requestsMalformed).toBe(1);
  });

  it('refuses streams beyond the limit', async () => {
    await using server = await serve(() => {}, { maxConcurrentStreams: 2 });
    const client = await RawClient.connect(server.port);

    client.send(...[1, 3, 5].map((id) => client.headers(id, requestFields())));

    expect(await client.resetCode(5)).toBe(ErrorCode.refusedStream);
    expect(server.connections[0]?.streams).toBe(2);
    expect(server.counters.streamsRefused).toBe(1);
  });

  it('ends what a caller still sends after the answer without an error', async () => {
    const closed: number[] = [];
    await using server = await serve((stream) => {
      stream.listen(listener({ onClose: (code) => closed.push(code) }));
      stream.respondOnly(ok);
    });
    const client = await RawClient.connect(server.port);

    client.send(client.headers(1, requestFields(), 0));
    expect(await client.resetCode(1)).toBe(ErrorCode.noError);
    client.send(data(1, Buffer.alloc(100)), client.headers(1, [{ name: 'late', value: 'x' }]));
    await client.roundTrip();

    expect(closed).toEqual([0]);
    expect(client.isClosed).toBe(false);
  });

  it('does not reset a caller whose end comes in the same turn as the answer', async () => {
    await using server = await serve((stream) => stream.respondOnly(ok));
    const client = await RawClient.connect(server.port);

    client.send(client.headers(1, requestFields(), 0), data(1, Buffer.from('x'), Flag.endStream));
    await client.body(1);
    await client.roundTrip();

    expect(client.of(FrameType.rstStream)).toEqual([]);
  });

  it('tells a listener of a reset by the caller, also one that comes late', async () => {
    const streams: Http2Stream[] = [];
    await using server = await serve((stream) => streams.push(stream));
    const client = await RawClient.connect(server.port);

    client.send(client.headers(1, requestFields(), 0), frame(FrameType.rstStream, 0, 1, uint32(ErrorCode.cancel)));
    await client.roundTrip();
    const closed: number[] = [];
    streams[0]?.listen(listener({ onClose: (code) => closed.push(code) }));

    expect(closed).toEqual([ErrorCode.cancel]);
    expect(streams[0]?.write(Buffer.from('x'))).toBe(true);
    streams[0]?.end();
    streams[0]?.reset(0);
    await client.roundTrip();
    expect(client.of(FrameType.data)).toEqual([]);
    expect(client.of(FrameType.rstStream)).toEqual([]);
  });

  it('resets the stream whose handler or listener throws, and says so', async () => {
    const failures: unknown[] = [];
    const onStream = (stream: Http2Stream): void => {
      if (stream.id === 1) throw 'handler';
      const fail = (): void => {
        throw 'listener';
      };
      stream.listen(listener({ onData: fail }));
    };
    await using server = await serve(onStream, {}, { onError: (error) => failures.push(error) });
    const client = await RawClient.connect(server.port);

    client.send(client.headers(1, requestFields()), client.headers(3, requestFields(), 0), data(3, Buffer.from('x')));

    expect(await client.resetCode(1)).toBe(ErrorCode.internalError);
    expect(await client.resetCode(3)).toBe(ErrorCode.internalError);
    expect(failures).toEqual(['handler', 'listener']);
  });

  it.each([
    ['an upper-case name', [...ok, { name: 'X-A', value: '1' }]],
    ['a line feed', [...ok, { name: 'x-a', value: 'a\nb' }]],
    ['a character beyond Latin-1', [...ok, { name: 'x-a', value: '\u20ac' }]],
    ['connection', [...ok, { name: 'connection', value: 'close' }]],
    ['a pseudo-header of requests', [...ok, { name: ':path', value: '/' }]],
    ['no status', [{ name: 'x-a', value: '1' }]],
    ['an interim status', [{ name: ':status', value: '100' }]],
  ])('refuses to send %s', async (_what, fields) => {
    let failure: unknown;
    await using server = await serve((stream) => {
      try {
        stream.respond(fields);
      } catch (error) {
        failure = error;
      }
      stream.respondOnly(ok);
    });
    const client = await RawClient.connect(server.port);

    client.send(client.headers(1, requestFields()));
    await client.body(1);

    expect(failure).toBeInstanceOf(Http2HeaderError);
    expect(client.of(FrameType.headers, 1)).toHaveLength(1);
  });

  it('sends fields that are always the same in front of those of one answer', async () => {
    const fixed = [...ok, { name: 'x-a', value: 'b' }];
    await using server = await serve((stream) => {
      stream.respondWith(fixed, [{ name: 'x-id', value: String(stream.id) }]);
      stream.end();
    });
    const client = await RawClient.connect(server.port);
    for (const id of [1, 3, 5, 7]) client.send(client.headers(id, requestFields()));
    await client.body(7);

    expect(client.of(FrameType.headers).map((each) => client.decode(each))).toEqual(
      ['1', '3', '5', '7'].map((id) => ({ ':status': '200', 'x-a': 'b', 'x-id': id })),
    );
  });

  it.each([
    ['what is always the same', [...ok, { name: 'x-a', value: '\n' }], []],
    ['the rest', ok, [{ name: 'X', value: 'b' }]],
  ])('refuses %s where HTTP/2 cannot carry it, each time', async (_what, fixed, fields) => {
    const failures: unknown[] = [];
    await using server = await serve((stream) => {
      try {
        stream.respondWith(fixed, fields);
      } catch (error) {
        failures.push(error);
        stream.respondOnly(ok);
      }
    });
    const client = await RawClient.connect(server.port);
    for (const id of [1, 3]) client.send(client.headers(id, requestFields()));
    await client.body(3);

    expect(failures).toEqual([expect.any(Http2HeaderError), expect.any(Http2HeaderError)]);
  });

  it('obeys a smaller header table before a precomputed block', async () => {
    const block = precompute([...ok, { name: 'x-a', value: 'b' }]);
    await using server = await serve((stream) => stream.respondOnly(block));
    const client = await RawClient.connect(server.port, settings(setting(0x1, 0)));

    client.send(client.headers(1, requestFields()), client.headers(3, requestFields()));
    await client.body(3);

    const [first, second] = client.of(FrameType.headers);
    expect(first!.payload[0]).toBe(0x20);
    expect(client.decode(first!)).toEqual({ ':status': '200', 'x-a': 'b' });
    expect(second!.payload).toEqual(block);
  });

  it('empties the header table when it was to be none in between', async () => {
    const fields = [...ok, { name: 'x-a', value: 'b' }];
    await using server = await serve((stream) => stream.respondOnly(fields));
    const client = await RawClient.connect(server.port);
    // Twice, so that the field is in the table.
    client.send(client.headers(1, requestFields()), client.headers(3, requestFields()));
    await client.body(3);

    client.send(settings(setting(0x1, 0), setting(0x1, 4096)), client.headers(5, requestFields()));
    await client.body(5);

    const blocks = client.of(FrameType.headers);
    // To 0, and to 4096.
    expect([...blocks[2]!.payload.subarray(0, 4)]).toEqual([0x20, 0x3f, 0xe1, 0x1f]);
    expect(blocks.map((each) => client.decode(each))).toEqual(blocks.map(() => ({ ':status': '200', 'x-a': 'b' })));
  });

  it('serves the client of Node, bodies large both ways', async () => {
    await using server = await serve(echo);
    const session = connect(`http://127.0.0.1:${server.port}`);
    const stream = session.request({ ':method': 'POST' });
    const body = Buffer.alloc(3_000_000, 'abcdefg');

    stream.end(body);
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk);

    expect(Buffer.concat(chunks).equals(body)).toBe(true);
    session.close();
    await once(session, 'close');
  });
});
