import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openResources, startTestService, type TestService, untilReleased } from 'rookery/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FileService } from '../../src/gen/file/service/v1/file_pb.js';
import { AppModule } from '../../src/service/app.module.js';
import { GrpcCaller, methodOf } from '../support/grpc-caller.js';
import { http } from '../support/http-caller.js';
import { temporaryFolder, type TemporaryFolder } from '../support/temporary-folder.js';

const before = openResources();
const sampleSize = 1_048_613;
let folder: TemporaryFolder;
let test: TestService;
let caller: GrpcCaller;
let sample: Buffer;

beforeAll(async () => {
  folder = await temporaryFolder();
  test = await startTestService(AppModule, { set: { 'files.directory': folder.path, 'files.seed': true } });
  caller = new GrpcCaller(test.address);
  await writeFile(join(folder.path, 'large.json'), JSON.stringify(Array.from({ length: 5000 }, (_, index) => index)));
  sample = (await http(test.url, { path: '/api/v1/files/sample.bin' })).bytes;
});

afterAll(async () => {
  caller.close();
  await test.close();
  await folder.remove();
  await untilReleased(before);
});

describe('GET /api/v1/files/:name', () => {
  it('sends the file as it is', async () => {
    const { status, headers, text } = await http(test.url, { path: '/api/v1/files/welcome.txt' });

    expect({ status, text }).toEqual({ status: 200, text: 'Welcome to Rookery.\n' });
    expect(headers).toMatchObject({
      'content-type': 'text/plain; charset=utf-8',
      'content-length': '20',
      'content-disposition': `attachment; filename="welcome.txt"; filename*=UTF-8''welcome.txt`,
      'accept-ranges': 'bytes',
      'x-content-type-options': 'nosniff',
    });
    expect(sample).toHaveLength(sampleSize);
  });

  it('tells all of it but the content to HEAD', async () => {
    const { status, headers, bytes } = await http(test.url, { method: 'HEAD', path: '/api/v1/files/sample.bin' });

    expect({ status, length: headers['content-length'], received: bytes.length }).toEqual({
      status: 200,
      length: String(sampleSize),
      received: 0,
    });
    expect(headers.etag).toMatch(/^"[0-9a-f-]+"$/);
  });

  it('gives back the whole from parts', async () => {
    const parts: Buffer[] = [];
    for (const range of ['bytes=0-99999', 'bytes=100000-1000000', 'bytes=-48612']) {
      const { status, headers, bytes } = await http(test.url, { path: '/api/v1/files/sample.bin', headers: { range } });
      expect(status).toBe(206);
      expect(headers['content-length']).toBe(String(bytes.length));
      parts.push(bytes);
    }

    expect(Buffer.concat(parts).equals(sample)).toBe(true);
  });

  it('never compresses: the positions are those of the file', async () => {
    const headers = { 'accept-encoding': 'gzip, br' };
    const whole = await http(test.url, { path: '/api/v1/files/large.json', headers });
    const part = await http(test.url, {
      path: '/api/v1/files/large.json',
      headers: { ...headers, range: 'bytes=0-19999' },
    });

    expect(whole.headers['content-encoding']).toBeUndefined();
    expect(whole.headers['content-length']).toBe(String(whole.bytes.length));
    expect(part.bytes.equals(whole.bytes.subarray(0, 20_000))).toBe(true);
  });

  it('answers 304 to who has it, and 416 with the size to who asks for what lies behind', async () => {
    const { headers } = await http(test.url, { method: 'HEAD', path: '/api/v1/files/welcome.txt' });
    const same = await http(test.url, {
      path: '/api/v1/files/welcome.txt',
      headers: { 'if-none-match': String(headers.etag) },
    });
    const behind = await http(test.url, { path: '/api/v1/files/welcome.txt', headers: { range: 'bytes=20-' } });

    expect({ status: same.status, text: same.text, etag: same.headers.etag }).toEqual({
      status: 304,
      text: '',
      etag: headers.etag,
    });
    expect({ status: behind.status, range: behind.headers['content-range'] }).toEqual({
      status: 416,
      range: 'bytes */20',
    });
    expect(behind.json).toMatchObject({ code: 416, data: null, reason: 'FILE_RANGE_NOT_SATISFIABLE' });
  });

  it.each([
    ['/api/v1/files/none', 404, 'FILE_NOT_FOUND'],
    ['/api/v1/files/..%2F..%2Fpackage.json', 400, 'VALIDATION_FAILED'],
    ['/api/v1/files/%2e%2e', 400, 'VALIDATION_FAILED'],
    ['/api/v1/files/..%5Cpackage.json', 400, 'VALIDATION_FAILED'],
    ['/api/v1/files/welcome.txt%00.png', 400, 'VALIDATION_FAILED'],
  ])('refuses %s', async (path, status, reason) => {
    const answer = await http(test.url, { path });

    expect(answer.status).toBe(status);
    expect(answer.json).toMatchObject({ reason });
  });
});

describe('FileService/Download', () => {
  const download = methodOf(FileService, 'Download');

  interface Part {
    readonly offset?: string;
    readonly data?: string;
    readonly sha256?: string;
    readonly totalSize: string;
  }

  it.each([0, 65_536, 1_000_000, sampleSize])('sends the file from byte %i on, and its checksum', async (offset) => {
    const { messages, failure } = await caller.call(download, [{ name: 'sample.bin', offset }]);
    const parts = messages as unknown as Part[];
    const bytes = Buffer.concat(parts.map(({ data = '' }) => Buffer.from(data, 'base64')));

    expect(failure).toBeUndefined();
    expect(bytes.equals(sample.subarray(offset))).toBe(true);
    expect(Math.max(...parts.map(({ data = '' }) => Buffer.from(data, 'base64').length))).toBeLessThanOrEqual(65_536);
    expect(parts.filter(({ sha256 }) => sha256 !== undefined)).toEqual([
      {
        offset: String(sampleSize),
        totalSize: String(sampleSize),
        sha256: createHash('sha256').update(sample).digest('base64'),
      },
    ]);
    expect(parts.at(-1)?.sha256).toBeDefined();
  });

  it.each([
    [{ name: 'none' }, 'NOT_FOUND', 'FILE_NOT_FOUND'],
    [{ name: '../secret' }, 'INVALID_ARGUMENT', 'VALIDATION_FAILED'],
    [{ name: 'sample.bin', offset: -1 }, 'INVALID_ARGUMENT', 'VALIDATION_FAILED'],
    [{ name: 'sample.bin', offset: sampleSize + 1 }, 'OUT_OF_RANGE', 'FILE_OFFSET_OUT_OF_RANGE'],
  ])('refuses %j', async (message, status, reason) => {
    const { messages, failure } = await caller.call(download, [message]);

    expect(messages).toEqual([]);
    expect(failure).toMatchObject({ status, reason });
  });

  it('reads no further than a caller who does not read, and lets go of the file when the caller goes', async () => {
    await writeFile(join(folder.path, 'huge.bin'), Buffer.alloc(64 * 1_048_576));
    const rss = process.memoryUsage().rss;
    const { call, ended } = caller.open(download);
    call.write({ name: 'huge.bin' });
    call.end();
    for await (const _ of call) break;

    expect(process.memoryUsage().rss - rss).toBeLessThan(48 * 1_048_576);
    call.cancel();
    expect((await ended).failure?.status).toBe('CANCELLED');
  });
});
