import { gzipSync } from 'node:zlib';
import { fromBinary } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GrpcCaller, methodOf, pathOf } from '../support/grpc-caller.js';
import { frame } from '../support/grpc-calls.js';
import { callWeb } from '../support/grpc-web-caller.js';
import { delimited, repeatedTo } from '../support/hostile-messages.js';
import { Http2Caller } from '../support/http2-caller.js';
import { TrialProcess } from '../support/trial-process.js';
import { TrialService } from '../support/trial-proto.js';

const maxBytes = 1_048_576;
const manyCalls = 100;
const calls = 8;
const placeOrder = methodOf(TrialService, 'PlaceOrder');
const weigh = methodOf(TrialService, 'Weigh');

let trial: TrialProcess;
let patient: GrpcCaller;

/** Has the tests of a suite attack a process of their own. */
function inHeapOf(megabytes: number): void {
  beforeAll(async () => {
    trial = await TrialProcess.start({ ROOKERY_LOG__LEVEL: 'silent' }, [`--max-old-space-size=${megabytes}`]);
    patient = new GrpcCaller(`127.0.0.1:${trial.port}`);
  });

  afterAll(async () => {
    patient.close();
    expect(await trial.stop()).toBe(0);
  });
}

/** Runs `attack` while a client calls one after the other; all of its calls succeed, and the process serves afterwards. */
async function beside<T>(attack: () => Promise<T>): Promise<T> {
  const attacking = { isOver: false };
  const calling = (async () => {
    const failures: unknown[] = [];
    do {
      const { failure, messages } = await patient.call(placeOrder, [{ title: 'patient' }], { timeoutMs: 100_000 });
      if (failure !== undefined || messages.length !== 1) failures.push(failure);
    } while (!attacking.isOver);
    return failures;
  })();
  try {
    return await attack();
  } finally {
    attacking.isOver = true;
    expect(await calling).toEqual([]);
  }
}

interface Answered {
  readonly status: unknown;
  readonly message: string;
}

/** Sends the same message in as many calls at once over one connection; tells the different answers. */
async function flood(path: string, message: Buffer, isPacked: boolean, count = calls): Promise<readonly Answered[]> {
  const body = isPacked ? frame(gzipSync(message, { level: 9 }), 1) : frame(message);
  const headers = {
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    // What is refused is, however busy the machine that runs the tests.
    'grpc-timeout': '10M',
    ...(isPacked && { 'grpc-encoding': 'gzip' }),
  };
  const connection = await Http2Caller.connect(`http://127.0.0.1:${trial.port}`);
  const answers = await beside(() =>
    Promise.all(Array.from({ length: count }, () => connection.request(headers, body))),
  );
  connection.close();
  const seen = answers.map(({ headers: head, trailers }) => {
    const all = { ...head, ...trailers };
    return JSON.stringify({
      status: all['grpc-status'],
      message: decodeURIComponent(String(all['grpc-message'] ?? '')),
    });
  });
  return [...new Set(seen)].map((text) => JSON.parse(text) as Answered);
}

const times = (pattern: readonly number[]): Buffer => repeatedTo(maxBytes, Buffer.from(pattern));
const tooMany: Answered = { status: '8', message: 'request message with more than 100000 elements' };
const taken: Answered = { status: '0', message: '' };
const unknown = (field: string, more = 1): Answered => ({
  status: '3',
  message: `${field} is not a known field (and ${more} more)`,
});

const grouped = (fields: Buffer): Buffer => Buffer.concat([Buffer.of(0x7b), fields.subarray(0, -2), Buffer.of(0x7c)]);

const entries = Buffer.concat(
  Array.from({ length: 40_000 }, (_, index) => delimited(2, delimited(1, Buffer.from(index.toString(36))))),
);
const farKeys = delimited(6, delimited(2, delimited(1, Buffer.from('1020'))));

// The process itself takes four fifths of it.
describe('a heap of 64 MiB suffices for', () => {
  inHeapOf(64);

  it.each<readonly [string, typeof placeOrder]>([
    ['two-byte unknown fields', placeOrder],
    ['two-byte unknown fields that the handler would get', weigh],
  ])(`${calls} calls, each with a mebibyte of %s`, { timeout: 120_000 }, async (_, method) => {
    expect(await flood(pathOf(method), times([0x78, 0x01]), true)).toEqual([tooMany]);
  });

  it(`${calls} calls, each with 60 000 unknown fields, of which the first are named`, {
    timeout: 120_000,
  }, async () => {
    expect(await flood(pathOf(placeOrder), times([0x78, 0x01]).subarray(0, 120_000), true)).toEqual([unknown('#15')]);
  });

  it(`${manyCalls} calls, each with a kilobyte that unpacks to a mebibyte`, { timeout: 180_000 }, async () => {
    const message = times([0x78, 0x01]);

    expect(gzipSync(message, { level: 9 }).length).toBeLessThan(1100);
    expect(await flood(pathOf(placeOrder), message, true, manyCalls)).toEqual([tooMany]);
  });
});

