import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:http2';
import { join } from 'node:path';
import { create, toBinary } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ChatService } from '../../src/gen/chat/service/v1/chat_pb.js';
import { FileService } from '../../src/gen/file/service/v1/file_pb.js';
import { LogEntrySchema, LogService } from '../../src/gen/log/service/v1/log_pb.js';
import { expectError } from '../support/envelopes.js';
import { eventually } from '../support/eventually.js';
import { frame, rawStream } from '../support/grpc-calls.js';
import { GrpcCaller, methodOf, type OpenCall } from '../support/grpc-caller.js';
import { http } from '../support/http-caller.js';
import { ReferenceApp } from '../support/reference-app.js';
import { signTestToken } from 'rookery/testing';

const chunkBytes = 65_536;
const download = methodOf(FileService, 'Download');
const upload = methodOf(LogService, 'Upload');
const join_ = methodOf(ChatService, 'Join');
let app: ReferenceApp;
let sample: Buffer;
let sha256: string;

beforeAll(async () => {
  app = await ReferenceApp.start({ 'chat.queueSize': 8, 'logs.batchSize': 10 });
  sample = await readFile(join(app.files, 'sample.bin'));
  sha256 = createHash('sha256').update(sample).digest('base64');
});

afterAll(async () => {
  await eventually('nothing is in flight', () => app.inFlight === 0);
  await app.close();
});

interface Part {
  readonly offset?: string;
  readonly data?: string;
  readonly sha256?: string;
  readonly totalSize?: string;
}

describe('a download', () => {
  it('comes in parts of 64 KiB and ends with the checksum', async () => {
    const { messages, failure } = await app.caller.call(download, [{ name: 'sample.bin' }]);
    const parts = messages as readonly Part[];
    const data = parts.map((part) => Buffer.from(part.data ?? '', 'base64'));

    expect(failure).toBeUndefined();
    expect(Buffer.concat(data).equals(sample)).toBe(true);
    expect(data.slice(0, -2).every((part) => part.length === chunkBytes)).toBe(true);
    expect(parts.map(({ offset }) => Number(offset ?? 0))).toEqual(
      data.map((_, index) => data.slice(0, index).reduce((sum, part) => sum + part.length, 0)),
    );
    expect(parts.slice(0, -1).every((part) => part.sha256 === undefined)).toBe(true);
    expect(parts.at(-1)).toEqual({ offset: String(sample.length), sha256, totalSize: String(sample.length) });
  });

  it.each([1, chunkBytes, 1_000_003])('goes on from offset %i, with the checksum of the whole', async (offset) => {
    const { messages } = await app.caller.call(download, [{ name: 'sample.bin', offset: String(offset) }]);
    const parts = messages as readonly Part[];

    expect(
      Buffer.concat(parts.map((part) => Buffer.from(part.data ?? '', 'base64'))).equals(sample.subarray(offset)),
    ).toBe(true);
    expect(Number(parts[0]?.offset)).toBe(offset);
    expect(parts.at(-1)?.sha256).toBe(sha256);
  });

  it('that is broken off can be gone on with', async () => {
    const { call, ended } = app.caller.open(download);
    call.write({ name: 'sample.bin' });
    call.end();
    const first: Buffer[] = [];
    for await (const part of call as AsyncIterable<Part>) {
      first.push(Buffer.from(part.data ?? '', 'base64'));
      if (first.length === 3) break;
    }
    call.cancel();
    await ended;
    const offset = first.reduce((sum, part) => sum + part.length, 0);
    const rest = await app.caller.call(download, [{ name: 'sample.bin', offset: String(offset) }]);
    const parts = rest.messages as readonly Part[];
    const whole = Buffer.concat([...first, ...parts.map((part) => Buffer.from(part.data ?? '', 'base64'))]);

    expect(createHash('sha256').update(whole).digest('base64')).toBe(parts.at(-1)?.sha256);
  });

  it.each([
    [{ name: 'none.bin' }, 'NOT_FOUND', 'FILE_NOT_FOUND'],
    [{ name: '../package.json' }, 'INVALID_ARGUMENT', 'VALIDATION_FAILED'],
    [{ name: 'sample.bin', offset: '99999999' }, 'OUT_OF_RANGE', 'FILE_OFFSET_OUT_OF_RANGE'],
    [{ name: 'sample.bin', offset: '-1' }, 'INVALID_ARGUMENT', 'VALIDATION_FAILED'],
  ])('of %j is refused', async (request, status, reason) => {
    const { failure, messages } = await app.caller.call(download, [request]);

    expect([failure?.status, failure?.reason, messages]).toEqual([status, reason, []]);
  });
});

