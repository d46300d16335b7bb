import { once } from 'node:events';
import http2 from 'node:http2';
import { describe, expect, it } from 'vitest';
import { headersFrame, HeldPort } from '../../../test/support/held-port.js';
import { answerOf, frame, framesOf, RawClient, TestPort } from '../../../test/support/one-port.js';
import { http2Preface } from './preface.js';

const limits = { maxHeaderBytes: 16_384 };
const message = 'request headers are larger than 16384 bytes';
const json = { ':path': '/', ':method': 'POST', 'content-type': 'application/json' };
const grpc = { ':path': '/p.S/M', ':method': 'POST', 'content-type': 'application/grpc' };

async function connect(port: TestPort): Promise<http2.ClientHttp2Session> {
  const session = http2.connect(`http://127.0.0.1:${port.number}`, { maxSendHeaderBlockLength: 1_000_000 });
  session.on('error', () => {});
  await once(session, 'remoteSettings');
  // Our SETTINGS are acknowledged before this is answered.
  await new Promise((resolve) => session.ping(resolve));
  return session;
}

describe('the header limit on HTTP/2', () => {
  it.each([
    ['at once', false],
    ['after the exchange of SETTINGS', true],
  ])('answers 431 to larger headers %s, and goes on with the connection', async (_when, isSettled) => {
    const asked: string[] = [];
    await using port = await TestPort.open({
      limits,
      handle: (incoming, response) => {
        asked.push(incoming.url ?? '');
        response.end('fine');
      },
    });
    const session = isSettled ? await connect(port) : http2.connect(`http://127.0.0.1:${port.number}`);

    // The body stays open: nobody waits for it.
    const answer = await answerOf(session.request({ ...json, 'x-large': 'a'.repeat(20_000) }));

    expect(answer).toMatchObject({ status: 431, headers: { 'content-type': 'application/json; charset=utf-8' } });
    expect(JSON.parse(answer.body)).toEqual({
      code: 431,
      data: null,
      message,
      reason: 'HEADERS_TOO_LARGE',
      requestId: expect.stringMatching(/./),
    });
    expect((await answerOf(session.request({ ':path': '/next' }))).body).toBe('fine');
    expect(asked).toEqual(['/next']);
    session.destroy();
    await port.quiet();
  });

  it('answers 431 without a body to HEAD', async () => {
    await using port = await TestPort.open({ limits });
    const session = await connect(port);

    const answer = await answerOf(session.request({ ':method': 'HEAD', 'x-large': 'a'.repeat(20_000) }));

    expect(answer).toMatchObject({ status: 431, body: '' });
    session.destroy();
  });

  it('answers a gRPC call with larger headers by RESOURCE_EXHAUSTED in trailers alone', async () => {
    await using port = await TestPort.open({ limits });
    const session = await connect(port);

    const { status, headers, body } = await answerOf(session.request({ ...grpc, 'x-large': 'a'.repeat(60_000) }));

    expect({ status, body }).toEqual({ status: 200, body: '' });
    expect(headers).toMatchObject({
      'content-type': 'application/grpc',
      'grpc-status': '8',
      'grpc-message': message,
    });
    session.destroy();
    await port.quiet();
  });

  it('counts name, value and 32 bytes for each field', async () => {
    await using port = await TestPort.open({ limits: { maxHeaderBytes: 1024 } });
    const session = await connect(port);
    const fields = { ':method': 'GET', ':scheme': 'http', ':authority': 'a', ':path': '/', 'x-filler': '' };
    const bytes = Object.entries(fields).reduce((sum, [name, value]) => sum + name.length + value.length + 32, 0);
    const filled = (length: number) =>
      answerOf(session.request({ ...fields, 'x-filler': 'a'.repeat(length) }, { endStream: true }));

    expect((await filled(1024 - bytes)).status).toBe(200);
    expect((await filled(1025 - bytes)).status).toBe(431);
    session.destroy();
  });

  it.each([
    ['far over the limit', 5, 20_000],
    ['of two hundred fields', 200, 100],
  ])('answers 431 to headers %s, and goes on with the connection', async (_what, count, length) => {
    await using port = await TestPort.open({ limits });
    const session = await connect(port);
    const far = Object.fromEntries(Array.from({ length: count }, (_, at) => [`x-${at}`, 'a'.repeat(length)]));

    expect((await answerOf(session.request({ ...json, ...far }))).status).toBe(431);

    expect((await answerOf(session.request({ ':path': '/' }))).status).toBe(200);
    session.destroy();
  });
});

describe('a header block on HTTP/2 that does not end', () => {
  const slow = { limits: { headersTimeoutMs: 100 } };
  // HEADERS without END_HEADERS.
  const open = (stream: number): Buffer => frame(1, 1, stream, Buffer.from([0x82]));

  it('closes the connection, be it the first or a later one', async () => {
    await using port = await HeldPort.open(slow);
    const [first, later] = [await port.rawHttp2(), await port.rawHttp2()];
    await later.write(headersFrame(1));
    await later.hears('answer to /');

    await Promise.all([first.write(open(1)), later.write(open(3))]);

    await Promise.all([first.closed, later.closed]);
    for (const client of [first, later]) {
      const [goaway] = framesOf(client.bytes).filter(({ type }) => type === 7);
      expect(goaway?.payload.readUInt32BE(4)).toBe(http2.constants.NGHTTP2_ENHANCE_YOUR_CALM);
    }
    await port.test.quiet();
  });

  it('gains no time by CONTINUATION after CONTINUATION', async () => {
    await using port = await HeldPort.open(slow);
    const client = await port.rawHttp2();
    const startedAtMs = performance.now();

    await client.write(open(1));
    const drip = setInterval(() => client.socket.write(frame(9, 0, 1, Buffer.from([0x86]))), 90);

    await client.closed;
    clearInterval(drip);
    // Two checks and the limit; seven more frames would have ended the connection by themselves.
    expect(performance.now() - startedAtMs).toBeLessThan(650);
  });

  it('leaves alone who has sent SETTINGS and waits', async () => {
    await using port = await HeldPort.open(slow);
    const [waiting, witness] = [await port.rawHttp2(), await port.rawHttp2()];
    await witness.write(open(1));
    await witness.closed;

    await waiting.write(headersFrame(1));

    expect(await waiting.hears('answer to /')).toContain('answer to /');
    waiting.socket.destroy();
  });

  it('leaves alone who had a stream refused', async () => {
    await using port = await TestPort.open({ ...slow, limits: { ...slow.limits, maxHeaderBytes: 1024 } });
    const session = await connect(port);
    expect((await answerOf(session.request({ ':path': '/', 'x-large': 'a'.repeat(20_000) }))).status).toBe(431);
    // Younger, and closed because of its headers.
    const witness = await RawClient.connect(port.number);
    await witness.write(Buffer.concat([http2Preface, frame(4, 0, 0), open(1)]));
    await witness.closed;

    expect((await answerOf(session.request({ ':path': '/' }))).status).toBe(200);
    session.destroy();
  });
});
