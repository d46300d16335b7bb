import { connect } from 'node:http2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectError } from '../support/envelopes.js';
import { http } from '../support/http-caller.js';
import { exchangeRaw } from '../support/raw-connection.js';
import { TrialApp } from '../support/trial-app.js';

const maxBodyBytes = 2048;
let app: TrialApp;

beforeAll(async () => {
  app = await TrialApp.start(undefined, {
    set: { 'server.limits.maxBodyBytes': maxBodyBytes, 'server.limits.maxHeaderBytes': 4096 },
  });
});

afterAll(async () => {
  await app.stillServes();
  await app.close();
});

const json = { 'content-type': 'application/json' };

function post(body: string | Buffer | object, headers: Record<string, string> = json): ReturnType<typeof http> {
  return http(app.url, { method: 'POST', path: '/trial/orders', headers, body });
}

describe('a body on HTTP', () => {
  it.each([
    ['cut off', '{"title":'],
    ['with something behind it', '{"title":"a"} x'],
    ['in single quotes', "{'title':'a'}"],
    ['with a comma too many', '{"title":"a",}'],
    ['with a bare word', '{"title":NaN}'],
    ['that is no JSON at all', 'title=a'],
    ['of one NUL', '\0'],
  ])('%s is refused as malformed', async (_, body) => {
    expectError(await post(body), 400, { reason: 'MALFORMED_BODY', message: 'the body is not valid JSON' });
  });

  it('that is not read to its end costs its connection', async () => {
    const head =
      'POST /trial/orders HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 9999999\r\n\r\n{';

    expect(await exchangeRaw(app.port, head)).toMatch(/^HTTP\/1\.1 413 [^]*\r\nconnection: close\r\n/i);
  });

  it.each([
    ['a lone continuation byte', Buffer.from([0x22, 0x80, 0x22])],
    ['an overlong slash', Buffer.concat([Buffer.from('{"title":"'), Buffer.from([0xc0, 0xaf]), Buffer.from('"}')])],
    [
      'half a character',
      Buffer.concat([Buffer.from('{"title":"'), Buffer.from([0xf0, 0x9f, 0x90]), Buffer.from('"}')]),
    ],
    ['a surrogate', Buffer.concat([Buffer.from('{"title":"'), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from('"}')])],
    ['UTF-16', Buffer.from('{"title":"a"}', 'utf16le').subarray(0, 25)],
  ])('in bad UTF-8, %s, is refused', async (name, body) => {
    const message = name === 'UTF-16' ? 'the body is not valid JSON' : 'the body is not valid UTF-8';
    expectError(await post(body), 400, { reason: 'MALFORMED_BODY', message });
  });

  it('with a lone surrogate as an escape is refused by the field', async () => {
    expectError(await post('{"title":"\\ud800"}'), 400, {
      reason: 'VALIDATION_FAILED',
      message: 'title must be a string',
      errors: [{ field: 'title', rule: 'type', message: 'title must be a string' }],
    });
  });

  it('nested too deeply is refused', async () => {
    const body = `${'['.repeat(500)}${']'.repeat(500)}`;

    expectError(await post(body), 400, {
      reason: 'MESSAGE_TOO_DEEP',
      message: 'request message nested deeper than 100 levels',
    });
  });

  it.each(['{"title":"a","__proto__":{"admin":true}}', '{"title":"a","\\u005f_proto__":1}'])(
    'that reaches for the prototype is refused: %s',
    async (body) => {
      expectError(await post(body), 400, { reason: 'MALFORMED_BODY', message: 'the key __proto__ is not allowed' });
      expect(({} as { admin?: boolean }).admin).toBeUndefined();
    },
  );

  it.each([
    ['an array', '[]'],
    ['a string', '"title"'],
    ['a number', '1'],
    ['a boolean', 'true'],
  ])('that is %s is refused', async (_, body) => {
    const message = 'the request body must be a JSON object';
    expectError(await post(body), 400, {
      reason: 'VALIDATION_FAILED',
      message,
      errors: [{ field: '', rule: 'type', message }],
    });
  });

  it.each([
    'text/plain',
    'application/xml',
    'application/x-www-form-urlencoded',
    'application/jsonx',
    'multipart/form-data; boundary=x',
  ])('of type %s is refused', async (contentType) => {
    expectError(await post('title=a', { 'content-type': contentType }), 415, {
      reason: 'UNSUPPORTED_CONTENT_TYPE',
      message: `content type ${contentType} is not supported (expected: application/json)`,
    });
  });

  it('without a content type is refused', async () => {
    expectError(await post('{"title":"a"}', {}), 415, {
      reason: 'UNSUPPORTED_CONTENT_TYPE',
      message: 'content type (none) is not supported (expected: application/json)',
    });
  });

  it.each(['application/json', 'application/json; charset=utf-8', 'APPLICATION/JSON', 'application/merge-patch+json'])(
    'of type %s is read',
    async (contentType) => {
      const answer = await post('{"title":"a"}', { 'content-type': contentType });

      expect(answer.json).toEqual({ code: 201, data: { title: 'a', items: [], tags: [] }, message: 'success' });
    },
  );

  it('is taken up to the limit and refused above it', async () => {
    const frame = Buffer.byteLength('{"title":"a"}');
    const atLimit = await post(`{"title":"a"}${' '.repeat(maxBodyBytes - frame)}`);
    const above = await post(`{"title":"a"}${' '.repeat(maxBodyBytes - frame + 1)}`);

    expect(atLimit.status).toBe(201);
    expectError(above, 413, {
      reason: 'REQUEST_TOO_LARGE',
      message: `request larger than ${maxBodyBytes} bytes`,
    });
  });

  it('is refused above the limit also when it does not say its length', async () => {
    const answer = await post(`{"title":"${'a'.repeat(2 * maxBodyBytes)}"}`, {
      ...json,
      'transfer-encoding': 'chunked',
    });

    expectError(answer, 413, {
      reason: 'REQUEST_TOO_LARGE',
      message: `request larger than ${maxBodyBytes} bytes`,
    });
  });

  it('is refused above the limit on HTTP/2', async () => {
    const session = connect(app.url);
    const stream = session.request({ ':method': 'POST', ':path': '/trial/orders', 'content-type': 'application/json' });
    stream.end(`{"title":"${'a'.repeat(2 * maxBodyBytes)}"}`);
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk as Buffer);
    session.destroy();

    expect(JSON.parse(Buffer.concat(chunks).toString())).toMatchObject({ code: 413, reason: 'REQUEST_TOO_LARGE' });
  });
});

