import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { brotliCompressSync, createBrotliCompress, createDeflate, createGzip, deflateSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FrameType } from '../../src/framework/http2/frame.js';
import { Attacker } from '../support/attacker.js';
import { eventually } from '../support/eventually.js';
import { http } from '../support/http-caller.js';
import { Http2Caller } from '../support/http2-caller.js';
import { PatientClient } from '../support/patient-client.js';
import { frame } from '../support/raw-http2-client.js';
import { inUse } from '../support/service-figures.js';
import { TrialProcess } from '../support/trial-process.js';

const order = { title: 'a', tags: ['bb', 'cc'] };
const bytes = Buffer.from(JSON.stringify(order));
const path = '/trial/orders';
const type = { 'content-type': 'application/json' };
const mebibyte = 1_048_576;

let service: TrialProcess;
let url: string;
let caller: Http2Caller;

beforeAll(async () => {
  service = await TrialProcess.start({ ROOKERY_LOG__LEVEL: 'silent' });
  url = `http://127.0.0.1:${service.port}`;
  caller = await Http2Caller.connect(url);
}, 60_000);

afterAll(async () => {
  caller.close();
  expect(await service.stop()).toBe(0);
});

interface Answer {
  readonly status: number;
  readonly reason: unknown;
  readonly data: unknown;
}

/** What both versions of HTTP answer, which is the same. */
async function post(coding: string, body: Buffer): Promise<Answer> {
  const headers = { ...type, 'content-encoding': coding };
  const answers = [
    await http(url, { method: 'POST', path, headers, body }),
    // Without a length, as most clients send what they code while they send it.
    await http(url, { method: 'POST', path, headers: { ...headers, 'transfer-encoding': 'chunked' }, body }),
    await caller.request({ ':method': 'POST', ':path': path, ...headers, 'content-length': `${body.length}` }, body),
    await caller.request({ ':method': 'POST', ':path': path, ...headers }, body),
  ].map(({ status, text }) => {
    const { reason, data } = JSON.parse(text) as { reason?: unknown; data?: unknown };
    return { status, reason, data };
  });
  for (const answer of answers) expect(answer).toEqual(answers[0]);
  return answers[0] as Answer;
}

describe('a body with a content coding', () => {
  it.each([
    ['br', brotliCompressSync],
    ['gzip', gzipSync],
    ['x-gzip', gzipSync],
    ['GZip', gzipSync],
    ['deflate', deflateSync],
    ['identity', Buffer.from],
  ] as const)('is read as if it had none: %s', async (coding, code) => {
    expect(await post(coding, code(bytes))).toMatchObject({ status: 201, data: order });
  });

  it.each([
    ['that is none', 'gzip', bytes, 400, 'MALFORMED_BODY'],
    ['of another', 'br', gzipSync(bytes), 400, 'MALFORMED_BODY'],
    ['that ends too early', 'gzip', gzipSync(bytes).subarray(0, -9), 400, 'MALFORMED_BODY'],
    ['with more behind it', 'br', Buffer.concat([brotliCompressSync(bytes), bytes]), 400, 'MALFORMED_BODY'],
    ['with more behind it', 'deflate', Buffer.concat([deflateSync(bytes), bytes]), 400, 'MALFORMED_BODY'],
    ['with a zero behind it', 'gzip', Buffer.concat([gzipSync(bytes), Buffer.alloc(1)]), 400, 'MALFORMED_BODY'],
    ['around what is not JSON', 'deflate', deflateSync('{'), 400, 'MALFORMED_BODY'],
    ['around too much', 'br', brotliCompressSync(Buffer.alloc(mebibyte + 1, 0x20)), 413, 'REQUEST_TOO_LARGE'],
    ['around too many elements', 'gzip', gzipSync(`[${'0,'.repeat(200_000)}0]`), 413, 'TOO_MANY_ELEMENTS'],
    ['twice', 'gzip, gzip', gzipSync(gzipSync(bytes)), 415, 'UNSUPPORTED_CONTENT_ENCODING'],
    ['that nobody knows', 'compress', bytes, 415, 'UNSUPPORTED_CONTENT_ENCODING'],
    ['around nothing', 'gzip', gzipSync(''), 400, 'VALIDATION_FAILED'],
    ['and no bytes', 'gzip', Buffer.alloc(0), 400, 'VALIDATION_FAILED'],
  ] as const)('is refused: %s', async (_, coding, body, status, reason) => {
    expect(await post(coding, body)).toMatchObject({ status, reason });
  });

  it('is refused as soon as it is longer than a body may be', async () => {
    const headers = { ...type, 'content-encoding': 'gzip', 'content-length': String(mebibyte + 1) };

    const { status, text } = await http(url, { method: 'POST', path, headers, body: Buffer.alloc(mebibyte + 1) });

    expect(status).toBe(413);
    expect(JSON.parse(text)).toMatchObject({ reason: 'REQUEST_TOO_LARGE' });
  });

  it.each(['compress', 'gzip'])('is no matter where there is no body: %s', async (coding) => {
    const headers = { 'content-encoding': coding };
    const get = { ':method': 'GET', ':path': '/trial/context' };

    const answers = [
      await http(url, { path: '/trial/context', headers }),
      await caller.request({ ...get, ...headers }),
      await caller.request(get),
    ];

    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
  });

  it('is no matter where there is no route', async () => {
    const headers = { ...type, 'content-encoding': 'gzip' };

    const { status } = await http(url, { method: 'POST', path: '/nowhere', headers, body: bytes });

    expect(status).toBe(404);
  });
});

