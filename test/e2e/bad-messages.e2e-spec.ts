import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { methodOf, pathOf } from '../support/grpc-caller.js';
import { Http2Caller } from '../support/http2-caller.js';
import { TrialApp } from '../support/trial-app.js';
import { TrialService } from '../support/trial-proto.js';

const maxBodyBytes = 2048;
const placeOrder = methodOf(TrialService, 'PlaceOrder');
const consume = methodOf(TrialService, 'Consume');
const echo = methodOf(TrialService, 'Echo');
// An item by its field of the order; and one, without, with the unknown field 9.
const item = Buffer.from([0x12, 0x05, 0x0a, 0x01, 0x62, 0x10, 0x01]);
const nested = Buffer.from([0x0a, 0x01, 0x62, 0x10, 0x01, 0x48, 0x01]);
let app: TrialApp;

beforeAll(async () => {
  app = await TrialApp.start(undefined, { set: { 'server.limits.maxBodyBytes': maxBodyBytes } });
});

afterAll(async () => {
  await app.stillServes();
  await app.close();
});

/** The whole of a failure: nothing but this may be in it. */
function failure(status: string, reason: string, message: string, more: object = {}): object {
  return {
    status,
    reason,
    message,
    domain: 'rookery',
    requestId: expect.stringMatching(/^[0-9a-f]{32}$/) as unknown,
    ...more,
  };
}