describe('a file on REST', () => {
  const path = '/api/v1/files/sample.bin';

  it('comes whole, as it is', async () => {
    const answer = await http(app.url, { path, headers: { 'accept-encoding': 'gzip' } });

    expect(answer.status).toBe(200);
    expect(answer.bytes.equals(sample)).toBe(true);
    expect(answer.headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-length': String(sample.length),
      'accept-ranges': 'bytes',
      etag: expect.stringMatching(/^"[^"]+"$/) as unknown,
    });
    expect(answer.headers['content-encoding']).toBeUndefined();
  });

  it.each([
    ['bytes=0-99', 0, 100],
    ['bytes=100-', 100, undefined],
    ['bytes=-50', -50, undefined],
    ['bytes=1048576-99999999', 1_048_576, undefined],
  ])('comes in the range %s', async (range, start, end) => {
    const answer = await http(app.url, { path, headers: { range } });
    const expected = sample.subarray(start, end);
    const from = start < 0 ? sample.length + start : start;

    expect(answer.status).toBe(206);
    expect(answer.bytes.equals(expected)).toBe(true);
    expect(answer.headers['content-range']).toBe(`bytes ${from}-${from + expected.length - 1}/${sample.length}`);
  });

  it('is refused where the range begins behind the end', async () => {
    const answer = await http(app.url, { path, headers: { range: 'bytes=99999999-' } });

    expect(answer.status).toBe(416);
    expect(answer.headers['content-range']).toBe(`bytes */${sample.length}`);
    expect(answer.json).toMatchObject({ code: 416, data: null });
  });

  it.each(['bytes=5-1', 'bytes=', 'lines=1-2', 'bytes=0-1,5-6'])(
    'comes whole where the range is to be ignored: %s',
    async (range) => {
      expect((await http(app.url, { path, headers: { range } })).status).toBe(200);
    },
  );

  it('is not sent again to who has it', async () => {
    const { headers } = await http(app.url, { method: 'HEAD', path });
    const again = await http(app.url, { path, headers: { 'if-none-match': String(headers.etag) } });
    const changed = await http(app.url, { path, headers: { range: 'bytes=0-9', 'if-range': '"another"' } });

    expect(headers['content-length']).toBe(String(sample.length));
    expect([again.status, again.bytes.length]).toEqual([304, 0]);
    expect([changed.status, changed.bytes.length]).toEqual([200, sample.length]);
  });

  it.each(['/api/v1/files/..%2f..%2fpackage.json', '/api/v1/files/.hidden', '/api/v1/files/%00'])(
    'with a name that is a path is refused: %s',
    async (each) => {
      expect((await http(app.url, { path: each })).status).toBe(400);
    },
  );

  it('that is not there is not found', async () => {
    expectError(await http(app.url, { path: '/api/v1/files/none.bin' }), 404, {
      reason: 'FILE_NOT_FOUND',
      message: 'file none.bin not found',
    });
  });
});

describe('an upload of log entries', () => {
  const token = signTestToken({ sub: 'uploader', scope: 'logs:write logs:read' });
  const stored = async (source: string): Promise<unknown[]> => {
    const answer = await http(app.url, { path: `/api/v1/logs?pageSize=100&source=${source}`, token });
    return (answer.json as { data: { entries: unknown[] } }).data.entries;
  };

  it('is answered by a summary, and all entries are in the database', async () => {
    const entries = Array.from({ length: 25 }, (_, index) => ({
      source: 'web',
      level: index % 5 === 0 ? 'error' : 'info',
      message: `line ${index}`,
      time: new Date(Date.UTC(2026, 0, 1, 0, 0, index)).toISOString(),
    }));
    const { messages, failure } = await app.caller.call(upload, entries, { token });
    const rows = (await stored('web')) as { message: string; time: string }[];

    expect(failure).toBeUndefined();
    expect(messages).toEqual([
      {
        accepted: '25',
        acceptedByLevel: { error: '5', info: '20' },
        firstTime: '2026-01-01T00:00:00Z',
        lastTime: '2026-01-01T00:00:24Z',
      },
    ]);
    expect(rows.map(({ message }) => message)).toEqual(entries.map(({ message }) => message).reverse());
  });

  it('with one wrong entry is refused by its place, and stores nothing', async () => {
    const entries = Array.from({ length: 25 }, (_, index) => ({
      source: 'bad',
      level: index === 20 ? 'loud' : 'info',
      message: 'x',
    }));
    const { failure } = await app.caller.call(upload, entries, { token });

    expect(failure).toMatchObject({
      status: 'INVALID_ARGUMENT',
      reason: 'VALIDATION_FAILED',
      violations: [{ field: '[20].level', reason: 'IS_IN' }],
    });
    expect(await stored('bad')).toEqual([]);
  });

  // Not by the client's own cancel(): Node's HTTP/2 client ends a request before it resets it, and a request whose end has
  // arrived is whole.
  it('that breaks off half way stores nothing', async () => {
    const session = connect(app.url);
    session.on('error', () => {});
    const stream = rawStream(session, upload, { authorization: `Bearer ${token}` });
    stream.on('error', () => {});
    const entry = create(LogEntrySchema, { source: 'gone', level: 'info', message: 'x' });
    for (let count = 0; count < 25; count += 1) stream.write(frame(toBinary(LogEntrySchema, entry)));
    await eventually('the call is served', () => app.inFlight > 0);
    session.destroy();
    await eventually('nothing is in flight', () => app.inFlight === 0);

    expect(await stored('gone')).toEqual([]);
  });
});