describe(`${calls} calls over one connection, each with a mebibyte`, () => {
  inHeapOf(96);

  it.each<readonly [string, typeof placeOrder, Buffer, Answered]>([
    ['unknown fields in messages of a list', placeOrder, times([0x12, 0x02, 0x78, 0x01]), tooMany],
    ['empty messages in a list', placeOrder, times([0x12, 0x00]), tooMany],
    ['empty texts in a list', placeOrder, times([0x22, 0x00]), tooMany],
    ['unknown groups', placeOrder, times([0x7b, 0x7c]), tooMany],
    ['fields of one unknown group', placeOrder, grouped(times([0x78, 0x01])), tooMany],
    [
      'groups within each other',
      placeOrder,
      Buffer.concat([Buffer.alloc(200, 0x7b), Buffer.alloc(200, 0x7c)]),
      { status: '3', message: 'request message nested deeper than 100 levels' },
    ],
    ['members of a oneof in turn', weigh, times([0x1a, 0x00, 0x22, 0x00]), tooMany],
    ['bytes of one byte', weigh, times([0x2a, 0x01, 0x00]), tooMany],
    ['packed numbers of one byte', weigh, delimited(1, Buffer.alloc(maxBytes - 8)), tooMany],
    ['packed numbers of two bytes', weigh, delimited(1, times([0x80, 0x01]).subarray(0, 1_000_000)), taken],
    ['entries of a map', weigh, entries, taken],
    ['a message that comes again and again and is merged', weigh, repeatedTo(maxBytes, farKeys), tooMany],
  ])('of %s', { timeout: 120_000 }, async (_, method, message, expected) => {
    expect(await flood(pathOf(method), message, true)).toEqual([expected]);
  });

  it('that is not compressed', { timeout: 120_000 }, async () => {
    expect(await flood(pathOf(placeOrder), times([0x12, 0x00]).subarray(0, 500_000), false)).toEqual([tooMany]);
  });
});

describe('gRPC-Web in text over HTTP/1.1', () => {
  inHeapOf(96);

  const send = (body: Buffer, more: Record<string, string> = {}) =>
    callWeb('HTTP/1.1', `127.0.0.1:${trial.port}`, {
      path: pathOf(placeOrder),
      headers: { 'content-type': 'application/grpc-web-text', ...more },
      chunks: [body],
    });

  it('of unknown fields, compressed', { timeout: 120_000 }, async () => {
    const text = Buffer.from(frame(gzipSync(times([0x78, 0x01])), 1).toString('base64'));
    const answers = await beside(() =>
      Promise.all(Array.from({ length: calls }, () => send(text, { 'grpc-encoding': 'gzip' }))),
    );

    expect(new Set(answers.map(({ headers }) => headers['grpc-status']))).toEqual(new Set(['8']));
  });

  it('of bytes that are padded one by one', { timeout: 120_000 }, async () => {
    const bytes = frame(times([0x78, 0x01]).subarray(0, 100_000));
    const text = Buffer.from(Array.from(bytes, (byte) => Buffer.from([byte]).toString('base64')).join(''));
    const answers = await beside(() => Promise.all(Array.from({ length: 20 }, () => send(text))));

    expect(new Set(answers.map(({ headers }) => headers['grpc-status']))).toEqual(new Set(['3']));
  });
});

describe('a mebibyte of honest content', () => {
  inHeapOf(96);

  const mebibyte = (part: Buffer): Buffer => repeatedTo(maxBytes, part);

  it.each<readonly [string, Buffer, number]>([
    ['50 000 numbers', delimited(1, Buffer.alloc(100_000, Buffer.from([0x80, 0x01]))), 50_000],
    ['numbers of three bytes', delimited(1, mebibyte(Buffer.from([0xff, 0xff, 0x01])).subarray(0, 1_048_563)), 349_521],
    ['values of 32 bytes', mebibyte(delimited(5, Buffer.alloc(32, 1))), 30_840],
  ])('%s', async (_, message, count) => {
    const { failure, messages } = await patient.callBytes(pathOf(weigh), [message]);

    expect(failure).toBeUndefined();
    expect(messages).toHaveLength(1);
    expect(fromBinary(weigh.output, Buffer.from(String(messages[0]), 'base64'))).toMatchObject({ number: count });
  });
});
