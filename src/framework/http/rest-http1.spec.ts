import { Socket } from 'node:net';
import http from 'node:http';
import { once } from 'node:events';
import { pipeline, finished } from 'node:stream/promises';
import { Readable, Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { type AnyRequest, type AnyResponse, RawClient, TestPort, until } from '../../../test/support/one-port.js';

type Handle = (request: AnyRequest, response: AnyResponse) => void;

/** Sends `bytes`, and returns all that is heard until the server closes. */
async function exchange(handle: Handle, bytes: string): Promise<string> {
  await using port = await TestPort.open({ handle });
  const client = await RawClient.connect(port.number);
  await client.write(bytes);
  await client.closed;
  return client.heard;
}

const close = 'connection: close\r\n\r\n';
const get = `GET /a?b=c HTTP/1.1\r\nhost: x\r\n${close}`;

/** Runs the handler against one request, and returns the answer as Node's client has it. */
async function ask(
  handle: Handle,
  options: http.RequestOptions = {},
  body?: string | Buffer,
): Promise<{ answer: http.IncomingMessage; body: string; hints: unknown[] }> {
  await using port = await TestPort.open({ handle });
  const request = http.request({ port: port.number, host: '127.0.0.1', agent: false, ...options });
  const hints: unknown[] = [];
  request.on('information', (info: http.InformationEvent) => hints.push([info.statusCode, { ...info.headers }]));
  request.end(body);
  const [answer] = (await once(request, 'response')) as [http.IncomingMessage];
  let text = '';
  for await (const chunk of answer) text += String(chunk);
  return { answer, body: text, hints };
}

describe('a request over HTTP/1.1', () => {
  it('is what was sent, on the socket that it came by', async () => {
    const said: unknown[] = [];
    let socket: unknown;
    await exchange((request, response) => {
      const { method, url, httpVersion, httpVersionMajor, httpVersionMinor, headers, rawHeaders, complete } = request;
      said.push({ method, url, httpVersion, httpVersionMajor, httpVersionMinor, complete });
      said.push(headers, rawHeaders, request.headersDistinct['x-list']);
      ({ socket } = request);
      response.end();
    }, 'GET /a?b=c HTTP/1.1\r\nHost: example.test:1\r\nX-List: 1\r\nx-list: 2\r\ncookie: a=1\r\nCookie: b=2\r\nConnection: close\r\n\r\n');

    expect(said).toEqual([
      { method: 'GET', url: '/a?b=c', httpVersion: '1.1', httpVersionMajor: 1, httpVersionMinor: 1, complete: true },
      { host: 'example.test:1', 'x-list': '1, 2', cookie: 'a=1; b=2', connection: 'close' },
      [
        ...['Host', 'example.test:1', 'X-List', '1', 'x-list', '2', 'cookie', 'a=1', 'Cookie', 'b=2'],
        ...['Connection', 'close'],
      ],
      ['1', '2'],
    ]);
    expect(socket).toBeInstanceOf(Socket);
  });

  it('has no more in a header than was sent, whatever its name', async () => {
    const said: unknown[] = [];
    await exchange((request, response) => {
      said.push(request.headers);
      response.end();
    }, `GET / HTTP/1.1\r\nhost: x\r\nconstructor: a\r\nconstructor: b\r\n__proto__: c\r\n${close}`);

    expect(said).toEqual([{ host: 'x', constructor: 'a, b', connection: 'close' }]);
  });

  it('in HTTP/1.0 says so, and has no host that was not sent', async () => {
    const said: unknown[] = [];
    const heard = await exchange((request, response) => {
      said.push(request.httpVersion, request.headers.host);
      response.write('half');
      response.end('whole');
    }, 'GET / HTTP/1.0\r\n\r\n');

    expect(said).toEqual(['1.0', undefined]);
    expect(heard).toMatch(/^HTTP\/1\.1 200 OK\r\n.*connection: close\r\n\r\nhalfwhole$/s);
  });

  it('streams its body, and has the trailers behind it', async () => {
    const outcome: unknown[] = [];
    await exchange((request, response) => {
      void (async () => {
        let text = '';
        outcome.push(request.complete);
        for await (const chunk of request) text += String(chunk);
        outcome.push(text, request.trailers, request.rawTrailers, request.complete);
        response.end();
      })();
    }, `POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n${close}3\r\nabc\r\n2\r\nde\r\n0\r\nx-sum: 42\r\n\r\n`);

    expect(outcome).toEqual([false, 'abcde', { 'x-sum': '42' }, ['x-sum', '42'], true]);
  });

  it.each([
    ['read', (request: AnyRequest) => finished(request.resume(), { readable: true, writable: false })],
    ['piped', (request: AnyRequest) => pipeline(request, new Writable({ write: (_chunk, _encoding, done) => done() }))],
  ])('whose caller goes away while it is %s ends with an error, and tells who listens', async (_how, read) => {
    const outcome = Promise.withResolvers<unknown>();
    const events: string[] = [];
    await using port = await TestPort.open({
      handle: (request, response) => {
        request.on('aborted', () => events.push('aborted'));
        response.on('finish', () => events.push('finish'));
        response.on('close', () => events.push('close'));
        void read(request).then(() => outcome.resolve('whole'), outcome.resolve);
      },
    });
    const client = await RawClient.connect(port.number);
    await client.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf');
    client.socket.destroy();

    expect(await outcome.promise).toMatchObject({
      code: expect.stringMatching(/^(ECONNRESET|ERR_STREAM_PREMATURE_CLOSE)$/) as unknown,
    });
    await until('all is told', () => events.length === 2);
    expect(events).toEqual(['aborted', 'close']);
  });

  it('is read no faster than its handler takes it', async () => {
    let held: AnyRequest | undefined;
    await using port = await TestPort.open({
      handle: (request, response) => {
        void (async () => {
          let bytes = 0;
          await once(response.socket as Socket, 'held');
          for await (const chunk of request) bytes += (chunk as Buffer).length;
          response.end(String(bytes));
        })();
        held = request;
      },
    });
    const size = 20_000_000;
    const client = await RawClient.connect(port.number);
    void client.write(`POST / HTTP/1.1\r\nhost: x\r\ncontent-length: ${size}\r\n\r\n`);
    void client.write(Buffer.alloc(size));
    await until('the handler has it', () => held !== undefined);
    let before = -1;
    await until('nothing more comes', () => {
      const now = held?.socket.bytesRead ?? 0;
      const isStill = now === before;
      before = now;
      return isStill && now > 0;
    });

    expect(before).toBeLessThan(size / 2);
    held?.socket.emit('held');
    expect(await client.hears(String(size))).toContain('200 OK');
    client.socket.destroy();
  });
});

describe('an answer over HTTP/1.1', () => {
  it('has the headers that were set, and says by itself how it is framed and whether the connection stays', async () => {
    const { answer, body } = await ask((_request, response) => {
      response.setHeader('X-One', '1');
      response.appendHeader('set-cookie', 'a=1');
      response.appendHeader('set-cookie', 'b=2');
      response.writeHead(201, {
        'X-Two': 2,
        'Transfer-Encoding': 'chunked',
        'keep-alive': 'timeout=1',
        'x-one': 'one',
      });
      response.end('done');
    });

    expect(answer.headers).toMatchObject({
      'x-one': 'one',
      'x-two': '2',
      'set-cookie': ['a=1', 'b=2'],
      'transfer-encoding': 'chunked',
      date: expect.stringMatching(/ GMT$/) as unknown,
    });
    expect([answer.statusCode, answer.statusMessage, body]).toEqual([201, 'Created', 'done']);
  });

  it.each<[string, (response: AnyResponse) => void]>([
    ['its header says so', (response) => response.setHeader('Connection', 'close')],
    [
      'it is told so',
      (response) => {
        response.shouldKeepAlive = false;
      },
    ],
  ])('is the last one of its connection where %s', async (_what, prepare) => {
    const heard = await exchange((_request, response) => {
      prepare(response);
      response.end('done');
    }, 'GET / HTTP/1.1\r\nhost: x\r\n\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n');

    expect(heard.match(/^connection: .*$/gim)).toEqual(['connection: close']);
    expect(heard).toMatch(/content-length: 4\r\n.*\r\n\r\ndone$/s);
  });

  it('may have a reason of its own', async () => {
    const own = await exchange((_request, response) => response.writeHead(299, 'Very Well').end(), get);
    const set = await exchange((_request, response) => {
      response.statusMessage = 'Fine';
      response.end();
    }, get);

    expect([own.split('\r\n', 1)[0], set.split('\r\n', 1)[0]]).toEqual(['HTTP/1.1 299 Very Well', 'HTTP/1.1 200 Fine']);
  });

  it.each([
    ['HEAD', 200, 'body', '4'],
    ['GET', 204, 'body', undefined],
    ['GET', 304, 'body', undefined],
    ['GET', 200, '', '0'],
  ])('to %s with status %i and %j has no body', async (method, status, text, length) => {
    const { answer, body } = await ask(
      (_request, response) => {
        response.statusCode = status;
        response.end(text);
      },
      { method },
    );

    expect([answer.statusCode, answer.headers['content-length'], body]).toEqual([status, length, '']);
  });

  it.each([
    ['less than', '5', 'abc'],
    ['more than', '2', 'abc'],
  ])('is broken off when its body is %s it said', async (_what, length, text) => {
    const answer = ask((_request, response) => {
      response.writeHead(200, { 'content-length': length });
      response.end(text);
    });

    await expect(answer).rejects.toThrow(/hang up|aborted|ECONNRESET/);
  });

  it('takes what a stream pipes into it at the pace of the reader', async () => {
    const size = 20_000_000;
    let pulled = 0;
    const ended = Promise.withResolvers<boolean>();
    await using port = await TestPort.open({
      handle: (_request, response) => {
        const source = new Readable({
          read() {
            this.push(pulled === size ? null : Buffer.alloc(50_000, 'x'));
            pulled = Math.min(size, pulled + 50_000);
          },
        });
        void pipeline(source, response).then(() => ended.resolve(response.writableFinished), ended.reject);
      },
    });
    const request = http.get({ port: port.number, host: '127.0.0.1', agent: false });
    const [answer] = (await once(request, 'response')) as [http.IncomingMessage];
    let before = -1;
    await until('no more is pulled', () => {
      const isStill = pulled === before && pulled > 0;
      before = pulled;
      return isStill;
    });

    expect(before).toBeLessThan(size);
    let bytes = 0;
    for await (const chunk of answer) bytes += (chunk as Buffer).length;
    expect([bytes, await ended.promise]).toEqual([size, true]);
  });

  it('is broken off by destroy(), so that nobody takes it for whole', async () => {
    const answer = ask((_request, response) => {
      response.write('half');
      setImmediate(() => response.destroy());
    });

    await expect(answer).rejects.toThrow(/aborted|ECONNRESET/);
  });

  it('says what comes before it and behind it', async () => {
    const { answer, hints, body } = await ask(
      (_request, response) => {
        response.writeProcessing();
        response.writeEarlyHints({ link: '</style.css>; rel=preload' });
        response.addTrailers({ 'X-Sum': '42' });
        response.write('body');
        response.end();
      },
      { headers: { te: 'trailers' } },
    );

    expect(hints).toEqual([
      [102, {}],
      [103, { link: '</style.css>; rel=preload' }],
    ]);
    expect([body, answer.trailers]).toEqual(['body', { 'x-sum': '42' }]);
  });

  it('follows on 100 Continue where that is waited for', async () => {
    await using port = await TestPort.open();
    const client = await RawClient.connect(port.number);
    await client.write('POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n');
    await client.hears('HTTP/1.1 100 Continue\r\n\r\n');
    await client.write('hi');

    expect(await client.hears('"body":"hi"')).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
    client.socket.destroy();
  });

  it('lets middleware for Express hook into its head', async () => {
    const { answer } = await ask((_request, response) => {
      const { writeHead } = response;
      response.writeHead = ((...args: Parameters<typeof writeHead>) => {
        response.setHeader('x-hooked', 'yes');
        return writeHead.apply(response, args);
      }) as typeof writeHead;
      (response as unknown as { _implicitHeader(): void })._implicitHeader();
      response.end('done');
    });

    expect(answer.headers['x-hooked']).toBe('yes');
  });
});
