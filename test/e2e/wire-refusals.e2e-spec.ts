import { once } from 'node:events';
import type { Server } from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ChildService } from '../support/child-service.js';
import { errorEnvelope } from '../support/envelopes.js';
import { eventually } from '../support/eventually.js';
import { Http2Caller } from '../support/http2-caller.js';
import { http } from '../support/http-caller.js';
import { bodyOf, exchangeRaw, RawConnection } from '../support/raw-connection.js';
import { type EndedRequest, requestEnds } from '../support/request-ends.js';
import { TrialApp } from '../support/trial-app.js';

const headersTimeoutMs = 400;
const bodyTimeoutMs = 400;
let app: TrialApp;

beforeAll(async () => {
  app = await TrialApp.start(undefined, {
    set: {
      'server.limits.headersTimeoutMs': headersTimeoutMs,
      'server.limits.bodyTimeoutMs': bodyTimeoutMs,
      'server.limits.firstByteTimeoutMs': 200,
    },
  });
});

afterEach(async () => {
  await eventually('nothing is in flight', () => app.inFlight === 0);
});

afterAll(async () => {
  await app.stillServes();
  await app.close();
});

/** Splits what came over the wire into status, headers by their names in lower case, and body. */
function parsed(answer: string): { status: number; headers: Record<string, string>; json: unknown } {
  const [statusLine = '', ...lines] = answer.slice(0, answer.indexOf('\r\n\r\n')).split('\r\n');
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  );
  return { status: Number(statusLine.split(' ')[1]), headers, json: bodyOf(answer) };
}

function connectionsOf(server: Server): Promise<number> {
  return new Promise((resolve, reject) =>
    server.getConnections((error, count) => (error === null ? resolve(count) : reject(error))),
  );
}

interface Refusal {
  readonly status: number;
  readonly reason: string;
  readonly message: string;
  readonly operation: string;
}

/** Asserts the whole of an answer, and that it was told of once. */
function expectRefusal(answer: string, ends: readonly EndedRequest[], refusal: Refusal): void {
  const { status, headers, json } = parsed(answer);
  const { reason, message, operation } = refusal;
  expect(json).toEqual(errorEnvelope(refusal.status, { reason, message }));
  expect(status).toBe(refusal.status);
  const { requestId } = json as { requestId: string };
  expect(headers).toMatchObject({
    'x-request-id': requestId,
    connection: 'close',
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'strict-transport-security': 'max-age=31536000; includeSubDomains',
    'content-security-policy': expect.stringContaining("default-src 'self'") as unknown,
    date: expect.stringMatching(/ GMT$/) as unknown,
  });
  expect(ends).toEqual([{ operation, httpStatus: refusal.status, reason, requestId, isProbe: false }]);
}

const malformed = {
  status: 400,
  reason: 'MALFORMED_REQUEST',
  message: expect.stringMatching(/^the request is not valid HTTP: [a-zA-Z -]+: /) as unknown as string,
};
const noRoute = '(no route)';
const timedOut = { status: 408, reason: 'REQUEST_TIMEOUT', message: 'the request did not arrive in time' };
const close = 'connection: close\r\n\r\n';

