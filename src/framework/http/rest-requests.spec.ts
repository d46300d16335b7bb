import { once } from 'node:events';
import http2 from 'node:http2';
import { Readable, Writable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { describe, expect, it } from 'vitest';
import { Flag, frame, FrameType, RawClient, requestFields, uint32 } from '../../../test/support/raw-http2-client.js';
import { type AnyRequest, type AnyResponse, answerOf, TestPort } from '../../../test/support/one-port.js';

type Handle = (request: AnyRequest, response: AnyResponse) => void;

async function ask(
  handle: Handle,
  headers: http2.OutgoingHttpHeaders = {},
  body?: string | Buffer,
): Promise<Awaited<ReturnType<typeof answerOf>>> {
  await using port = await TestPort.open({ handle });
  const session = http2.connect(`http://127.0.0.1:${port.number}`);
  const stream = session.request({ ':path': '/', ...headers }, { endStream: body === undefined });
  if (body !== undefined) stream.end(body);
  try {
    return await answerOf(stream);
  } finally {
    session.destroy();
  }
}

/** A port whose handler runs `work`, and says by what it ended. */
async function withHandler(
  work: (request: AnyRequest, response: AnyResponse) => unknown,
  act: (stream: http2.ClientHttp2Stream) => unknown,
  options: http2.ClientSessionRequestOptions = {},
): Promise<unknown> {
  const outcome = Promise.withResolvers<unknown>();
  await using port = await TestPort.open({
    handle: (request, response) => {
      void Promise.resolve(work(request, response)).then(outcome.resolve, outcome.resolve);
    },
  });
  const session = http2.connect(`http://127.0.0.1:${port.number}`);
  session.on('error', () => {});
  const stream = session.request({ ':method': 'POST' }, options);
  stream.on('error', () => {});
  await act(stream);
  const result = await outcome.promise;
  session.destroy();
  return result;
}

const discard = (): Writable => new Writable({ write: (_chunk, _encoding, done) => done() });

describe('a request over HTTP/2', () => {
  it('looks like one over HTTP/1.1', async () => {
    const said: unknown[] = [];
    await ask(
      (request, response) => {
        const { method, url, httpVersion, httpVersionMajor, httpVersionMinor, headers, rawHeaders, complete } = request;
        const { remoteAddress, remoteFamily, localPort } = request.socket;
        said.push({ method, url, httpVersion, httpVersionMajor, httpVersionMinor, complete });
        said.push(headers, rawHeaders, [remoteAddress, remoteFamily, typeof localPort]);
        response.end();
      },
      {
        ':path': '/a?b=c',
        ':authority': 'example.test:1',
        cookie: ['a=1', 'b=2'],
        'x-list': ['1', '2'],
        'user-agent': 'test',
      },
    );

    expect(said).toEqual([
      { method: 'GET', url: '/a?b=c', httpVersion: '2.0', httpVersionMajor: 2, httpVersionMinor: 0, complete: true },
      { host: 'example.test:1', cookie: 'a=1; b=2', 'x-list': '1, 2', 'user-agent': 'test' },
      expect.arrayContaining(['x-list', '1', 'x-list', '2', 'user-agent', 'test']),
      ['127.0.0.1', 'IPv4', 'number'],
    ]);
  });

  it('streams its body, and has the trailers behind it', async () => {
    const body = Buffer.alloc(3_000_000, 'abcdefg');
    const outcome = await withHandler(
      async (request, response) => {
        let bytes = 0;
        for await (const chunk of request) bytes += (chunk as Buffer).length;
        response.end();
        return [bytes, request.trailers, request.complete, request.errored];
      },
      (stream) => {
        stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '42' }));
        stream.end(body);
      },
      { waitForTrailers: true },
    );

    expect(outcome).toEqual([body.length, { 'x-sum': '42' }, true, null]);
  });

  it('holds the sender back while nobody reads', async () => {
    let sent = 0;
    const outcome = await withHandler(
      async (request, response) => {
        // A round trip of the same connection: whatever the windows allowed has come by then.
        while (sent === 0) await new Promise((resolve) => setImmediate(resolve));
        const before = sent;
        let bytes = 0;
        for await (const chunk of request) bytes += (chunk as Buffer).length;
        response.end();
        return [before < 2_000_000, bytes];
      },
      async (stream) => {
        for (let at = 0; at < 100; at += 1) {
          if (!stream.write(Buffer.alloc(65_536))) await once(stream, 'drain');
          sent += 65_536;
        }
        stream.end();
      },
    );

    expect(outcome).toEqual([true, 100 * 65_536]);
  });

  it.each([
    ['while it is read', 0, (request: AnyRequest) => finished(request.resume(), { readable: true, writable: false })],
    ['while it is piped', 0, (request: AnyRequest) => pipeline(request, discard())],
    // As Node's own clients do it.
    ['after an end that came with it', Flag.endStream, (request: AnyRequest) => pipeline(request, discard())],
  ])('whose caller goes away %s ends with an error', async (_when, flags, read) => {
    const outcome = Promise.withResolvers<unknown>();
    await using port = await TestPort.open({
      handle: (request) => void read(request).then(() => outcome.resolve('whole'), outcome.resolve),
    });
    const client = await RawClient.connect(port.number);

    client.send(
      client.headers(1, requestFields('/', { 'content-type': 'a/b' }), 0),
      frame(FrameType.data, flags, 1, Buffer.from('half')),
      frame(FrameType.rstStream, 0, 1, uint32(8)),
    );

    expect(await outcome.promise).toMatchObject({
      code: expect.stringMatching(/^(ECONNRESET|ERR_STREAM_PREMATURE_CLOSE)$/) as unknown,
    });
    client.close();
  });

  it.each([
    ['NO_ERROR', 0],
    ['CANCEL', 8],
  ])('whose caller cancels by %s tells everybody who listens', async (_name, code) => {
    const events: string[] = [];
    const outcome = await withHandler(
      async (request, response) => {
        request.on('aborted', () => events.push('aborted'));
        request.socket.on('close', () => events.push('socket'));
        response.on('finish', () => events.push('finish'));
        request.on('close', () => events.push('request'));
        await once(response, 'close');
        return [request.destroyed, request.socket.destroyed, response.writableFinished, response.destroyed];
      },
      (stream) => {
        stream.end('body');
        setTimeout(() => stream.close(code), 20);
      },
    );

    expect(outcome).toEqual([true, true, false, true]);
    expect(events.toSorted()).toEqual(['aborted', 'request', 'socket']);
  });
});