describe('a message', () => {
  it.each([
    ['of random bytes', Buffer.from('ffffffffffffffffffff01', 'hex')],
    ['that is cut off', Buffer.from([0x0a, 0x05, 0x61])],
    ['with a group that never ends', Buffer.from([0x0b])],
    ['with field number 0', Buffer.from([0x00, 0x00])],
    ['with an unknown wire type', Buffer.from([0x0f])],
    ['with a title in bad UTF-8', Buffer.from([0x0a, 0x02, 0xc0, 0xaf])],
    ['with a nested object that is cut off', Buffer.from([0x12, 0x03, 0x0a, 0x05, 0x61])],
  ])('%s is refused', async (_, bytes) => {
    const { failure: failed, messages } = await app.caller.callBytes(pathOf(placeOrder), [bytes]);

    expect(failed).toEqual(
      failure(
        'INVALID_ARGUMENT',
        'MALFORMED_MESSAGE',
        'malformed request message: not a valid trial.service.v1.TrialOrder',
      ),
    );
    expect(messages).toEqual([]);
  });

  it('of the wrong wire type is refused or skipped as unknown, and never taken for a value', async () => {
    // Field 1, which is a string, as a varint.
    const { failure: failed } = await app.caller.callBytes(pathOf(placeOrder), [Buffer.from([0x08, 0x01])]);

    expect(failed).toMatchObject({ status: 'INVALID_ARGUMENT' });
  });

  it('with a wrong field deep inside tells its path', async () => {
    const items = [{ name: 'a', quantity: 1 }, { name: 'b', quantity: 1 }, { quantity: 1 }];
    const message = 'items[2].name must be longer than or equal to 1 characters';
    const { failure: failed } = await app.caller.call(placeOrder, [{ title: 'a', items }]);

    expect(failed).toEqual(
      failure('INVALID_ARGUMENT', 'VALIDATION_FAILED', message, {
        violations: [{ field: 'items[2].name', description: message, reason: 'IS_LENGTH' }],
      }),
    );
  });

  it('with a missing field tells it', async () => {
    const message = 'title must be longer than or equal to 1 characters';
    const { failure: failed } = await app.caller.call(placeOrder, [{}]);

    expect(failed).toEqual(
      failure('INVALID_ARGUMENT', 'VALIDATION_FAILED', message, {
        violations: [{ field: 'title', description: message, reason: 'IS_LENGTH' }],
      }),
    );
  });

  it.each([
    ['', Buffer.from([0x0a, 0x01, 0x61, 0xfa, 0x01, 0x01, 0x78]), '#31'],
    [
      ' in the third of its items',
      Buffer.concat([Buffer.from([0x0a, 0x01, 0x61]), item, item, Buffer.from([0x12, 0x07]), nested]),
      'items[2].#9',
    ],
    [' in its gift', Buffer.concat([Buffer.from([0x0a, 0x01, 0x61, 0x1a, 0x07]), nested]), 'gift.#9'],
  ])('with a field that its type does not have%s is refused by the number', async (_, bytes, field) => {
    const { failure: failed, messages } = await app.caller.callBytes(pathOf(placeOrder), [bytes]);

    const message = `${field} is not a known field`;
    expect(failed).toEqual(
      failure('INVALID_ARGUMENT', 'VALIDATION_FAILED', message, {
        violations: [{ field, description: message, reason: 'UNKNOWN_FIELD' }],
      }),
    );
    expect(messages).toEqual([]);
  });

  it('with such a field beside a wrong one tells both', async () => {
    const { failure: failed } = await app.caller.callBytes(pathOf(placeOrder), [Buffer.from([0xfa, 0x01, 0x01, 0x78])]);

    expect(failed?.violations?.map(({ field, reason }) => [field, reason])).toEqual([
      ['#31', 'UNKNOWN_FIELD'],
      ['title', 'IS_LENGTH'],
    ]);
  });

  it('with such a field ends a stream when it is pulled', async () => {
    const fine = Buffer.from([0x0a, 0x01, 0x61]);
    const strange = Buffer.from([0x0a, 0x01, 0x61, 0x48, 0x01]);
    const { failure: failed, messages } = await app.caller.callBytes(pathOf(echo), [fine, strange]);

    expect(messages).toEqual([fine.toString('base64')]);
    expect(failed).toMatchObject({ status: 'INVALID_ARGUMENT', violations: [{ field: '#9' }] });
  });

  it('with such a field is taken where the settings say so', async () => {
    const lenient = await TrialApp.start(undefined, { set: { 'grpc.unknownFields': 'ignore' } });
    const bytes = Buffer.concat([Buffer.from([0x0a, 0x01, 0x61, 0x48, 0x01, 0x1a, 0x07]), nested]);
    const { failure: failed, messages } = await lenient.caller.callBytes(pathOf(placeOrder), [bytes]);
    await lenient.close();

    expect(failed).toBeUndefined();
    const known = Buffer.concat([Buffer.from([0x0a, 0x01, 0x61, 0x1a, 0x05]), nested.subarray(0, 5)]);
    expect(messages).toEqual([known.toString('base64')]);
  });

  it.each([
    ['unary', placeOrder],
    ['client-streaming', consume],
    ['bidirectional', echo],
  ])('larger than the limit is refused on a %s call', async (_, method) => {
    const { failure: failed } = await app.caller.callBytes(pathOf(method), [Buffer.alloc(maxBodyBytes + 1)]);

    const message = `request larger than ${maxBodyBytes} bytes: ${maxBodyBytes + 1}`;
    expect(failed).toEqual(
      failure('RESOURCE_EXHAUSTED', 'REQUEST_TOO_LARGE', message, { metadata: { limitBytes: String(maxBodyBytes) } }),
    );
  });

  it('at the limit is taken', async () => {
    // The same title again and again: the last one counts. An empty one makes up the length.
    const times = (maxBodyBytes - 2) / 3;
    const title = Buffer.concat([Buffer.from([0x0a, 0x00]), Buffer.alloc(3 * times, Buffer.from([0x0a, 0x01, 0x61]))]);
    const { failure: failed } = await app.caller.callBytes(pathOf(placeOrder), [title]);

    expect(title).toHaveLength(maxBodyBytes);
    expect(failed).toBeUndefined();
  });

  it('in the middle of a stream that breaks a rule ends the call with its path', async () => {
    const { failure: failed, messages } = await app.caller.call(echo, [
      { text: 'a', number: 1 },
      { text: 'b', number: -1 },
    ]);

    const message = 'number must not be less than 0';
    expect(messages).toEqual([{ text: 'a', number: 1 }]);
    expect(failed).toEqual(
      failure('INVALID_ARGUMENT', 'VALIDATION_FAILED', message, {
        violations: [{ field: 'number', description: message, reason: 'MIN' }],
      }),
    );
  });
});

describe('a call', () => {
  it.each([
    ['/trial.service.v1.TrialService/Nothing', 'unknown method "Nothing" of service trial.service.v1.TrialService'],
    ['/trial.service.v1.Nothing/PlaceOrder', 'unknown service "trial.service.v1.Nothing"'],
    ['/TrialService/PlaceOrder', 'unknown service "TrialService"'],
  ])('of %s is UNIMPLEMENTED', async (path, message) => {
    const { failure: failed } = await app.caller.callBytes(path, [Buffer.alloc(0)]);

    expect(failed).toEqual(failure('UNIMPLEMENTED', 'RPC_NOT_FOUND', message));
  });

  it('of a method that is described and not served is UNIMPLEMENTED', async () => {
    const partly = await TrialApp.start();
    const { failure: failed } = await partly.caller.callBytes('/trial.service.v1.CompatService/Unary', [
      Buffer.alloc(0),
    ]);
    await partly.close();

    expect(failed).toMatchObject({ status: 'UNIMPLEMENTED', reason: 'RPC_NOT_FOUND' });
  });

  it.each([
    ['without a message', [], 'none'],
    ['with two messages', [Buffer.alloc(0), Buffer.alloc(0)], 'more than one'],
  ])('that takes one message, %s, is refused', async (_, messages, found) => {
    const { failure: failed } = await app.caller.callBytes(pathOf(placeOrder), messages);

    expect(failed).toEqual(
      failure('UNIMPLEMENTED', 'MESSAGE_COUNT', `wrong number of request messages: ${found} (expected: 1)`),
    );
  });
});

