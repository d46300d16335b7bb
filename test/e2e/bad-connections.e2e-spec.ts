import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { errorEnvelope } from '../support/envelopes.js';
import { eventually } from '../support/eventually.js';
import { Http2Caller } from '../support/http2-caller.js';
import { bodyOf, exchangeRaw, RawConnection } from '../support/raw-connection.js';
import { TrialApp } from '../support/trial-app.js';

// Small, so that no test takes long, and none equal, so that each is told from the others.
const firstByteTimeoutMs = 300;
const headersTimeoutMs = 500;
const bodyTimeoutMs = 700;
// What a machine with other things to do may add; the server looks once a second.
const patienceMs = 10_000;

const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const unknownVersion = errorEnvelope(505, {
  reason: 'HTTP_VERSION_NOT_SUPPORTED',
  message: 'the version of HTTP is not supported (expected: 1.0, 1.1 or 2)',
});
let app: TrialApp;

beforeAll(async () => {
  app = await TrialApp.start(undefined, {
    set: {
      'server.limits.firstByteTimeoutMs': firstByteTimeoutMs,
      'server.limits.headersTimeoutMs': headersTimeoutMs,
      'server.limits.bodyTimeoutMs': bodyTimeoutMs,
    },
  });
});

afterEach(async () => {
  await app.stillServes();
  await eventually('nothing is in flight', () => app.inFlight === 0);
});

afterAll(() => app.close());

/** How long the server left a connection open. */
async function lifeMs(connection: RawConnection): Promise<number> {
  const startedAt = performance.now();
  await connection.closed;
  return performance.now() - startedAt;
}

describe('a connection', () => {
  it('that says nothing is closed after its time, with no answer', async () => {
    const connection = await RawConnection.open(app.port);
    const openMs = await lifeMs(connection);

    expect(connection.received).toHaveLength(0);
    expect(openMs).toBeGreaterThan(firstByteTimeoutMs - 50);
    expect(openMs).toBeLessThan(patienceMs);
  });

  it.each([1, 3, 10, 23])(
    'that stops after %i bytes of the HTTP/2 preface is closed after its time',
    async (length) => {
      const connection = await RawConnection.open(app.port);
      connection.write(preface.slice(0, length));
      const openMs = await lifeMs(connection);

      expect(connection.received).toHaveLength(0);
      expect(openMs).toBeGreaterThan(firstByteTimeoutMs - 50);
      expect(openMs).toBeLessThan(patienceMs);
    },
  );

  it('that sends the preface and no SETTINGS is closed after its time', async () => {
    const connection = await RawConnection.open(app.port);
    connection.write(preface);
    const openMs = await lifeMs(connection);

    expect(openMs).toBeGreaterThan(firstByteTimeoutMs - 50);
    expect(openMs).toBeLessThan(patienceMs);
  });

  it('that sends the preface byte by byte is served', async () => {
    const connection = await RawConnection.open(app.port);
    connection.socket.setNoDelay(true);
    for (const byte of preface) {
      connection.write(byte);
      await new Promise((resolve) => setImmediate(resolve));
    }
    // Length 0, type SETTINGS.
    connection.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]));
    await once(connection.socket, 'data');

    expect(connection.received[3]).toBe(4);
    connection.destroy();
  });

  it('that breaks the preface off at its last byte is refused as HTTP', async () => {
    const answer = await exchangeRaw(app.port, `${preface.slice(0, 23)}X`);

    expect(answer).toMatch(/^HTTP\/1\.1 505 /);
    expect(bodyOf(answer)).toEqual(unknownVersion);
  });

  it('that names a version of HTTP that there is not is answered 505 and closed', async () => {
    const answer = await exchangeRaw(app.port, 'GET / HTTP/9.9\r\n\r\n');

    expect(answer).toMatch(/^HTTP\/1\.1 505 /);
    expect(bodyOf(answer)).toEqual(unknownVersion);
  });

  it('that sends HTTP/2 frames nobody knows is ended with GOAWAY', async () => {
    const connection = await RawConnection.open(app.port);
    connection.write(
      Buffer.concat([
        Buffer.from(preface),
        Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
        Buffer.from([0xff, 0xff, 0xff, 0x00, 0, 0, 0, 0, 0]),
      ]),
    );
    const received = await connection.closed;

    // Type GOAWAY.
    expect(frameTypes(received)).toContain(7);
  });

  it.each([
    ['no bytes that mean anything', Buffer.from('\0\u0001\u0002\r\n\r\n')],
    ['a header without a colon', Buffer.from('GET / HTTP/1.1\r\nhost: a\r\nbroken\r\n\r\n')],
    ['two lengths', Buffer.from('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx')],
    [
      'a length and chunks',
      Buffer.from('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n'),
    ],
    ['a line break in a header', Buffer.from('GET / HTTP/1.1\r\nhost: a\nx: y\r\n\r\n')],
  ])('with %s is answered 400 and closed', async (_, bytes) => {
    const answer = await exchangeRaw(app.port, bytes);

    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(bodyOf(answer)).toEqual(
      errorEnvelope(400, {
        reason: 'MALFORMED_REQUEST',
        message: expect.stringMatching(/^the request is not valid HTTP: [a-z -]+: /),
      }),
    );
  });

  it('of random bytes, a hundred times, costs nothing but itself', async () => {
    const answers = await Promise.all(
      Array.from({ length: 100 }, async () => {
        const connection = await RawConnection.open(app.port);
        connection.write(randomBytes(1 + Math.floor(Math.random() * 200)));
        return (await connection.closed).toString('latin1');
      }),
    );

    // A TLS alert cannot come, as no certificate is configured: it is a refusal in words, or silence.
    for (const answer of answers) expect(answer).toMatch(/^(HTTP\/1\.1 4\d\d |$)/);
  });

  it('that begins a TLS handshake where there is no TLS is closed', async () => {
    const connection = await RawConnection.open(app.port);
    connection.write(Buffer.from('160301020001000001fc0303', 'hex'));

    expect(await connection.closed).toHaveLength(0);
  });

  it('that says too large a header block without an end is refused at the limit', async () => {
    const answer = await exchangeRaw(app.port, `GET / HTTP/1.1\r\nhost: a\r\nx-large: ${'a'.repeat(20_000)}`);

    expect(answer).toMatch(/^HTTP\/1\.1 431 /);
    expect(bodyOf(answer)).toEqual(
      errorEnvelope(431, { reason: 'HEADERS_TOO_LARGE', message: 'request headers are larger than 16384 bytes' }),
    );
  });
});

