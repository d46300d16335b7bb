import { Agent } from 'node:http';
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectError } from '../support/envelopes.js';
import { http } from '../support/http-caller.js';
import { Http2Caller } from '../support/http2-caller.js';
import { bodyOf, exchangeRaw } from '../support/raw-connection.js';
import { ReferenceApp } from '../support/reference-app.js';
import { tokens } from '../support/tokens.js';

const origin = 'https://app.example.com';
const path = '/api/v1/users';
let app: ReferenceApp;

beforeAll(async () => {
  app = await ReferenceApp.start({ 'http.cors.origins': [origin], 'http.compressionMinBytes': 100 });
});

afterAll(() => app.close());

describe('users', () => {
  const dora = { displayName: 'Dora', email: 'dora@example.com', role: 'viewer', age: 41 };
  const token = tokens.writer();

  it('are created with 201, read, changed, removed and then gone', async () => {
    const created = await http(app.url, { method: 'POST', path, body: dora, token });
    const { id, createdAt } = (created.json as { data: { id: string; createdAt: string } }).data;
    const user = { id, ...dora, createdAt };
    const one = `${path}/${id}`;

    expect([created.status, created.json]).toEqual([201, { code: 201, data: user, message: 'success' }]);
    expect(id).toMatch(/^\d+$/);
    expect(Date.parse(createdAt)).toBeGreaterThan(Date.now() - 60_000);

    const read = await http(app.url, { path: one });
    expect([read.status, read.json]).toEqual([200, { code: 200, data: user, message: 'success' }]);

    const changed = await http(app.url, { method: 'PATCH', path: one, body: { role: 'operator' }, token });
    expect([changed.status, changed.json]).toEqual([
      200,
      { code: 200, data: { ...user, role: 'operator' }, message: 'success' },
    ]);

    const removed = await http(app.url, { method: 'DELETE', path: one, token });
    expect([removed.status, removed.json]).toEqual([200, { code: 200, data: null, message: 'success' }]);

    expectError(await http(app.url, { path: one }), 404, { reason: 'USER_NOT_FOUND', message: `user ${id} not found` });
  });

  it('are listed page by page, each once, and the last page has no token', async () => {
    const names: string[] = [];
    const tokensSeen: string[] = [];
    let pageToken = '';
    do {
      const answer = await http(app.url, { path: `${path}?pageSize=1&pageToken=${pageToken}` });
      const { users, nextPageToken } = (
        answer.json as { data: { users: { displayName: string }[]; nextPageToken: string } }
      ).data;
      names.push(...users.map(({ displayName }) => displayName));
      pageToken = nextPageToken;
      tokensSeen.push(pageToken);
    } while (pageToken !== '');

    expect(names).toEqual(['Alice', 'Bob', 'Carol']);
    expect(new Set(tokensSeen).size).toBe(3);
  });

  it('with a duplicate email are a conflict', async () => {
    const answer = await http(app.url, { method: 'POST', path, body: { ...dora, email: 'Alice@Example.com' }, token });

    expectError(answer, 409, { reason: 'USER_EMAIL_TAKEN', message: 'email Alice@Example.com is taken' });
  });
});

describe('a failure', () => {
  it('is a problem document for who asks for one', async () => {
    const answer = await http(app.url, {
      method: 'POST',
      path,
      body: {},
      token: tokens.writer(),
      headers: { accept: 'application/problem+json', 'x-request-id': 'req-1' },
    });

    expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
    expect(answer.json).toEqual({
      type: 'about:blank',
      title: 'Bad Request',
      status: 400,
      detail: 'displayName must have a visible character and no control characters (and 2 more)',
      reason: 'VALIDATION_FAILED',
      requestId: 'req-1',
      errors: [
        {
          field: 'displayName',
          rule: 'matches',
          message: 'displayName must have a visible character and no control characters',
        },
        { field: 'email', rule: 'isEmail', message: 'email must be an email' },
        {
          field: 'role',
          rule: 'isIn',
          message: 'role must be one of the following values: developer, operator, viewer',
        },
      ],
    });
  });

  it.each(['application/json', '*/*', 'application/problem+json;q=0, application/json'])(
    'is an envelope for who accepts %s',
    async (accept) => {
      const answer = await http(app.url, { path: `${path}/99`, headers: { accept } });

      expectError(answer, 404, { reason: 'USER_NOT_FOUND', message: 'user 99 not found' });
    },
  );
});