describe('a request that HTTP/1.1 itself refuses is answered by the envelope and told of once', () => {
  it.each<[string, string, Refusal]>([
    ['with no valid byte', '\u0001\u0002\r\n\r\n', { ...malformed, operation: noRoute }],
    [
      'with a header without a colon',
      'GET / HTTP/1.1\r\nhost: a\r\nbroken\r\n\r\n',
      { ...malformed, operation: noRoute },
    ],
    [
      'with headers over the limit',
      `GET /trial/context HTTP/1.1\r\nhost: a\r\nx-large: ${'a'.repeat(20_000)}\r\n\r\n`,
      {
        status: 431,
        reason: 'HEADERS_TOO_LARGE',
        message: 'request headers are larger than 16384 bytes',
        operation: noRoute,
      },
    ],
    ['whose headers do not end', 'GET / HTTP/1.1\r\nhost: a\r\n', { ...timedOut, operation: noRoute }],
    [
      'whose body does not end',
      'POST /trial/orders HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{',
      { ...timedOut, operation: 'POST /trial/orders' },
    ],
    [
      'whose body is not in chunks as it says',
      'POST /trial/orders HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n',
      { ...malformed, operation: 'POST /trial/orders' },
    ],
    [
      'without host',
      'GET /trial/context HTTP/1.1\r\n\r\n',
      { ...malformed, message: 'the request has 0 host headers (expected: 1)', operation: 'GET /trial/context' },
    ],
    [
      'with two hosts',
      'GET /trial/context HTTP/1.1\r\nhost: a\r\nHost: b\r\n\r\n',
      { ...malformed, message: 'the request has 2 host headers (expected: 1)', operation: 'GET /trial/context' },
    ],
    [
      'with an expectation nobody knows',
      'POST /trial/orders HTTP/1.1\r\nhost: a\r\nexpect: foo\r\ncontent-length: 2\r\n\r\n',
      {
        status: 417,
        reason: 'EXPECTATION_FAILED',
        message: 'the expect header cannot be met (expected: 100-continue)',
        operation: 'POST /trial/orders',
      },
    ],
    [
      'that asks for a tunnel',
      'CONNECT example.com:443 HTTP/1.1\r\nhost: example.com\r\n\r\n',
      {
        status: 501,
        reason: 'TUNNEL_NOT_OFFERED',
        message: 'CONNECT is not offered: this is no proxy',
        operation: 'CONNECT (no route)',
      },
    ],
    [
      'with a path that is none',
      `GET /%zz HTTP/1.1\r\nhost: a\r\n${close}`,
      {
        status: 400,
        reason: 'MALFORMED_URL',
        message: 'the path has a malformed percent escape',
        operation: 'GET (no route)',
      },
    ],
    [
      'for an unknown path',
      `GET /nowhere HTTP/1.1\r\nhost: a\r\n${close}`,
      { status: 404, reason: 'ROUTE_NOT_FOUND', message: 'no route for GET /nowhere', operation: 'GET (no route)' },
    ],
  ])('%s', async (_, bytes, refusal) => {
    using ends = requestEnds();
    const answer = await exchangeRaw(app.port, bytes);

    expectRefusal(answer, ends.list, refusal);
  });

  it('whose body breaks off, as one whose caller left', async () => {
    using ends = requestEnds();
    const connection = await RawConnection.open(app.port);
    connection.socket.end(
      'POST /trial/orders HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{',
    );
    await connection.closed;
    await eventually('it is over', () => ends.list.length > 0);

    expect(ends.list).toMatchObject([{ operation: 'POST /trial/orders', httpStatus: 499, reason: 'CANCELLED' }]);
  });

  it('behind an answered one on the same connection', async () => {
    const connection = await RawConnection.open(app.port);
    connection.write('GET /trial/context HTTP/1.1\r\nhost: a\r\n\r\n');
    await connection.sees('"success"');
    const before = connection.received.length;
    using ends = requestEnds();
    connection.write('\u0001\u0002\r\n\r\n');
    const received = await connection.closed;

    expectRefusal(received.subarray(before).toString(), ends.list, { ...malformed, operation: noRoute });
  });

  it('behind one that is still at work, in its turn', async () => {
    using ends = requestEnds();
    const answer = await exchangeRaw(
      app.port,
      `POST /trial/orders HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 13\r\n\r\n{"title":"a"}\u0001\r\n\r\n`,
    );
    const second = answer.lastIndexOf('HTTP/1.1 ');

    expect(answer).toMatch(/^HTTP\/1\.1 201 /);
    expect(second).toBeGreaterThan(0);
    expectRefusal(answer.slice(second), ends.list.slice(1), { ...malformed, operation: noRoute });
    expect(ends.list[0]).toMatchObject({ operation: 'POST /trial/orders', httpStatus: 201 });
  });

  it('once, whatever else comes', async () => {
    using ends = requestEnds();
    const connection = await RawConnection.open(app.port);
    for (let round = 0; round < 20; round += 1) {
      connection.write(`\u0001${'x'.repeat(1000)}\r\n\r\n`);
      await turn();
    }
    const answer = await connection.closed;

    expectRefusal(answer.toString(), ends.list, { ...malformed, operation: noRoute });
  });

  it('and cut off where the caller does not close', async () => {
    const connection = await RawConnection.open(app.port);
    connection.socket.allowHalfOpen = true;
    connection.write('\u0001\r\n\r\n');
    await connection.sees('MALFORMED_REQUEST');
    const open = app.test.service.app.getHttpServer();
    await eventually('the server has let go of it', async () => (await connectionsOf(open)) === 0);
    connection.destroy();

    expect(connection.received.toString()).toMatch(/^HTTP\/1\.1 400 /);
  });

  it('and read by a caller that sends far more than the limit before it reads', async () => {
    // Made before: the time for the first byte runs in this very process.
    const bytes = Buffer.concat([
      Buffer.from('GET / HTTP/1.1\r\nhost: a\r\nx-large: '),
      Buffer.alloc(30_000_000, 'a'),
      Buffer.from('\r\n\r\n'),
    ]);
    const connection = await RawConnection.open(app.port);
    const errors: Error[] = [];
    connection.socket.on('error', (error) => errors.push(error));
    connection.socket.pause();
    connection.write(bytes);
    await eventually('all is sent', () => connection.socket.writableLength === 0);
    connection.socket.resume();
    const answer = await connection.closed;

    // A reset may overtake the answer.
    expect(errors).toEqual([]);
    expect(parsed(answer.toString()).status).toBe(431);
  });
});