describe('a gRPC request by hand', () => {
  const prefix = (flags: number, length: number): Buffer => Buffer.from([flags, 0, 0, length >> 8, length & 255]);
  const good = Buffer.concat([prefix(0, 3), Buffer.from([0x0a, 0x01, 0x61])]);
  let connection: Http2Caller;

  beforeAll(async () => {
    connection = await Http2Caller.connect(app.url);
  });

  afterAll(() => connection.close());

  function send(headers: Record<string, string>, body: Buffer = good): ReturnType<Http2Caller['request']> {
    return connection.request(
      {
        ':method': 'POST',
        ':path': pathOf(placeOrder),
        'content-type': 'application/grpc',
        te: 'trailers',
        ...headers,
      },
      body,
    );
  }

  it('gets an answer with the status in the trailers', async () => {
    const answer = await send({});

    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe('application/grpc');
    expect(answer.trailers['grpc-status']).toBe('0');
    expect(answer.bytes).toEqual(good);
  });

  it.each([
    [
      'another method than POST',
      { ':method': 'PUT' },
      good,
      '12',
      'HTTP method "PUT" is not allowed for gRPC (expected: POST)',
    ],
    [
      'another message format',
      { 'content-type': 'application/grpc+json' },
      good,
      '12',
      'content type "application/grpc+json" is not supported (expected: application/grpc or application/grpc+proto)',
    ],
    [
      'a malformed timeout',
      { 'grpc-timeout': 'soon' },
      good,
      // As grpc-go has it.
      '13',
      'grpc-timeout "soon" is malformed (expected: 1 to 8 digits and one of H M S m u n)',
    ],
    [
      'a timeout of nine digits',
      { 'grpc-timeout': '123456789S' },
      good,
      // As grpc-go has it.
      '13',
      'grpc-timeout "123456789S" is malformed (expected: 1 to 8 digits and one of H M S m u n)',
    ],
    [
      'an unknown compression',
      { 'grpc-encoding': 'snappy' },
      good,
      '12',
      'grpc-encoding "snappy" is not supported (expected: identity,gzip,deflate)',
    ],
    [
      'the compressed flag and no compression',
      {},
      Buffer.concat([prefix(1, 3), good.subarray(5)]),
      '13',
      'compressed flag set with identity or empty grpc-encoding',
    ],
    [
      'a flag that does not exist',
      {},
      Buffer.concat([prefix(2, 3), good.subarray(5)]),
      '3',
      'malformed request message: message flags 2 (expected: 0 or 1)',
    ],
    [
      'half a prefix',
      {},
      Buffer.from([0, 0, 0]),
      '3',
      'malformed request message: the request ends in the middle of a message',
    ],
    [
      'half a message',
      {},
      Buffer.concat([prefix(0, 30), Buffer.from([0x0a])]),
      '3',
      'malformed request message: the request ends in the middle of a message',
    ],
    [
      'a length of 4 GiB',
      {},
      Buffer.from([0, 0xff, 0xff, 0xff, 0xff, 0]),
      '8',
      `request larger than ${maxBodyBytes} bytes: 4294967295`,
    ],
    [
      'compression that is none',
      { 'grpc-encoding': 'gzip' },
      Buffer.concat([prefix(1, 3), good.subarray(5)]),
      '3',
      'malformed request message: not gzip',
    ],
  ])('with %s is refused', async (_, headers, body, status, message) => {
    const answer = await send(headers, body);

    expect(answer.headers['grpc-status'] ?? answer.trailers['grpc-status']).toBe(status);
    expect(decodeURIComponent(String(answer.headers['grpc-message'] ?? answer.trailers['grpc-message']))).toBe(message);
    expect(answer.bytes).toHaveLength(0);
  });

  it('that swells beyond the limit when it is unpacked is refused', async () => {
    const bomb = gzipSync(Buffer.alloc(1_000_000));
    const answer = await send({ 'grpc-encoding': 'gzip' }, Buffer.concat([prefix(1, bomb.length), bomb]));

    expect(bomb.length).toBeLessThan(maxBodyBytes);
    expect(answer.headers['grpc-status']).toBe('8');
    expect(answer.headers['grpc-message']).toBe(`request larger than ${maxBodyBytes} bytes after decompression`);
  });
});