describe('a slow sender', () => {
  it('of headers is answered 408 and closed', async () => {
    const connection = await RawConnection.open(app.port);
    connection.write('GET /trial/context HTTP/1.1\r\nhost: a\r\n');
    // One header after the other, and never the last: what counts is the whole, not each.
    const drip = setInterval(() => connection.write('x-more: a\r\n'), 50);
    const openMs = await lifeMs(connection);
    clearInterval(drip);

    expect(bodyOf(connection.received.toString())).toEqual(
      errorEnvelope(408, { reason: 'REQUEST_TIMEOUT', message: 'the request did not arrive in time' }),
    );
    expect(openMs).toBeGreaterThan(headersTimeoutMs - 50);
    expect(openMs).toBeLessThan(patienceMs);
  });

  it('of a body is answered 408 and closed', async () => {
    const connection = await RawConnection.open(app.port);
    connection.write(
      'POST /trial/orders HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{',
    );
    const drip = setInterval(() => connection.write(' '), 50);
    const openMs = await lifeMs(connection);
    clearInterval(drip);

    expect(connection.received.toString()).toMatch(/^HTTP\/1\.1 408 /);
    expect(bodyOf(connection.received.toString())).toEqual(
      errorEnvelope(408, { reason: 'REQUEST_TIMEOUT', message: 'the request did not arrive in time' }),
    );
    expect(openMs).toBeGreaterThan(bodyTimeoutMs - 50);
    expect(openMs).toBeLessThan(patienceMs);
  });

  it('of a body on HTTP/2 is answered 408, and the connection goes on', async () => {
    const connection = await Http2Caller.connect(app.url);
    const stream = connection.session.request({
      ':method': 'POST',
      ':path': '/trial/orders',
      'content-type': 'application/json',
    });
    stream.write('{');
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('error', () => {});
    await once(stream, 'close');
    const next = await connection.request({ ':path': '/trial/context' });
    connection.close();

    expect(JSON.parse(Buffer.concat(chunks).toString())).toEqual(
      errorEnvelope(408, { reason: 'REQUEST_TIMEOUT', message: 'the request did not arrive in time' }),
    );
    expect(next.status).toBe(200);
  });

  it('of a gRPC message is answered DEADLINE_EXCEEDED by the deadline that is its own', async () => {
    const connection = await Http2Caller.connect(app.url);
    const stream = connection.session.request({
      ':method': 'POST',
      ':path': '/trial.service.v1.TrialService/PlaceOrder',
      'content-type': 'application/grpc',
      te: 'trailers',
      'grpc-timeout': '400m',
    });
    stream.write(Buffer.from([0, 0, 0]));
    const [headers] = (await once(stream, 'response')) as [Record<string, string>];
    connection.close();

    expect(headers['grpc-status']).toBe('4');
  });
});

describe('a caller that goes away', () => {
  it('in the middle of its body leaves nothing behind', async () => {
    const connection = await RawConnection.open(app.port);
    connection.write(
      'POST /trial/orders HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{"title"',
    );
    await eventually('the request has begun', () => app.inFlight === 1);
    connection.destroy();
    await eventually('the request is given up', () => app.inFlight === 0);

    expect(connection.received).toHaveLength(0);
  });

  it('while the handler works is noticed by the handler, on HTTP/1.1', async () => {
    app.state.reset();
    const waiting = app.state.told('waiting');
    const connection = await RawConnection.open(app.port);
    const body = '{"mode":"untilAborted"}';
    connection.write(
      `POST /trial/fail HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    await waiting;
    connection.destroy();

    await eventually('the handler knows', () => app.state.aborted.length === 1);
    expect(app.state.aborted).toEqual(['CancelledError']);
  });

  it('while the handler works is noticed by the handler, on HTTP/2', async () => {
    app.state.reset();
    const waiting = app.state.told('waiting');
    const connection = await Http2Caller.connect(app.url);
    const stream = connection.session.request({
      ':method': 'POST',
      ':path': '/trial/fail',
      'content-type': 'application/json',
    });
    stream.on('error', () => {});
    stream.end('{"mode":"untilAborted"}');
    await waiting;
    stream.close();

    await eventually('the handler knows', () => app.state.aborted.length === 1);
    connection.close();
    expect(app.state.aborted).toEqual(['CancelledError']);
  });
});

function frameTypes(bytes: Buffer): number[] {
  const types: number[] = [];
  for (let at = 0; at + 9 <= bytes.length; at += 9 + bytes.readUIntBE(at, 3)) types.push(bytes[at + 3] as number);
  return types;
}
