import { METHODS } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { errorEnvelope } from '../support/envelopes.js';
import { eventually } from '../support/eventually.js';
import { Http2Caller } from '../support/http2-caller.js';
import { http } from '../support/http-caller.js';
import { bodyOf, exchangeRaw } from '../support/raw-connection.js';
import { requestEnds } from '../support/request-ends.js';
import { TrialApp } from '../support/trial-app.js';

// Fastify has its own list, Node's parser a longer one, and HTTP allows any token.
const foreign = [...METHODS.filter((method) => !['CONNECT', 'HEAD', 'OPTIONS', 'POST'].includes(method))];
const unheardOf = ['BREW', 'post', "a!#$%&'*+-.^_`|~9", 'DESCRIBE'];

let app: TrialApp;

beforeAll(async () => {
  app = await TrialApp.start(undefined, {
    set: { 'server.limits.maxBodyBytes': 100, 'server.limits.maxConcurrentRequests': 2 },
  });
});

afterEach(() => eventually('nothing is in flight', () => app.inFlight === 0));

afterAll(async () => {
  await app.stillServes();
  await app.close();
});

function notAllowed(method: string): object {
  const message = `${method} is not allowed on /trial/orders (allowed: POST)`;
  return errorEnvelope(405, { reason: 'METHOD_NOT_ALLOWED', message });
}

function notFound(method: string): object {
  return errorEnvelope(404, { reason: 'ROUTE_NOT_FOUND', message: `no route for ${method} /nowhere` });
}

function order(method: string): Promise<string> {
  return exchangeRaw(app.port, `${method} /trial/orders HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`);
}

describe.each([...foreign, ...unheardOf])('the method %s on HTTP/1.1', (method) => {
  const operation = METHODS.includes(method) ? `${method} (no route)` : '(no route)';

  async function ask(path: string): Promise<string> {
    return exchangeRaw(app.port, `${method} ${path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`);
  }

  it('is refused by 405 where the path has others', async () => {
    using ends = requestEnds();
    const answer = await ask('/trial/orders?a=b');

    expect(bodyOf(answer)).toEqual(notAllowed(method));
    expect(answer).toMatch(/^HTTP\/1\.1 405 Method Not Allowed\r\n/);
    expect(answer).toMatch(/\r\nallow: POST\r\n/);
    expect(answer).toMatch(/\r\nx-content-type-options: nosniff\r\n/);
    expect(ends.list).toMatchObject([{ operation, httpStatus: 405, reason: 'METHOD_NOT_ALLOWED' }]);
  });

  it('is refused by 404 where there is no such path', async () => {
    using ends = requestEnds();
    const answer = await ask('/nowhere');

    expect(bodyOf(answer)).toEqual(notFound(method));
    expect(answer).toMatch(/^HTTP\/1\.1 404 /);
    expect(answer).not.toMatch(/\r\nallow:/i);
    expect(ends.list).toMatchObject([{ operation, httpStatus: 404, reason: 'ROUTE_NOT_FOUND' }]);
  });
});

describe.each(['DELETE', 'QUERY', 'PROPFIND', 'BREW', 'post'])('the method %s on HTTP/2', (method) => {
  const operation = METHODS.includes(method) ? `${method} (no route)` : '(no route)';

  it.each([
    ['/trial/orders', 405, notAllowed(method), 'POST'],
    ['/nowhere', 404, notFound(method), undefined],
  ])('is refused on %s by %i', async (path, status, body, allow) => {
    using ends = requestEnds();
    const caller = await Http2Caller.connect(app.url);
    const answer = await caller.request({ ':method': method, ':path': path });
    caller.close();

    expect(JSON.parse(answer.text)).toEqual(body);
    expect(answer.status).toBe(status);
    expect(answer.headers.allow).toBe(allow);
    expect(answer.headers['x-content-type-options']).toBe('nosniff');
    expect(ends.list).toMatchObject([
      { operation, httpStatus: status, requestId: answer.headers['x-request-id'], isProbe: false },
    ]);
  });
});

describe('a method unheard of', () => {
  it('is refused without the router, which would draw all routes for the log', async () => {
    const routing = vi.spyOn(app.test.service.app.getHttpAdapter().getInstance(), 'routing');
    const [known, unknown] = [await order('PUT'), await order('BREW')];
    const { length } = routing.mock.calls;
    routing.mockRestore();

    expect(known).toMatch(/^HTTP\/1\.1 405 /);
    expect(unknown).toMatch(/^HTTP\/1\.1 405 .*\r\nallow: POST\r\n/s);
    expect(length).toBe(1);
  });

  it.each([
    ['that is no token', 'BR(W /trial/orders HTTP/1.1'],
    ['with a target that is no path', 'BREW trial/orders HTTP/1.1'],
    ['without an end', 'B'.repeat(70)],
  ])('%s is no request', async (_, line) => {
    const answer = await exchangeRaw(app.port, `${line}\r\nhost: a\r\n\r\n`);

    expect(bodyOf(answer)).toEqual(
      errorEnvelope(400, {
        reason: 'MALFORMED_REQUEST',
        message: expect.stringMatching(/^the request is not valid HTTP: (method|target): /),
      }),
    );
  });

  it('in another protocol gets no answer, which would be HTTP', async () => {
    expect(await exchangeRaw(app.port, 'BREW /trial/orders HTCPCP/1.0\r\nhost: a\r\n\r\n')).toBe('');
  });
});

describe('a body where there is no route', () => {
  it.each([
    ['that is malformed', 'application/json', '{'],
    ['of a type nobody reads', 'text/plain', 'a'],
    ['that is too large', 'application/json', `"${'a'.repeat(200)}"`],
  ])('%s is no matter', async (_, type, body) => {
    const missing = await http(app.url, { method: 'POST', path: '/nowhere', headers: { 'content-type': type }, body });
    const other = await http(app.url, {
      method: 'PUT',
      path: '/trial/orders',
      headers: { 'content-type': type },
      body,
    });

    expect(missing.json).toEqual(notFound('POST'));
    expect(other.json).toEqual(notAllowed('PUT'));
  });
});

describe('a path under /health that is no probe', () => {
  it('counts, is limited and is logged as any other', async () => {
    const busy = await Promise.all([Http2Caller.connect(app.url), Http2Caller.connect(app.url)]);
    const open = busy.map(({ session }) => {
      const stream = session.request({ ':method': 'POST', ':path': '/trial/fail', 'content-type': 'application/json' });
      stream.on('error', () => {});
      stream.end('{"mode":"untilAborted"}');
      return stream;
    });
    await eventually('both are at work', () => app.inFlight === 2);
    using ends = requestEnds();
    const probe = await http(app.url, { path: '/health/live' });
    const other = await http(app.url, { path: '/health/nothing' });
    for (const stream of open) stream.close();
    await eventually('nothing is in flight', () => app.inFlight === 0);
    const later = await http(app.url, { path: '/health/nothing' });
    for (const caller of busy) caller.close();

    expect(probe.status).toBe(200);
    expect(other.json).toMatchObject({ code: 503, reason: 'TOO_MANY_REQUESTS_IN_FLIGHT' });
    expect(later.json).toMatchObject({ code: 404, reason: 'ROUTE_NOT_FOUND' });
    expect(ends.list.filter(({ operation }) => operation.startsWith('GET '))).toMatchObject([
      { operation: 'GET /health/live', httpStatus: 200, isProbe: true },
      { operation: 'GET (no route)', httpStatus: 503, isProbe: false },
      { operation: 'GET (no route)', httpStatus: 404, isProbe: false },
    ]);
  });
});