describe('a field on HTTP', () => {
  const type = (field: string, expectation: string): { field: string; rule: string; message: string } => ({
    field,
    rule: 'type',
    message: `${field} must be ${expectation}`,
  });
  const integer = 'an integer between -2147483648 and 2147483647';

  it.each([
    ['of the wrong type', { title: 1 }, [type('title', 'a string')]],
    ['that should be a list', { title: 'a', items: {} }, [type('items', 'an array')]],
    ['that should be an object', { title: 'a', gift: [] }, [type('gift', 'an object')]],
    ['of the wrong type in a list', { title: 'a', tags: ['ok', 3] }, [type('tags[1]', 'a string')]],
    [
      'of the wrong type in an object in a list',
      {
        title: 'a',
        items: [
          { name: 'a', quantity: 1 },
          { name: 'a', quantity: 1 },
          { name: 7, quantity: 'x' },
        ],
      },
      [type('items[2].name', 'a string'), type('items[2].quantity', integer)],
    ],
    ['that is a fraction', { title: 'a', gift: { name: 'a', quantity: 1.5 } }, [type('gift.quantity', integer)]],
    ['beyond 32 bits', { title: 'a', gift: { name: 'a', quantity: 2_147_483_648 } }, [type('gift.quantity', integer)]],
    [
      'that is unknown',
      { title: 'a', colour: 'red' },
      [{ field: 'colour', rule: 'unknownField', message: 'colour is not a known field' }],
    ],
    [
      'that is unknown in an object in a list',
      { title: 'a', items: [{ name: 'a', quantity: 1, colour: 'red' }] },
      [{ field: 'items[0].colour', rule: 'unknownField', message: 'items[0].colour is not a known field' }],
    ],
    [
      'named like a member of every object',
      { title: 'a', constructor: 1 },
      [{ field: 'constructor', rule: 'unknownField', message: 'constructor is not a known field' }],
    ],
  ])('%s is told by its path', async (_, body, errors) => {
    const [first, ...rest] = errors;
    const message = `${first?.message}${rest.length > 0 ? ` (and ${rest.length} more)` : ''}`;

    expectError(await post(body), 400, { reason: 'VALIDATION_FAILED', message, errors });
  });

  it('that is missing is told', async () => {
    const message = 'title must be longer than or equal to 1 characters';

    expectError(await post({}), 400, {
      reason: 'VALIDATION_FAILED',
      message,
      errors: [{ field: 'title', rule: 'isLength', message }],
    });
  });

  it('that breaks a rule deep inside is told by its path', async () => {
    const message = 'items[2].name must be longer than or equal to 1 characters';
    const items = [{ name: 'a', quantity: 1 }, { name: 'b', quantity: 1 }, { quantity: 1 }];

    expectError(await post({ title: 'a', items }), 400, {
      reason: 'VALIDATION_FAILED',
      message,
      errors: [{ field: 'items[2].name', rule: 'isLength', message }],
    });
  });

  it.each([
    ['/trial/context?count=x', [type('count', integer)]],
    ['/trial/context?count=1&count=2', [type('count', integer)]],
    ['/trial/context?colour=red', [{ field: 'colour', rule: 'unknownField', message: 'colour is not a known field' }]],
    [
      '/trial/context?__proto__=x',
      [{ field: '__proto__', rule: 'unknownField', message: '__proto__ is not a known field' }],
    ],
  ])('in the query is told by its name: %s', async (path, errors) => {
    const answer = await http(app.url, { path });

    expectError(answer, 400, { reason: 'VALIDATION_FAILED', message: errors[0]?.message ?? '', errors });
  });
});

