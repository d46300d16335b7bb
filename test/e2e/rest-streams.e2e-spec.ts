import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { createGzip, gunzipSync } from 'node:zlib';
import {
  Controller,
  Get,
  Header,
  type MessageEvent,
  Module,
  type OnModuleInit,
  Post,
  Req,
  Res,
  Sse,
  StreamableFile,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Public } from 'rookery/auth';
import { type RequestEnd, requestEndChannel } from 'rookery/core';
import { Raw } from 'rookery/http';
import { startTestService, type TestService } from 'rookery/testing';
import { Observable } from 'rxjs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { openWeb, type WebRequest, type WebVersion } from '../support/grpc-web-caller.js';
import { ReferenceApp } from '../support/reference-app.js';

const line = 'a line that compresses well\n';
const lines = 5000;
let left: string[] = [];

@Controller('streams')
@Public()
class StreamsController {
  @Sse('events')
  events(): Observable<MessageEvent> {
    return new Observable((subscriber) => {
      subscriber.next({ data: { first: true }, id: '1' });
      return () => left.push('events');
    });
  }

  @Get('zipped')
  @Raw()
  @Header('content-encoding', 'gzip')
  zipped(): StreamableFile {
    const source = Readable.from(Array.from({ length: lines }, () => line));
    return new StreamableFile(source.pipe(createGzip()), { type: 'text/plain' });
  }

  @Get('large')
  large(): { texts: string[] } {
    return { texts: Array.from({ length: 1000 }, () => line) };
  }

  /** What a parser of multipart bodies does: the stream is piped into it. */
  @Post('parts')
  async parts(@Req() request: FastifyRequest): Promise<{ digest: string; complete: boolean }> {
    const hash = createHash('sha256');
    await pipeline(request.raw, hash);
    return { digest: hash.digest('hex'), complete: request.raw.complete };
  }

  @Post('broken')
  async broken(@Req() request: FastifyRequest): Promise<void> {
    left.push('begun');
    try {
      await pipeline(request.raw, createHash('sha256'));
      left.push('whole');
    } catch (error) {
      left.push(String((error as { code?: string }).code));
      throw error;
    }
  }

  @Get('piped')
  piped(@Res() reply: FastifyReply): void {
    reply.hijack();
    reply.raw.writeHead(200, { 'content-type': 'text/plain' });
    Readable.from(Array.from({ length: 1000 }, () => line)).pipe(reply.raw);
  }
}

/** Leaves multipart bodies to the handlers, as packages for uploads do. */
@Module({ controllers: [StreamsController] })
class StreamsModule implements OnModuleInit {
  constructor(private readonly host: HttpAdapterHost) {}

  onModuleInit(): void {
    const fastify = this.host.httpAdapter.getInstance<FastifyInstance>();
    fastify.addContentTypeParser('multipart/form-data', (_request, _payload, done) => done(null));
  }
}

let app: ReferenceApp;
let test: TestService;
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

afterEach(() => forget());

const multipart = { 'content-type': 'multipart/form-data; boundary=b' };

interface Answer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly bytes: Buffer;
}

const digestOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

