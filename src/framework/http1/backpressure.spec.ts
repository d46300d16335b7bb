import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import type { Http1Stream } from './http1-stream.js';
import { eventually } from '../../../test/support/eventually.js';
import { RawConnection } from '../../../test/support/raw-connection.js';
import { readAnswers } from '../../../test/support/raw-http1-client.js';
import { answer, echo, fields, listener, serve } from '../../../test/support/raw-http1-server.js';

const get = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\nhost: here\r\n${more}\r\n`;
const postHead = (bytes: number, more = ''): string =>
  `POST / HTTP/1.1\r\nhost: here\r\ncontent-length: ${bytes}\r\n${more}\r\n`;
const last = 'connection: close\r\n';
const mebibyte = 1_048_576;

/** Bytes that tell their place. */
function numbered(bytes: number): Buffer {
  const data = Buffer.alloc(bytes);
  for (let i = 0; i + 4 <= bytes; i += 4) data.writeUInt32BE(i, i);
  return data;
}

/** A client that reads nothing until it is told to. */
async function unreading(port: number): Promise<RawConnection> {
  const client = await RawConnection.open(port);
  client.socket.pause();
  return client;
}

/** Sends as much as the server takes, until it takes no more. */
async function fill(client: RawConnection, part: Buffer, mostBytes: number): Promise<number> {
  let sent = 0;
  while (sent < mostBytes) {
    sent += part.length;
    if (client.socket.write(part)) continue;
    const isTaken = await Promise.race([
      once(client.socket, 'drain').then(() => true),
      new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 300)),
    ]);
    if (!isTaken) return sent;
  }
  return sent;
}

describe('a body that nobody takes', { timeout: 20_000 }, () => {
  it('holds its sender back, and comes whole when it is taken', async () => {
    const body = numbered(32 * mebibyte);
    const parts: Uint8Array[] = [];
    const streams: Http1Stream[] = [];
    await using server = await serve((stream) => {
      streams.push(stream);
      stream.pause();
      stream.listen(
        listener({
          onData: (chunk) => parts.push(chunk),
          onEnd: () => stream.respondOnly(fields(200)),
        }),
      );
    });
    const client = await RawConnection.open(server.port);
    client.write(postHead(body.length, last));

    let sent = 0;
    const sendAll = (): void => {
      for (; sent < body.length; sent += mebibyte) {
        if (!client.socket.write(body.subarray(sent, sent + mebibyte))) {
          sent += mebibyte;
          client.socket.once('drain', sendAll);
          return;
        }
      }
    };
    sendAll();
    await eventually('the sender is held back', () => client.socket.writableLength > 0 && streams.length === 1);
    expect(parts).toEqual([]);
    streams[0]?.resume();

    expect(readAnswers(await client.closed).answers).toMatchObject([{ status: 200 }]);
    expect(Buffer.concat(parts).equals(body)).toBe(true);
  });

  it('takes a bounded number of bytes out of the socket', async () => {
    await using server = await serve((stream) => stream.listen(listener()), {});
    await using paused = await serve((stream) => stream.pause());
    const flowing = await RawConnection.open(server.port);
    const held = await RawConnection.open(paused.port);
    flowing.write(postHead(256 * mebibyte));
    held.write(postHead(256 * mebibyte));

    const most = 64 * mebibyte;
    const part = Buffer.alloc(mebibyte);

    expect(await fill(flowing, part, most)).toBe(most);
    // What the kernel keeps for both ends is a few MiB.
    expect(await fill(held, part, most)).toBeLessThan(most / 2);
    flowing.destroy();
    held.destroy();
  });

  it('is paused and resumed as often as the handler likes', async () => {
    const body = numbered(mebibyte);
    const parts: Uint8Array[] = [];
    await using server = await serve((stream) => {
      stream.listen(
        listener({
          onData: (chunk) => {
            parts.push(chunk);
            stream.pause();
            setImmediate(() => stream.resume());
          },
          onEnd: () => stream.respondOnly(fields(200)),
        }),
      );
    });
    const client = await RawConnection.open(server.port);

    client.write(postHead(body.length, last));
    client.write(body);

    expect(readAnswers(await client.closed).answers).toMatchObject([{ status: 200 }]);
    expect(Buffer.concat(parts).equals(body)).toBe(true);
  });

  it('does not let a pipelined request past', async () => {
    const seen: string[] = [];
    await using server = await serve((stream, head) => {
      seen.push(head.path);
      if (head.path !== '/') {
        stream.respondOnly(fields(200));
        return;
      }
      stream.pause();
      stream.listen(listener({ onEnd: () => stream.respondOnly(fields(200)) }));
      setImmediate(() => {
        seen.push('resumed');
        stream.resume();
      });
    });
    const client = await RawConnection.open(server.port);

    client.write(`${postHead(5)}hello${get('/next', last)}`);

    expect(readAnswers(await client.closed).answers).toHaveLength(2);
    expect(seen).toEqual(['/', 'resumed', '/next']);
  });
});

describe('an answer that is not read', { timeout: 20_000 }, () => {
  it('holds the handler back, and comes whole when it is read', async () => {
    const body = numbered(64 * mebibyte);
    let writes = 0;
    let isEnded = false;
    await using server = await serve((stream) => {
      stream.respond(fields(200, { 'content-length': String(body.length) }));
      let at = 0;
      const go = (): void => {
        while (at < body.length) {
          writes += 1;
          const isFree = stream.write(body.subarray(at, (at += 65_536)));
          if (!isFree) return;
        }
        isEnded = true;
        stream.end();
      };
      stream.listen(listener({ onDrain: go }));
      go();
    });
    const client = await unreading(server.port);
    client.write(get('/', last));

    await eventually('the handler is held back', () => writes > 0);
    let before = -1;
    await eventually('nothing moves', () => {
      const isStill = writes === before;
      before = writes;
      return isStill;
    });
    expect(isEnded).toBe(false);
    client.socket.resume();

    const bytes = await client.closed;
    expect(bytes.subarray(bytes.indexOf('\r\n\r\n') + 4).equals(body)).toBe(true);
    expect(isEnded).toBe(true);
  });

  it.each([
    ['a known length', true],
    ['chunks', false],
  ])(
    'is given to the socket bit by bit, however large the piece it was written in, with %s',
    async (_what, isKnown) => {
      const body = numbered(48 * mebibyte);
      const closes: number[] = [];
      const streams: Http1Stream[] = [];
      await using server = await serve((stream) => {
        streams.push(stream);
        stream.listen(listener({ onClose: (code) => closes.push(code) }));
        stream.respond(fields(200, isKnown ? { 'content-length': String(body.length) } : {}));
        stream.write(body.subarray(0, 1000));
        stream.end(undefined, body.subarray(1000));
      });
      const client = await unreading(server.port);
      client.write(get('/', last));

      await eventually('the answer has begun', () => streams.length === 1);
      expect(streams[0]?.isAnswered).toBe(false);
      // The time limit for peers that take nothing looks whether this changes.
      expect(server.sockets[0]?.writableLength).toBeLessThan(300_000);
      client.socket.resume();

      const { answers, rest } = readAnswers(await client.closed);
      expect(rest).toBe('');
      expect(Buffer.from(answers[0]?.body ?? '', 'latin1').equals(body)).toBe(true);
      expect(closes).toEqual([0]);
    },
  );

  it('lets no further request begin', async () => {
    let begun = 0;
    const body = Buffer.alloc(16_000);
    await using server = await serve((stream) => {
      begun += 1;
      stream.respond(fields(200, { 'content-length': String(body.length) }));
      stream.end(undefined, body);
    });
    const client = await unreading(server.port);
    const count = 10_000;
    client.write(get('/').repeat(count));

    let before = -1;
    await eventually('nothing moves', () => {
      const isStill = begun > 0 && begun === before;
      before = begun;
      return isStill;
    });
    // What the kernel keeps for both ends is a few MiB of 160.
    expect(begun).toBeLessThan(count / 2);
    client.socket.resume();

    await eventually('all are served', () => begun === count);
    client.destroy();
  });
});

describe('an echo', { timeout: 20_000 }, () => {
  it('passes more through than would fit anywhere', { timeout: 20_000 }, async () => {
    await using server = await serve(echo);
    const body = numbered(32 * mebibyte);
    const client = await RawConnection.open(server.port);

    client.write(postHead(body.length, last));
    client.socket.write(body);

    const { answers } = readAnswers(await client.closed);
    expect(Buffer.from(answers[0]?.body ?? '', 'latin1').equals(body)).toBe(true);
  });
});

describe('a request whose body is not read', () => {
  it('is answered, and the next one served, if little is left', async () => {
    await using server = await serve((stream, head) => {
      if (head.path === '/next') answer(stream, head);
      else stream.respondOnly(fields(404));
    });
    const client = await RawConnection.open(server.port);

    client.write(postHead(100_000));
    await client.sees('404');
    client.write(Buffer.alloc(100_000));
    client.write(get('/next', last));

    const { answers } = readAnswers(await client.closed);
    expect(answers.map(({ status }) => status)).toEqual([404, 200]);
    expect(answers[0]?.headers['connection']).toBe('keep-alive');
  });

  it('is answered, and the connection closed, if much is left', async () => {
    await using server = await serve((stream) => stream.respondOnly(fields(404)));
    const client = await RawConnection.open(server.port);

    client.write(postHead(1_000_000));
    client.write(Buffer.alloc(1_000_000));

    expect(readAnswers(await client.closed).answers).toMatchObject([{ status: 404 }]);
    await server.gone(1);
  });

  it('is told in the answer that the connection closes, if it is held back and much is left', async () => {
    await using server = await serve((stream) => {
      stream.pause();
      stream.respondOnly(fields(413));
    });
    const client = await RawConnection.open(server.port);

    client.write(postHead(1_000_000));

    expect(readAnswers(await client.closed).answers).toMatchObject([{ status: 413, headers: { connection: 'close' } }]);
  });

  it('ends the connection if the caller still waits for 100', async () => {
    await using server = await serve((stream) => stream.respondOnly(fields(417)));
    const client = await RawConnection.open(server.port);

    client.write(postHead(get('/inside').length, 'expect: 100-continue\r\n'));
    await client.sees('417');
    // Body or request: nobody could say.
    client.write(get('/inside'));

    expect(readAnswers(await client.closed)).toMatchObject({
      answers: [{ status: 417, headers: { connection: 'close' } }],
      rest: '',
    });
    expect(server.counters.requests).toBe(1);
  });

  it('is read after 100 has been sent', async () => {
    await using server = await serve((stream, head) => {
      expect(head.expectsContinue).toBe(true);
      stream.inform(fields(100));
      answer(stream, head);
    });
    const client = await RawConnection.open(server.port);

    client.write(postHead(5, `expect: 100-continue\r\n${last}`));
    await client.sees('HTTP/1.1 100 Continue\r\n\r\n');
    client.write('hello');

    expect(readAnswers(await client.closed).answers.map(({ status, body }) => [status, body])).toEqual([
      [100, ''],
      [200, 'POST / hello'],
    ]);
  });
});

describe('a caller who goes away', () => {
  it.each([
    ['amid the headers', 'GET / HTTP/1.1\r\nhost', 0],
    ['amid the body', `${postHead(10)}12345`, 1],
    ['before the answer', get('/'), 1],
  ])('%s leaves nothing behind', async (_what, bytes, requests) => {
    const closes: number[] = [];
    let ended = 0;
    await using server = await serve((stream) => {
      stream.listen(listener({ onEnd: () => (ended += 1), onClose: (code) => closes.push(code) }));
    });
    const socket = connect(server.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write(bytes);
    await eventually(
      'the bytes are there',
      () => server.counters.requests === requests && server.connections[0]?.isInUse === true,
    );

    socket.resetAndDestroy();

    await server.gone(1);
    expect(closes).toEqual(requests === 0 ? [] : [8]);
    expect(server.counters.aborted).toBe(requests);
    expect(ended).toBe(bytes.startsWith('POST') ? 0 : requests);
    expect(server.errors).toEqual([]);
  });

  it('amid an answer is noticed', async () => {
    const closes: number[] = [];
    await using server = await serve((stream) => {
      stream.listen(listener({ onClose: (code) => closes.push(code) }));
      stream.respond(fields(200));
      stream.write(Buffer.from('first'));
    });
    const client = await RawConnection.open(server.port);
    client.write(get('/'));
    await client.sees('first');

    client.destroy();

    await server.gone(1);
    expect(closes).toEqual([8]);
  });

  it('amid the headers, by an orderly end, is told that they are not whole', async () => {
    await using server = await serve(answer);
    const client = await RawConnection.open(server.port);

    client.socket.end('GET /a HTTP/1.1\r\nhost');

    expect(String(await client.closed)).toMatch(/^HTTP\/1\.1 400 .*headers: end too early$/s);
  });
});

describe('an answer that breaks off', () => {
  it.each<[string, (stream: Http1Stream) => void]>([
    ['by reset before the headers', (stream) => stream.reset(2)],
    [
      'by reset amid the body',
      (stream) => {
        stream.respond(fields(200));
        stream.write(Buffer.from('half'));
        stream.reset(2);
      },
    ],
    [
      'shorter than it said',
      (stream) => {
        stream.respond(fields(200, { 'content-length': '10' }));
        stream.end(undefined, Buffer.from('half'));
      },
    ],
    [
      'longer than it said',
      (stream) => {
        stream.respond(fields(200, { 'content-length': '10' }));
        stream.end(undefined, Buffer.from('HTTP/1.1 200 OK\r\n\r\n'));
      },
    ],
  ])('%s is no whole answer to the caller', async (_what, act) => {
    const closes: number[] = [];
    await using server = await serve((stream) => {
      stream.listen(listener({ onClose: (code) => closes.push(code) }));
      act(stream);
      expect(stream.isClosed).toBe(true);
    });
    const client = await RawConnection.open(server.port);

    client.write(get('/') + get('/next'));

    expect(readAnswers(await client.closed).answers).toEqual([]);
    expect(closes).toEqual([2]);
    expect(server.counters).toMatchObject({ requests: 1, reset: 1 });
  });
});
