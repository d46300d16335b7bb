import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Controller, type MessageEvent, Module, Post, Query, Req, Sse, StreamableFile } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { currentSignal, type RequestEnd, requestEndChannel } from 'rookery/core';
import { Public } from 'rookery/auth';
import { Raw } from 'rookery/http';
import { startTestService, type TestService } from 'rookery/testing';
import { Observable } from 'rxjs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { http } from '../support/http-caller.js';
import { Http2Caller } from '../support/http2-caller.js';
import { ReferenceApp } from '../support/reference-app.js';

let left: string[] = [];

@Controller('streams')
@Public()
class StreamsController {
  /** Events without an end; says when nobody listens any more. */
  @Sse('events')
  events(): Observable<MessageEvent> {
    return new Observable((subscriber) => {
      subscriber.next({ data: { first: true } });
      return () => left.push('events');
    });
  }

  /** A line for each number, until `count` or until nobody reads. */
  @Post('numbers')
  async *numbers(@Query('count') count: string): AsyncGenerator<{ number: number }> {
    try {
      for (let number = 0; number < Number(count); number += 1) {
        yield { number };
        await new Promise((resolve) => setImmediate(resolve));
      }
    } finally {
      left.push(currentSignal().aborted ? 'numbers, aborted' : 'numbers');
    }
  }

  /** Sends back what comes while it comes. */
  @Post('mirror')
  @Raw()
  mirror(@Req() request: FastifyRequest): StreamableFile {
    return new StreamableFile(request.raw, { type: 'application/octet-stream' });
  }
}

@Module({ controllers: [StreamsController] })
class StreamsModule {}

let app: ReferenceApp;
let test: TestService;
let connection: Http2Caller;
let ends: RequestEnd[];
let forget: () => void;

beforeAll(async () => {
  app = await ReferenceApp.start();
  test = await startTestService(StreamsModule);
});

afterAll(async () => {
  await test.close();
  await app.close();
});

beforeEach(() => {
  left = [];
  ends = [];
  forget = requestEndChannel.subscribe((end) => ends.push(end));
});

afterEach(() => {
  forget();
  connection.close();
});

describe('a file over HTTP/2', () => {
  it('comes whole, in parts, and as headers alone', async () => {
    connection = await Http2Caller.connect(app.url);
    const sample = await readFile(join(app.files, 'sample.bin'));
    const file = { ':path': '/api/v1/files/sample.bin' };

    const whole = await connection.request(file);
    const part = await connection.request({ ...file, range: 'bytes=1000-50999' });
    const head = await connection.request({ ...file, ':method': 'HEAD' });
    const same = await connection.request({ ...file, 'if-none-match': String(whole.headers.etag) });

    expect([whole.status, createHash('sha256').update(whole.bytes).digest('hex')]).toEqual([
      200,
      createHash('sha256').update(sample).digest('hex'),
    ]);
    expect([part.status, part.headers['content-range']]).toEqual([206, `bytes 1000-50999/${sample.length}`]);
    expect(part.bytes.equals(sample.subarray(1000, 51_000))).toBe(true);
    expect([head.status, head.headers['content-length'], head.bytes.length]).toEqual([200, String(sample.length), 0]);
    expect([same.status, same.bytes.length]).toEqual([304, 0]);
  });

  it('has no part that is not there, and all of it where the part makes no sense', async () => {
    connection = await Http2Caller.connect(app.url);
    const { length } = await readFile(join(app.files, 'sample.bin'));
    const file = { ':path': '/api/v1/files/sample.bin', 'accept-encoding': 'gzip, br' };
    const head = { ...file, ':method': 'HEAD' };

    const behind = await connection.request({ ...file, range: `bytes=${length}-` });
    const behindHead = await connection.request({ ...head, range: `bytes=${length}-` });
    const senseless = await connection.request({ ...file, range: 'bytes=9-1' });
    const part = await connection.request({ ...file, range: 'bytes=-7' });
    const partHead = await connection.request({ ...head, range: 'bytes=-7' });

    expect([behind.status, behind.headers['content-range']]).toEqual([416, `bytes */${length}`]);
    // RFC 9110 section 14.2: a range is for GET alone.
    expect([behindHead.status, behindHead.bytes.length]).toEqual([200, 0]);
    expect([senseless.status, senseless.bytes.length]).toEqual([200, length]);
    expect([part.status, part.bytes.length, part.headers['content-encoding']]).toEqual([206, 7, undefined]);
    expect([partHead.status, partHead.bytes.length]).toEqual([200, 0]);
  });
});