describe('a body that cannot be read', () => {
  const send = (method: string, headers: Record<string, string>): Promise<string> =>
    exchangeRaw(
      Number(new URL(app.url).port),
      [
        `${method} ${path} HTTP/1.1`,
        'host: here',
        'connection: close',
        'content-length: 1',
        ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
        '',
        '{',
      ].join('\r\n'),
    );
  const json = { 'content-type': 'application/json' };

  it.each([
    ['POST', 'in a coding that nobody knows', { ...json, 'content-encoding': 'x' }, 415],
    ['POST', 'that is not in its coding', { ...json, 'content-encoding': 'gzip' }, 400],
    ['OPTIONS', 'that is no JSON', json, 400],
    ['OPTIONS', 'of another type', { 'content-type': 'a/b' }, 415],
  ])('is the fault of the client: %s %s', async (method, _what, headers, status) => {
    const token = tokens.writer();
    const answer = await send(method, { ...headers, authorization: `Bearer ${token}` });

    expect(answer).toContain(`HTTP/1.1 ${status} `);
    expect(bodyOf(answer)).toMatchObject({ code: status, reason: expect.any(String) as string });
  });
});

describe('every answer', () => {
  it.each(['/api/v1/users/1', '/api/v1/users/99', '/nothing', '/health/live'])(
    'carries the request id of its caller: %s',
    async (each) => {
      const answer = await http(app.url, { path: each, headers: { 'x-request-id': 'mine-42' } });

      expect(answer.headers['x-request-id']).toBe('mine-42');
    },
  );

  it.each(['/api/v1/users/1', '/api/v1/users/99', '/nothing', '/docs', '/openapi.json'])(
    'carries security headers: %s',
    async (each) => {
      const { headers } = await http(app.url, { path: each });

      expect(headers).toMatchObject({
        'content-security-policy': expect.stringMatching(/^default-src '(self|none)'/) as unknown,
        'strict-transport-security': expect.stringContaining('max-age=') as unknown,
        'x-content-type-options': 'nosniff',
        'x-frame-options': expect.stringMatching(/^(SAMEORIGIN|DENY)$/) as unknown,
      });
      expect(headers['x-powered-by']).toBeUndefined();
      expect(headers.server).toBeUndefined();
    },
  );

  it.each([
    ['br', brotliDecompressSync],
    ['gzip', gunzipSync],
    ['deflate', inflateSync],
  ])('is compressed with %s for who accepts it', async (encoding, unpack) => {
    const plain = await http(app.url, { path });
    const packed = await http(app.url, { path, headers: { 'accept-encoding': encoding } });

    expect(plain.headers['content-encoding']).toBeUndefined();
    expect(packed.headers['content-encoding']).toBe(encoding);
    expect(packed.headers.vary).toContain('accept-encoding');
    expect(unpack(packed.bytes).toString()).toBe(plain.text);
    expect(packed.bytes.length).toBeLessThan(plain.bytes.length);
  });

  it('is not compressed when it is small', async () => {
    const answer = await http(app.url, { path: '/health/live', headers: { 'accept-encoding': 'br' } });

    expect(answer.headers['content-encoding']).toBeUndefined();
  });
});