describe('a chat', () => {
  const member = (name: string, caller: GrpcCaller = app.caller): OpenCall =>
    caller.open(join_, { token: signTestToken({ sub: name }) });
  const say = (name: string, text: string): object => ({
    kind: 'KIND_MESSAGE',
    room: 'r',
    sender: name,
    text,
    sentAt: expect.any(String) as unknown,
  });

  it('tells everybody in the room what is said, who comes and who goes', async () => {
    const alice = member('alice');
    alice.call.write({ room: 'r' });
    const [welcome] = (await once(alice.call, 'data')) as [unknown];
    const heard: unknown[] = [];
    alice.call.on('data', (event) => heard.push(event));
    const bob = member('bob');
    bob.call.write({ room: 'r', text: 'hi' });
    await eventually('alice has heard it', () => heard.length === 2);
    alice.call.write({ text: 'hello' });
    bob.call.resume();
    await eventually('alice has heard herself', () => heard.length === 3);
    bob.call.end();
    await bob.ended;
    await eventually('alice knows that bob has gone', () => heard.length === 4);
    alice.call.end();
    const { failure } = await alice.ended;

    expect(failure).toBeUndefined();
    expect(welcome).toMatchObject({ kind: 'KIND_JOINED', sender: 'alice' });
    expect(heard).toEqual([
      expect.objectContaining({ kind: 'KIND_JOINED', sender: 'bob' }),
      say('bob', 'hi'),
      say('alice', 'hello'),
      expect.objectContaining({ kind: 'KIND_LEFT', sender: 'bob' }),
    ]);
  });

  it('goes on for the others while one reads slowly, who then learns how much it missed', async () => {
    // A connection of its own, whose windows the slow reader alone fills.
    const slowCaller = new GrpcCaller(app.test.address);
    const slow = member('slow', slowCaller);
    slow.call.write({ room: 'r' });
    await once(slow.call, 'data');
    slow.call.pause();
    const fast = member('fast');
    let heard = 0;
    fast.call.on('data', ({ text }: { text?: string }) => {
      if (text !== undefined) heard += 1;
    });
    const text = 'x'.repeat(4000);
    fast.call.write({ room: 'r' });
    // One at a time, so that the fast reader misses nothing: it is the slow one's queue that overflows.
    for (let count = 1; count <= 500; count += 1) {
      fast.call.write({ text });
      if (count % 4 === 0) await eventually(`message ${count} is heard`, () => heard >= count);
    }
    const missed: number[] = [];
    slow.call.on('data', (event: { kind: string; missed?: string }) => {
      if (event.kind === 'KIND_MISSED') missed.push(Number(event.missed));
    });
    slow.call.resume();
    await eventually('the slow reader is told', () => missed.length > 0);
    fast.call.end();
    slow.call.end();
    const [, slowEnd] = await Promise.all([fast.ended, slow.ended]);
    slowCaller.close();

    expect(heard).toBe(500);
    expect(slowEnd.failure).toBeUndefined();
    expect(missed.every((count) => count > 0)).toBe(true);
  });

  it('is closed to who names no room', async () => {
    const { call, ended } = member('nobody');
    call.write({ text: 'hi' });
    call.resume();

    expect(await ended).toMatchObject({
      failure: { status: 'INVALID_ARGUMENT', reason: 'VALIDATION_FAILED', violations: [{ field: 'room' }] },
    });
    call.end();
  });

  it('is closed to who has no token', async () => {
    const { failure } = await app.caller.call(join_, [{ room: 'r' }]);

    expect(failure).toMatchObject({ status: 'UNAUTHENTICATED', reason: 'TOKEN_MISSING' });
  });
});
