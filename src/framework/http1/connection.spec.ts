import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, request } from 'node:http';
import { Agent, request as requestTls } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { precompute } from './answer-head.js';
import { Http1Connection } from './connection.js';
import { http1ConnectionOptions } from './http1.options.js';
import { Http1HeaderError } from './http1.errors.js';
import type { Http1Stream } from './http1-stream.js';
import type { Http1RequestHead } from './request-head.js';
import { TestAuthority } from '../../../test/support/certificates.js';
import { RawConnection } from '../../../test/support/raw-connection.js';
import { readAnswers } from '../../../test/support/raw-http1-client.js';
import { answer, echo, fields, listener, named, refuse, serve } from '../../../test/support/raw-http1-server.js';

const get = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\nhost: here\r\n${more}\r\n`;
const post = (path: string, body: string, more = ''): string =>
  `POST ${path} HTTP/1.1\r\nhost: here\r\ncontent-length: ${body.length}\r\n${more}\r\n${body}`;
const last = 'connection: close\r\n';

/** What the server sends in answer to `parts`, each sent when the one before has been read. */
async function exchange(port: number, ...parts: string[]): Promise<Buffer> {
  const client = await RawConnection.open(port);
  client.socket.setNoDelay(true);
  for (const part of parts) client.write(Buffer.from(part, 'latin1'));
  return client.closed;
}

/** Headers, body and trailers of an answer, for comparison. */
const plain = (status: number, body: string, more: Record<string, string> = {}): object => ({
  status,
  headers: { 'content-length': String(body.length), connection: 'keep-alive', 'keep-alive': 'timeout=5', ...more },
  body,
  trailers: {},
});
const final = (status: number, body: string, more: Record<string, string> = {}): object => ({
  status,
  headers: { 'content-length': String(body.length), connection: 'close', ...more },
  body,
  trailers: {},
});

describe('Http1Connection', () => {
  it('answers requests one after the other on one connection', async () => {
    await using server = await serve(answer);
    const client = await RawConnection.open(server.port);

    client.write(get('/one'));
    await client.sees('GET /one');
    client.write(post('/two?x=1', 'body'));
    await client.sees('POST /two');
    client.write(get('/three', last));

    const { answers, rest } = readAnswers(await client.closed);
    expect(answers).toEqual([plain(200, 'GET /one '), plain(200, 'POST /two?x=1 body'), final(200, 'GET /three ')]);
    expect(rest).toBe('');
    expect(server.counters.requests).toBe(3);
    await server.gone(1);
  });

  it('takes requests that come one byte at a time', async () => {
    await using server = await serve(answer);

    const chunked =
      'POST /2 HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2;a="b\\""\r\nhi\r\n0\r\nx-t: 1\r\n\r\n';
    const bytes = await exchange(server.port, ...post('/1', 'hello'), ...chunked, ...get('/3', last));

    const { answers } = readAnswers(bytes);
    expect(answers.map(({ body }) => body)).toEqual(['POST /1 hello', 'POST /2 hi', 'GET /3 ']);
  });

  it('answers pipelined requests in order, each when the one before is out', async () => {
    const open: string[] = [];
    await using server = await serve((stream, head) => {
      open.push(head.path);
      expect(open).toHaveLength(1);
      setImmediate(() => {
        open.pop();
        answer(stream, head);
      });
    });

    const bytes = await exchange(server.port, get('/1') + post('/2', 'two') + get('/3') + get('/4', last));

    const { answers } = readAnswers(bytes);
    expect(answers.map(({ body }) => body)).toEqual(['GET /1 ', 'POST /2 two', 'GET /3 ', 'GET /4 ']);
  });

  it('sends the answers of one turn in one write', async () => {
    await using server = await serve((stream, head) => {
      void Promise.resolve().then(() => answer(stream, head));
    });
    const client = await RawConnection.open(server.port);
    const reads: number[] = [];
    client.socket.on('data', (chunk: Buffer) => reads.push(chunk.length));

    client.write(get('/1') + get('/2') + get('/3', last));
    const bytes = await client.closed;

    expect(readAnswers(bytes).answers).toHaveLength(3);
    expect(reads).toEqual([bytes.length]);
  });

  it('passes bodies in chunks and trailers both ways', async () => {
    await using server = await serve(echo);

    const head = `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n${last}\r\n`;
    const bytes = await exchange(server.port, `${head}3\r\nabc\r\nA;ext\r\n0123456789\r\n0\r\nX-Sum: 42\r\n\r\n`);

    const { answers, rest } = readAnswers(bytes);
    expect(answers).toEqual([
      {
        status: 200,
        headers: { 'transfer-encoding': 'chunked', connection: 'close' },
        body: 'abc0123456789',
        trailers: { 'x-sum': '42' },
      },
    ]);
    expect(rest).toBe('');
  });

  it('gives the head as it was sent', async () => {
    const heads: Http1RequestHead[] = [];
    await using server = await serve((stream, head) => {
      heads.push(head);
      answer(stream, head);
    });

    const lines = 'X-One:  a b \t\r\nACCEPT:\r\nx-one: ü\r\n';
    await exchange(server.port, `\r\nGET http://Here:80/a?b=c HTTP/1.1\r\nHOST: here:80\r\n${lines}${last}\r\n`);

    const [head] = heads;
    expect(head).toMatchObject({
      method: 'GET',
      path: '/a?b=c',
      authority: 'Here:80',
      httpVersionMinor: 1,
      endStream: true,
    });
    expect(head?.fields).toEqual([
      'host',
      'here:80',
      'x-one',
      'a b',
      'accept',
      '',
      'x-one',
      'ü',
      'connection',
      'close',
    ]);
    expect(head?.rawNames).toEqual(['HOST', 'X-One', 'ACCEPT', 'x-one', 'connection']);
  });

  it('leaves the body out where there must be none', async () => {
    await using server = await serve((stream, head) => {
      const status = Number(head.path.slice(1));
      stream.respond(fields(status, { 'content-length': '5' }));
      stream.end(undefined, Buffer.from('hello'));
    });

    const heads = `HEAD /200 HTTP/1.1\r\nhost: a\r\n\r\n${get('/204')}${get('/304')}${get('/205')}${get('/200', last)}`;
    const { answers, rest } = readAnswers(await exchange(server.port, heads), ['HEAD']);

    expect(answers.map(({ status, headers, body }) => [status, headers['content-length'], body])).toEqual([
      [200, '5', ''],
      [204, undefined, ''],
      [304, '5', ''],
      [205, '0', ''],
      [200, '5', 'hello'],
    ]);
    expect(rest).toBe('');
  });

  it('delimits an answer by its headers alone where they are all', async () => {
    await using server = await serve((stream) => stream.respondOnly(fields(201, { 'x-a': 'b' })));

    const { answers } = readAnswers(await exchange(server.port, get('/', last)));

    expect(answers).toEqual([final(201, '', { 'x-a': 'b' })]);
  });

  it('speaks to HTTP/1.0 as that expects it', async () => {
    await using server = await serve((stream, head) => {
      if (head.path === '/known') answer(stream, head);
      else {
        stream.inform(fields(103));
        stream.respond(fields(200));
        stream.write(Buffer.from('of '));
        stream.end(named({ 'x-lost': '1' }), Buffer.from('unknown length'));
      }
    });

    const first = 'GET /known HTTP/1.0\r\nconnection: keep-alive\r\n\r\n';
    const bytes = await exchange(server.port, `${first}GET /unknown HTTP/1.0\r\nconnection: keep-alive\r\n\r\n`);
    const closed = await exchange(server.port, 'GET /known HTTP/1.0\r\n\r\n');

    expect(readAnswers(bytes).answers).toEqual([
      plain(200, 'GET /known '),
      { status: 200, headers: { connection: 'close' }, body: 'of unknown length', trailers: {} },
    ]);
    expect(readAnswers(closed).answers).toEqual([final(200, 'GET /known ')]);
  });

  it('closes after an answer that says so', async () => {
    await using server = await serve((stream) => stream.respondOnly(fields(200, { connection: 'close' })));

    const { answers } = readAnswers(await exchange(server.port, get('/1') + get('/2')));

    expect(answers).toEqual([final(200, '')]);
  });

  it('closes after as many requests as are allowed', async () => {
    await using server = await serve(answer, { maxRequestsPerConnection: 2 });

    const { answers } = readAnswers(await exchange(server.port, get('/1') + get('/2') + get('/3')));

    expect(answers).toEqual([plain(200, 'GET /1 '), final(200, 'GET /2 ')]);
  });

  it('sends precomputed fields as those they were made of', async () => {
    const head = precompute(fields(200, { 'content-length': '2', 'x-a': 'b' }));
    const hints = precompute(fields(103, { link: '</a>' }));
    await using server = await serve((stream) => {
      stream.inform(hints);
      stream.respond(head);
      stream.end(undefined, Buffer.from('ok'));
    });

    const { answers } = readAnswers(await exchange(server.port, get('/', last)));

    expect(answers.map(({ status, headers }) => [status, headers])).toEqual([
      [103, { link: '</a>' }],
      [200, { 'x-a': 'b', 'content-length': '2', connection: 'close' }],
    ]);
  });

  it('sends fields that are always the same in front of those of one answer', async () => {
    const fixed = fields(200, { 'x-a': 'b' });
    await using server = await serve((stream, head) => {
      stream.respondWith(fixed, named({ 'content-length': '2', 'x-path': head.path }));
      stream.end(undefined, Buffer.from('ok'));
    });

    const { answers } = readAnswers(await exchange(server.port, get('/1'), get('/2', last)));

    expect(answers).toEqual([
      plain(200, 'ok', { 'x-a': 'b', 'x-path': '/1' }),
      final(200, 'ok', { 'x-a': 'b', 'x-path': '/2' }),
    ]);
  });

  it.each<[string, (stream: Http1Stream) => void]>([
    ['a bad value behind what is always the same', (stream) => stream.respondWith(fields(200), named({ 'x-a': '\n' }))],
    ['a bad value in what is always the same', (stream) => stream.respondWith(fields(200, { 'x-a': '\n' }), [])],
    ['a value with a line end', (stream) => stream.respond(fields(200, { 'x-a': 'b\r\nc: d' }))],
    ['a value that is not Latin-1', (stream) => stream.respond(fields(200, { 'x-a': '☃' }))],
    ['a name that is no token', (stream) => stream.respond(fields(200, { 'x a': 'b' }))],
    ['no status', (stream) => stream.respond(named({ 'x-a': 'b' }))],
    ['an interim status for an answer', (stream) => stream.respond(fields(100))],
    ['101 as an interim answer', (stream) => stream.inform(fields(101))],
    [
      'two lengths',
      (stream) => stream.respond([...fields(200, { 'content-length': '1' }), { name: 'content-length', value: '2' }]),
    ],
    ['a length that is no number', (stream) => stream.respond(fields(200, { 'content-length': '1, 1' }))],
    ['an unknown transfer coding', (stream) => stream.respond(fields(200, { 'transfer-encoding': 'gzip' }))],
    ['a body before the headers', (stream) => stream.write(Buffer.from('x'))],
    ['bytes that precompute has not made', (stream) => stream.respond(Buffer.from('HTTP/1.1 200 OK\r\n'))],
    ['precomputed fields in the wrong place', (stream) => stream.respond(precompute(fields(103)))],
    [
      'a length in trailers',
      (stream) => {
        stream.respond(fields(200));
        stream.end(named({ 'content-length': '5' }));
      },
    ],
  ])('refuses to send %s', async (_what, act) => {
    let error: unknown;
    await using server = await serve((stream) => {
      try {
        act(stream);
      } catch (thrown) {
        error = thrown;
        if (stream.isAnswered) return;
        stream.respond(fields(200, { connection: 'close' }));
        stream.end();
      }
    });

    const bytes = await exchange(server.port, get('/', last));

    expect(error).toBeInstanceOf(Http1HeaderError);
    expect(bytes.toString()).toMatch(
      /^HTTP\/1\.1 200 OK\r\n(?:transfer-encoding: chunked\r\n)connection: close\r\n\r\n0\r\n\r\n$/,
    );
  });

  it('is understood by the client of Node', async () => {
    await using server = await serve(echo);
    const asked = request({ port: server.port, host: '127.0.0.1', method: 'POST', headers: { trailer: 'x-t' } });
    asked.write('one ');
    asked.addTrailers({ 'x-t': 'yes' });
    asked.end('two');

    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    const parts: Buffer[] = [];
    for await (const part of response) parts.push(part as Buffer);

    expect([response.statusCode, String(Buffer.concat(parts)), response.trailers]).toEqual([
      200,
      'one two',
      { 'x-t': 'yes' },
    ]);
  });

  it('speaks over TLS as well', async () => {
    using authority = new TestAuthority();
    const { certFile, keyFile } = authority.issue('localhost');
    const tls = { cert: readFileSync(certFile), key: readFileSync(keyFile), allowHalfOpen: true };
    const body = randomBytes(3_000_000);
    const handler = { onRequest: echo, onRefused: refuse, onUpgrade: () => false };
    const connections: Http1Connection[] = [];
    const server = createTlsServer(tls, (socket) => {
      connections.push(new Http1Connection(socket, http1ConnectionOptions(), handler));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const agent = new Agent({ keepAlive: true, ca: readFileSync(authority.caFile), maxSockets: 1 });

    for (let i = 0; i < 3; i += 1) {
      const asked = requestTls({ port, host: '127.0.0.1', method: 'POST', agent });
      asked.end(body);
      const [response] = (await once(asked, 'response')) as [IncomingMessage];
      const parts: Buffer[] = [];
      for await (const part of response) parts.push(part as Buffer);
      expect(Buffer.concat(parts).equals(body)).toBe(true);
    }
    expect(connections).toHaveLength(1);
    agent.destroy();
    server.close();
  });

  it('goes on when a handler throws, with other connections', async () => {
    await using server = await serve((stream, head) => {
      if (head.path === '/bad') throw new Error('of the handler');
      if (head.path === '/worse') {
        stream.listen(
          listener({
            onEnd: () => {
              throw new Error('of the listener');
            },
          }),
        );
        return;
      }
      answer(stream, head);
    });

    expect(String(await exchange(server.port, get('/bad')))).toBe('');
    expect(String(await exchange(server.port, get('/worse')))).toBe('');
    expect(String(await exchange(server.port, get('/good', last)))).toContain('GET /good');
    expect(server.errors.map(String)).toEqual(['Error: of the handler', 'Error: of the listener']);
    expect(server.counters.reset).toBe(2);
  });

  it('hands a socket over that asks for another protocol, with all that has come', async () => {
    const taken = createServer();
    taken.on('upgrade', (_request, socket, head: Buffer) => {
      socket.end(`HTTP/1.1 101 Switching Protocols\r\n\r\n${String(head)}`);
    });
    await using server = await serve(
      answer,
      {},
      {
        onUpgrade: (head, bytes, socket) => {
          if (head.fields.includes('h2c')) return false;
          socket.unshift(bytes);
          taken.emit('connection', socket);
          socket.resume();
          return true;
        },
      },
    );

    const upgrade = (to: string): string => get('/', `connection: upgrade\r\nupgrade: ${to}\r\n`);
    const bytes = await exchange(server.port, `${get('/1')}${upgrade('h2c')}${upgrade('websocket')}frames`);

    const { answers, rest } = readAnswers(bytes);
    expect(answers.map(({ status, body }) => [status, body])).toEqual([
      [200, 'GET /1 '],
      [200, 'GET / '],
      [101, ''],
    ]);
    expect(rest).toBe('frames');
    expect(server.counters).toMatchObject({ requests: 2, upgrades: 1 });
  });

  it('takes nothing behind CONNECT for a request', async () => {
    const heads: Http1RequestHead[] = [];
    await using server = await serve((stream, head) => {
      heads.push(head);
      stream.respondOnly(fields(501));
    });

    const bytes = await exchange(server.port, `CONNECT there:443 HTTP/1.1\r\nhost: there:443\r\n\r\n${get('/inside')}`);

    expect(readAnswers(bytes).answers).toEqual([final(501, '')]);
    expect(heads).toMatchObject([{ method: 'CONNECT', authority: 'there:443', path: '', endStream: true }]);
  });
});