describe('a path', () => {
  it.each(['/trial/%', '/trial/%zz', '/trial/%C0%AF', '/trial/%E0%A4%A', '/%ff'])(
    'with a bad escape is refused: %s',
    async (path) => {
      expectError(await http(app.url, { path }), 400, {
        reason: 'MALFORMED_URL',
        message: 'the path has a malformed percent escape',
      });
    },
  );

  it.each([
    '/nothing',
    '/trial/nothing',
    '/trial/orders/1',
    '/trial/orders%2f',
    '/%00',
    '//trial/orders',
    '/trial/../etc/passwd',
  ])('that nobody serves is not found: %s', async (path) => {
    expectError(await http(app.url, { path }), 404, { reason: 'ROUTE_NOT_FOUND', message: `no route for GET ${path}` });
  });

  it('asked for with another method is told which there are', async () => {
    const answer = await http(app.url, { method: 'DELETE', path: '/trial/orders' });

    expectError(answer, 405, {
      reason: 'METHOD_NOT_ALLOWED',
      message: 'DELETE is not allowed on /trial/orders (allowed: POST)',
    });
    expect(answer.headers.allow).toBe('POST');
  });

  it('asked for with another method, without its query, is told both methods of a readable route', async () => {
    const answer = await http(app.url, { method: 'PUT', path: '/trial/context?mode=x' });

    expect(answer.status).toBe(405);
    expect(answer.headers.allow).toBe('GET, HEAD');
  });
});

describe('a header block', () => {
  it('larger than the limit is refused', async () => {
    const answer = await http(app.url, { path: '/trial/context', headers: { 'x-large': 'a'.repeat(8192) } });

    expect(answer.status).toBe(431);
    expect(answer.json).toEqual({
      code: 431,
      data: null,
      message: 'request headers are larger than 4096 bytes',
      reason: 'HEADERS_TOO_LARGE',
      requestId: expect.stringMatching(/^[0-9a-f]{32}$/) as unknown,
    });
  });

  it('with a request id that could forge a log line gets another id', async () => {
    const answer = await http(app.url, { path: '/trial/context', headers: { 'x-request-id': 'a b;c' } });

    expect(answer.headers['x-request-id']).toMatch(/^[0-9a-f]{32}$/);
  });
});