describe('what HTTP/2 refuses is answered the same, and told of once', () => {
  it.each<[string, Record<string, string>, Refusal]>([
    [
      'headers over the limit',
      { ':path': '/trial/context', 'x-large': 'a'.repeat(20_000) },
      {
        status: 431,
        reason: 'HEADERS_TOO_LARGE',
        message: 'request headers are larger than 16384 bytes',
        operation: 'GET (no route)',
      },
    ],
    [
      'an expectation nobody knows',
      { ':path': '/trial/orders', ':method': 'POST', expect: 'foo' },
      {
        status: 417,
        reason: 'EXPECTATION_FAILED',
        message: 'the expect header cannot be met (expected: 100-continue)',
        operation: 'POST /trial/orders',
      },
    ],
    [
      'a path that is none',
      { ':path': '/%zz' },
      {
        status: 400,
        reason: 'MALFORMED_URL',
        message: 'the path has a malformed percent escape',
        operation: 'GET (no route)',
      },
    ],
  ])('%s', async (_, headers, { status, reason, message, operation }) => {
    using ends = requestEnds();
    const caller = await Http2Caller.connect(app.url);
    const answer = await caller.request(headers);
    caller.close();

    expect(JSON.parse(answer.text)).toEqual(errorEnvelope(status, { reason, message }));
    expect(answer.headers).toMatchObject({ ':status': status, 'x-content-type-options': 'nosniff' });
    const requestId = answer.headers['x-request-id'];
    expect(JSON.parse(answer.text)).toMatchObject({ requestId });
    expect(ends.list).toEqual([{ operation, httpStatus: status, reason, requestId, isProbe: false }]);
  });

  it('a tunnel', async () => {
    using ends = requestEnds();
    const caller = await Http2Caller.connect(app.url);
    const stream = caller.session.request({ ':method': 'CONNECT', ':authority': 'example.com:443' });
    const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk as Buffer);
    caller.close();

    expect(headers[':status']).toBe(501);
    expect(JSON.parse(Buffer.concat(chunks).toString())).toMatchObject({ code: 501, reason: 'TUNNEL_NOT_OFFERED' });
    await eventually('it is over', () => ends.list.length > 0);
    expect(ends.list).toMatchObject([{ operation: 'CONNECT (no route)', httpStatus: 501 }]);
  });
});

describe('a connection on which no request begins', () => {
  it('is none when it is closed without a byte, or says nothing', async () => {
    using ends = requestEnds();
    const silent = await RawConnection.open(app.port);
    const gone = await RawConnection.open(app.port);
    gone.destroy();
    await Promise.all([silent.closed, gone.closed]);
    await http(app.url, { path: '/trial/context' });

    expect(ends.list.map(({ operation }) => operation)).toEqual(['GET /trial/context']);
  });

  it('is none after an answer either', async () => {
    using ends = requestEnds();
    const connection = await RawConnection.open(app.port);
    connection.write('GET /trial/context HTTP/1.1\r\nhost: a\r\n\r\n');
    await connection.sees('"success"');
    connection.socket.end();
    await connection.closed;

    expect(ends.list).toHaveLength(1);
  });
});

describe('HTTP/1.0', () => {
  it('needs no host, and its expectations count for nothing', async () => {
    const answer = await exchangeRaw(app.port, 'GET /trial/context HTTP/1.0\r\nexpect: foo\r\n\r\n');

    expect(parsed(answer).status).toBe(200);
  });
});

describe('the access log', () => {
  it('has one line for each refused request, with nothing of what it sent', async () => {
    const child = await ChildService.start({ ROOKERY_LOG__LEVEL: 'info' });
    const answer = await exchangeRaw(
      child.port,
      'GET /\u001b[31mforged HTTP/1.1\r\nx: {"msg":"forged"}\r\n\u0001\r\n\r\n',
    );
    const line = await child.line('request');
    const lines = child.lines.filter(({ msg }) => msg === 'request');
    await child.dispose();

    expect(lines).toHaveLength(1);
    expect(line).toMatchObject({
      level: expect.anything() as unknown,
      requestId: (parsed(answer).json as { requestId: string }).requestId,
      face: 'http',
      operation: '(no route)',
      status: 'INVALID_ARGUMENT',
      httpStatus: 400,
      reason: 'MALFORMED_REQUEST',
      peer: '127.0.0.1',
      durationMs: expect.any(Number) as unknown,
    });
    expect(child.stdout).not.toContain('forged');
  });
});