describe('a stream over HTTP/2', () => {
  it('of events goes out as they come, and ends with its caller, not with the connection', async () => {
    connection = await Http2Caller.connect(test.url);
    const stream = connection.session.request({ ':path': '/streams/events' });
    const [headers] = (await once(stream, 'response')) as [Record<string, string>];
    stream.setEncoding('utf8');
    let text = '';
    stream.on('data', (chunk: string) => (text += chunk));
    await eventually('the first event has come', () => text.includes('data: {"first":true}'));

    expect(headers['content-type']).toBe('text/event-stream');
    expect(left).toEqual([]);
    stream.close();

    await eventually('the handler knows', () => left.length > 0);
    expect(left).toEqual(['events']);
    await eventually('the end is told', () => ends.length > 0);
    expect(ends.map(({ httpStatus, reason }) => [httpStatus, reason])).toEqual([[499, 'CANCELLED']]);
    expect((await connection.request({ ':method': 'POST', ':path': '/streams/numbers?count=1' })).status).toBe(201);
  });

  it('of lines comes whole, and is given up with its caller', async () => {
    connection = await Http2Caller.connect(test.url);

    const three = await connection.request({ ':method': 'POST', ':path': '/streams/numbers?count=3' });
    const stream = connection.session.request({ ':method': 'POST', ':path': '/streams/numbers?count=1000000000' });
    await once(stream, 'data');
    stream.close();

    expect(three.headers['content-type']).toBe('application/x-ndjson');
    expect(three.text).toBe('{"number":0}\n{"number":1}\n{"number":2}\n');
    await eventually('the handler knows', () => left.length > 1);
    expect(left).toEqual(['numbers', 'numbers, aborted']);
  });

  it('both ways at once holds no more than what is on its way', async () => {
    connection = await Http2Caller.connect(test.url);
    const stream = connection.session.request({ ':method': 'POST', ':path': '/streams/mirror' });
    const piece = Buffer.alloc(65_536, 'x');
    let received = 0;

    // The body goes on only when what was sent before has come back.
    for (let round = 1; round <= 32; round += 1) {
      stream.write(piece);
      while (received < round * piece.length) {
        const [chunk] = (await once(stream, 'data')) as [Buffer];
        received += chunk.length;
      }
    }
    stream.end();
    await once(stream, 'end');

    expect(received).toBe(32 * piece.length);
  });
});

describe('what is refused over HTTP/2', () => {
  it.each([
    ['headers that are too large', { 'x-large': 'a'.repeat(20_000) }, 431, 'HEADERS_TOO_LARGE'],
    ['CONNECT', { ':method': 'CONNECT', ':authority': 'elsewhere:443' }, 501, 'TUNNEL_NOT_OFFERED'],
  ])('%s: has an answer, security headers and one line', async (_what, headers, status, reason) => {
    connection = await Http2Caller.connect(test.url);

    const answer = await connection.request({ ...headers, 'x-request-id': 'mine' });

    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.text)).toMatchObject({ code: status, data: null, reason, requestId: 'mine' });
    expect(answer.headers).toMatchObject({ 'x-request-id': 'mine', 'x-content-type-options': 'nosniff' });
    await eventually('the end is told', () => ends.length > 0);
    expect(ends.map((end) => [end.context.requestId, end.httpStatus, end.reason])).toEqual([['mine', status, reason]]);
  });

  it('as a gRPC call with headers that are too large has status 8, and one line', async () => {
    connection = await Http2Caller.connect(app.url);

    const answer = await connection.request({
      ':method': 'POST',
      ':path': '/user.service.v1.UserService/GetUser',
      'content-type': 'application/grpc',
      'x-request-id': 'mine',
      'x-large': 'a'.repeat(20_000),
    });

    expect([answer.status, answer.headers['grpc-status']]).toEqual([200, '8']);
    await eventually('the end is told', () => ends.length > 0);
    expect(ends.map(({ context, status, reason }) => [context.operation, status, reason])).toEqual([
      ['user.service.v1.UserService/GetUser', 8, 'HEADERS_TOO_LARGE'],
    ]);
  });

  it('is the same for who asks for problem documents', async () => {
    connection = await Http2Caller.connect(test.url);
    const asked = { accept: 'application/problem+json', 'x-large': 'a'.repeat(20_000) };

    const answer = await connection.request(asked);

    expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
    expect(JSON.parse(answer.text)).toMatchObject({ status: 431, reason: 'HEADERS_TOO_LARGE' });
    expect((await http(test.url, { path: '/health/live' })).status).toBe(200);
  });
});