describe('a page of another origin', () => {
  it('that is allowed gets its preflight and its answer', async () => {
    const preflight = await http(app.url, {
      method: 'OPTIONS',
      path,
      headers: {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization,content-type',
      },
    });
    const answer = await http(app.url, { path: `${path}/1`, headers: { origin } });

    expect(preflight.status).toBe(204);
    expect(preflight.headers).toMatchObject({
      'access-control-allow-origin': origin,
      'access-control-allow-methods': expect.stringContaining('POST') as unknown,
      'access-control-allow-headers': 'authorization,content-type',
      'access-control-max-age': '600',
    });
    expect(answer.headers['access-control-allow-origin']).toBe(origin);
    expect(answer.headers['access-control-expose-headers']).toContain('x-request-id');
  });

  it('that is not allowed gets no permission', async () => {
    const answer = await http(app.url, { path: `${path}/1`, headers: { origin: 'https://evil.example.com' } });

    expect(answer.status).toBe(200);
    expect(answer.headers['access-control-allow-origin']).toBeUndefined();
    expect(answer.headers.vary).toMatch(/origin/i);
  });
});

describe('a connection', () => {
  it('is kept for the next request', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const statuses: number[] = [];
    const ports = new Set<number | undefined>();
    agent.on('free', (socket: { localPort?: number }) => ports.add(socket.localPort));
    for (let count = 0; count < 5; count += 1)
      statuses.push((await http(app.url, { path: `${path}/1`, agent })).status);
    agent.destroy();

    expect(statuses).toEqual([200, 200, 200, 200, 200]);
    expect(ports.size).toBe(1);
  });

  it('answers HEAD like GET, without the body', async () => {
    const get = await http(app.url, { path });
    const head = await http(app.url, { method: 'HEAD', path });

    expect(head.status).toBe(200);
    expect(head.bytes).toHaveLength(0);
    expect(head.headers['content-length']).toBe(get.headers['content-length']);
    expect(head.headers['content-type']).toBe(get.headers['content-type']);
  });

  it('of HTTP/2 with prior knowledge gets the same answers, many at a time', async () => {
    const connection = await Http2Caller.connect(app.url);
    const one = await http(app.url, { path: `${path}/1` });
    const answers = await Promise.all(Array.from({ length: 50 }, () => connection.request({ ':path': `${path}/1` })));
    const missing = await connection.request({ ':path': `${path}/99` });
    const created = await connection.request(
      {
        ':method': 'POST',
        ':path': path,
        'content-type': 'application/json',
        authorization: `Bearer ${tokens.writer()}`,
      },
      JSON.stringify({ displayName: 'Hugo', email: 'hugo@example.com', role: 'viewer' }),
    );
    connection.close();

    expect(answers.map(({ status, text }) => [status, text])).toEqual(
      Array.from({ length: 50 }, () => [200, one.text]),
    );
    expect([missing.status, JSON.parse(missing.text)]).toMatchObject([404, { code: 404, reason: 'USER_NOT_FOUND' }]);
    expect([created.status, JSON.parse(created.text)]).toMatchObject([
      201,
      { code: 201, data: { displayName: 'Hugo' } },
    ]);
  });
});

describe('the operator', () => {
  it.each(['live', 'ready', 'startup'])('gets /health/%s as it is', async (probe) => {
    const answer = await http(app.url, { path: `/health/${probe}` });

    expect(answer.status).toBe(200);
    expect(answer.json).toMatchObject({ status: 'ok', error: {} });
    expect(Object.keys(answer.json as object).sort()).toEqual(['details', 'error', 'info', 'status']);
  });

  it('finds every route of the service in the API description', async () => {
    const { paths, openapi } = (await http(app.url, { path: '/openapi.json' })).json as {
      openapi: string;
      paths: Record<string, object>;
    };

    expect(openapi).toMatch(/^3\./);
    expect(
      Object.entries(paths).flatMap(([route, methods]) => Object.keys(methods).map((method) => `${method} ${route}`)),
    ).toEqual(
      expect.arrayContaining([
        'get /api/v1/users',
        'post /api/v1/users',
        'get /api/v1/users/{id}',
        'patch /api/v1/users/{id}',
        'delete /api/v1/users/{id}',
        'get /api/v1/files',
        'get /api/v1/files/{name}',
        'get /api/v1/logs',
      ]),
    );
  });

  it('reads the docs page without any other host', async () => {
    const { text, headers } = await http(app.url, { path: '/docs' });

    expect(headers['content-type']).toMatch(/^text\/html/);
    expect(text.match(/(?:src|href)="https?:[^"]*"/g)).toBeNull();
  });
});