describe('an answer over HTTP/2', () => {
  it('has the headers that were set, and none of those that speak of a connection', async () => {
    const { headers, body } = await ask((_request, response) => {
      response.setHeader('X-One', '1');
      response.setHeader('x-gone', 'a');
      response.removeHeader('X-Gone');
      response.setHeader('Connection', 'close');
      response.appendHeader('set-cookie', 'a=1');
      response.appendHeader('set-cookie', 'b=2');
      expect([response.getHeader('x-one'), response.hasHeader('X-ONE')]).toEqual(['1', true]);
      response.writeHead(201, {
        'X-Two': 2,
        'Transfer-Encoding': 'chunked',
        'keep-alive': 'timeout=1',
        'x-one': 'one',
      });
      expect(response.headersSent).toBe(true);
      response.end('done');
    });

    const { date, ...rest } = headers;
    expect(rest).toEqual({
      ':status': 201,
      'x-one': 'one',
      'x-two': '2',
      'set-cookie': ['a=1', 'b=2'],
      [http2.sensitiveHeaders]: ['set-cookie', 'set-cookie'],
    });
    expect(Math.abs(Date.parse(String(date)) - Date.now())).toBeLessThan(5000);
    expect(body).toBe('done');
  });

  it.each([
    ['HEAD', 200, 'body', { 'content-length': '4' }],
    ['GET', 204, 'body', {}],
    ['GET', 304, 'body', {}],
    ['GET', 200, '', {}],
  ])('to %s with status %i and %j has no body', async (method, status, text, expected) => {
    const { headers, body } = await ask(
      (_request, response) => {
        response.statusCode = status;
        response.end(text);
      },
      { ':method': method },
    );

    expect(headers).toMatchObject({ ':status': status, ...expected });
    expect(body).toBe('');
  });

  it('says how long it is when it is given whole', async () => {
    expect((await ask((_request, response) => response.end('äö'))).headers['content-length']).toBe('4');
  });

  it.each([
    ['less than', '5', 'abc'],
    ['more than', '2', 'abc'],
  ])('is broken off when its body is %s it said', async (_what, length, text) => {
    const answer = ask((_request, response) => {
      response.writeHead(200, { 'content-length': length });
      response.end(text);
    });

    await expect(answer).rejects.toThrow(/NGHTTP2_(INTERNAL|PROTOCOL)_ERROR/);
  });

  it('takes what a stream pipes into it, at the pace of the reader, and ends when the stream does', async () => {
    const size = 5_000_000;
    let pulled = 0;
    const source = (): Readable =>
      new Readable({
        read() {
          pulled += 50_000;
          this.push(pulled > size ? null : Buffer.alloc(50_000, 'x'));
        },
      });
    const seen: number[] = [];
    const outcome = await withHandler(
      (_request, response) => pipeline(source(), response).then(() => response.writableFinished),
      async (stream) => {
        stream.end();
        await once(stream, 'response');
        // Nothing is read: windows and buffers fill, and then no more is pulled.
        for (let before = -1; before !== pulled; before = seen.at(-1) ?? 0) {
          seen.push(pulled);
          await new Promise((resolve) => stream.session?.ping(resolve));
        }
        seen.push(pulled);
        stream.resume();
        await once(stream, 'end');
      },
    );

    expect(seen.at(-1)).toBeLessThan(1_000_000);
    expect(outcome).toBe(true);
    expect(pulled).toBeGreaterThan(size);
  });

  it('is broken off by destroy(), so that nobody takes it for whole', async () => {
    const answer = ask((_request, response) => {
      response.write('half');
      setImmediate(() => response.destroy());
    });

    await expect(answer).rejects.toThrow('NGHTTP2_INTERNAL_ERROR');
  });

  it('says early hints before, and trailers behind', async () => {
    const told: unknown[] = [];
    await using port = await TestPort.open({
      handle: (_request, response) => {
        response.writeEarlyHints({ link: '</style.css>; rel=preload' });
        response.addTrailers({ 'X-Sum': '42' });
        response.write('body');
        response.end();
      },
    });
    const session = http2.connect(`http://127.0.0.1:${port.number}`);
    const stream = session.request({ ':path': '/' });
    stream.on('headers', (headers) => told.push({ ...headers }));
    stream.on('trailers', (trailers) => told.push({ ...trailers }));

    expect((await answerOf(stream)).body).toBe('body');
    expect(told).toMatchObject([{ ':status': 103, link: '</style.css>; rel=preload' }, { 'x-sum': '42' }]);
    session.destroy();
  });

  it.each([
    ['a header after the headers', 'ERR_HTTP_HEADERS_SENT', (response: AnyResponse) => response.setHeader('x', '1')],
    ['a second head', 'ERR_HTTP_HEADERS_SENT', (response: AnyResponse) => response.writeHead(200)],
    ['a name that is none', 'ERR_INVALID_HTTP_TOKEN', (response: AnyResponse) => response.setHeader('a b', '1')],
    ['a value with a line break', 'ERR_INVALID_CHAR', (response: AnyResponse) => response.setHeader('x', 'a\nb')],
  ])('refuses %s', async (what, code, attempt) => {
    let error: unknown;
    await ask((_request, response) => {
      if (what.endsWith('headers') || what.endsWith('head')) response.flushHeaders();
      try {
        attempt(response);
      } catch (thrown) {
        error = thrown;
      }
      response.end();
    });

    expect(error).toMatchObject({ code });
  });

  it('tells who writes after the end', async () => {
    const errors: unknown[] = [];
    await ask((_request, response) => {
      response.on('error', (error) => errors.push(error));
      response.end('done');
      response.write('more', (error) => errors.push(error));
    });

    expect(errors).toMatchObject([{ code: 'ERR_STREAM_WRITE_AFTER_END' }, { code: 'ERR_STREAM_WRITE_AFTER_END' }]);
  });
});