/** Code whose output is a mebibyte, all of which can be decoded already, and which does not end. */
async function unfinished(stream: ReturnType<typeof createGzip>): Promise<Buffer> {
  const pieces: Buffer[] = [];
  stream.on('data', (piece: Buffer) => pieces.push(piece));
  stream.write(`{"title":"${'a'.repeat(mebibyte - 100)}`);
  stream.flush();
  await once(stream, 'data');
  await new Promise((resolve) => setTimeout(resolve, 50));
  stream.destroy();
  return Buffer.concat(pieces);
}

function residentMib(): number {
  const [, kib = ''] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${service.pid}/status`, 'utf8')) ?? [];
  return Number(kib) / 1024;
}

describe('halves of coded bodies', () => {
  it.each([
    ['br', createBrotliCompress],
    ['gzip', createGzip],
    ['deflate', createDeflate],
  ] as const)(
    'take no more memory than their bytes, and nobody waits: %s',
    { timeout: 120_000 },
    async (coding, make) => {
      const half = await unfinished(make());
      const patient = await PatientClient.connect(url);
      await patient.ask(20);
      const alone = await patient.ask(20);
      const beforeMib = residentMib();
      const attackers = ['127.0.0.2', '127.0.0.3'].map((address) => new Attacker(address, service.port));

      for (const attacker of attackers) {
        for (let count = 0; count < 2; count += 1) {
          const client = await attacker.streams(200, path, { ...type, 'content-encoding': coding });
          for (let at = 0; at < 200; at += 1) client.send(frame(FrameType.data, 0, 2 * at + 1, half));
        }
        const head = `POST ${path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-encoding: ${coding}\r\n`;
        await attacker.connections(
          100,
          Buffer.concat([Buffer.from(`${head}content-length: ${half.length + 1}\r\n\r\n`), half]),
        );
      }
      await eventually('they have come', async () => (await inUse(url, 'waiting')) >= 800);
      const under = await patient.ask(20);
      const thenMib = residentMib();

      for (const attacker of attackers) attacker.close();
      patient.close();
      process.stdout.write(
        `${coding}, ${half.length} bytes each: p99 ${under.p99Ms.toFixed(1)} ms, alone ${alone.p99Ms.toFixed(1)} ms; ` +
          `memory ${beforeMib.toFixed(0)} MiB before, ${thenMib.toFixed(0)} MiB then\n`,
      );
      expect(under.failures).toEqual([]);
      expect(under.p99Ms).toBeLessThan(Math.max(4 * alone.p99Ms, 500));
      expect(thenMib - beforeMib).toBeLessThan(128);
      await eventually('nothing is in use', async () => (await inUse(url, 'bytes')) === 0);
    },
  );
});