describe.each<WebVersion>(['HTTP/1.1', 'HTTP/2'])('over %s', (version) => {
  async function ask(base: string, request: Omit<WebRequest, 'headers'> & Partial<WebRequest>): Promise<Answer> {
    const call = openWeb(version, new URL(base).host, { method: 'GET', headers: {}, ...request });
    call.body.end();
    const { status, headers } = await call.head;
    const chunks: Buffer[] = [];
    for await (const chunk of await call.stream) chunks.push(chunk as Buffer);
    return { status, headers, bytes: Buffer.concat(chunks) };
  }

  it('a file comes whole, in parts, and as headers alone', async () => {
    const sample = await readFile(join(app.files, 'sample.bin'));
    const path = '/api/v1/files/sample.bin';

    const whole = await ask(app.url, { path });
    const part = await ask(app.url, { path, headers: { range: 'bytes=1000-50999' } });
    const head = await ask(app.url, { path, method: 'HEAD' });
    const same = await ask(app.url, { path, headers: { 'if-none-match': String(whole.headers.etag) } });

    expect([whole.status, whole.headers['content-length'], digestOf(whole.bytes)]).toEqual([
      200,
      String(sample.length),
      digestOf(sample),
    ]);
    expect([part.status, part.headers['content-range']]).toEqual([206, `bytes 1000-50999/${sample.length}`]);
    expect(part.bytes.equals(sample.subarray(1000, 51_000))).toBe(true);
    expect([head.status, head.headers['content-length'], head.bytes.length]).toEqual([200, String(sample.length), 0]);
    expect([same.status, same.bytes.length]).toEqual([304, 0]);
  });

  it('events go out as they come, and end with their caller', async () => {
    const call = openWeb(version, new URL(test.url).host, { method: 'GET', path: '/streams/events', headers: {} });
    call.body.end();
    const { headers } = await call.head;
    const stream = await call.stream;
    let text = '';
    stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
    stream.on('error', () => {});
    await eventually('the first event has come', () => text.includes('data: {"first":true}'));

    expect(headers['content-type']).toBe('text/event-stream');
    expect(left).toEqual([]);
    call.abort();

    await eventually('the handler knows', () => left.length > 0);
    await eventually('the end is told', () => ends.length > 0);
    expect(ends.map(({ httpStatus, reason }) => [httpStatus, reason])).toEqual([[499, 'CANCELLED']]);
  });

  it('a stream that is compressed as it is made comes whole', async () => {
    const { status, headers, bytes } = await ask(test.url, { path: '/streams/zipped' });

    expect([status, headers['content-encoding'], headers['content-length']]).toEqual([200, 'gzip', undefined]);
    expect(gunzipSync(bytes).toString()).toBe(line.repeat(lines));
  });

  it('a large answer is compressed for who takes it so', async () => {
    const path = '/streams/large';
    const plain = await ask(test.url, { path });
    const zipped = await ask(test.url, { path, headers: { 'accept-encoding': 'gzip' } });

    expect([plain.headers['content-encoding'], zipped.headers['content-encoding']]).toEqual([undefined, 'gzip']);
    expect(zipped.bytes.length).toBeLessThan(plain.bytes.length / 10);
    expect(gunzipSync(zipped.bytes).equals(plain.bytes)).toBe(true);
  });

  it('an upload of unknown length is read while it comes', async () => {
    const pieces = Array.from({ length: 200 }, (_, index) => Buffer.alloc(20_000, index));
    const call = openWeb(version, new URL(test.url).host, { path: '/streams/parts', headers: multipart });
    for (const piece of pieces) if (!call.body.write(piece)) await once(call.body, 'drain');
    call.body.end();
    const chunks: Buffer[] = [];
    for await (const chunk of await call.stream) chunks.push(chunk as Buffer);

    expect(JSON.parse(Buffer.concat(chunks).toString())).toMatchObject({
      data: { digest: digestOf(Buffer.concat(pieces)), complete: true },
    });
  });

  it('an upload whose caller goes away ends with an error', async () => {
    const call = openWeb(version, new URL(test.url).host, {
      path: '/streams/broken',
      headers: { ...multipart, 'content-length': '1000000' },
    });
    call.body.on('error', () => {});
    call.body.write(Buffer.alloc(100_000));
    await eventually('the handler reads', () => left.length > 0);
    call.abort();

    await eventually('the handler knows', () => left.length > 1);
    expect(left).toEqual(['begun', expect.stringMatching(/^(ECONNRESET|ERR_STREAM_PREMATURE_CLOSE)$/)]);
    await eventually('the end is told', () => ends.length > 0);
    expect(ends.map(({ httpStatus }) => httpStatus)).toEqual([499]);
  });

  it('what is piped into the raw answer comes whole', async () => {
    const { status, headers, bytes } = await ask(test.url, { path: '/streams/piped' });

    expect([status, headers['content-type'], bytes.toString()]).toEqual([200, 'text/plain', line.repeat(1000)]);
  });
});
