import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../../test/support/eventually.js';
import { RawConnection } from '../../../test/support/raw-connection.js';
import { readAnswers } from '../../../test/support/raw-http1-client.js';
import { answer, fields, listener, serve } from '../../../test/support/raw-http1-server.js';

const soon = 10;
const get = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\nhost: here\r\n${more}\r\n`;
const postHead = (bytes: number): string => `POST / HTTP/1.1\r\nhost: here\r\ncontent-length: ${bytes}\r\n\r\n`;
const chunkedHead = 'POST / HTTP/1.1\r\nhost: here\r\ntransfer-encoding: chunked\r\n\r\n';

describe('a connection in time', () => {
  it.each([
    ['a request line', 'GET /slow', { headersTimeoutMs: soon }, 'headers: too late'],
    ['headers', 'GET /slow HTTP/1.1\r\nhost: here\r\n', { headersTimeoutMs: soon }, 'headers: too late'],
    ['a body', `${postHead(10)}12345`, { bodyTimeoutMs: soon }, 'body: too late'],
    ['a body in chunks', `${chunkedHead}5\r\n123`, { bodyTimeoutMs: soon }, 'body: too late'],
    ['a chunk size', `${chunkedHead}5`, { bodyTimeoutMs: soon }, 'body: too late'],
    ['trailers', `${chunkedHead}0\r\nx-a`, { bodyTimeoutMs: soon }, 'body: too late'],
  ])('answers %s that does not come to its end, and closes', async (_what, bytes, changes, why) => {
    await using server = await serve(answer, changes);
    const client = await RawConnection.open(server.port);

    client.write(bytes);

    const { answers } = readAnswers(await client.closed);
    expect(answers).toMatchObject([{ status: 408, body: `timeout: ${why}`, headers: { connection: 'close' } }]);
    expect(server.counters.refused.timeout).toBe(1);
    await server.gone(1);
  });

  it('tells the handler what has come of the headers', async () => {
    const heads: object[] = [];
    await using server = await serve(
      answer,
      { headersTimeoutMs: soon },
      {
        onRefused: (stream, { status }, head) => {
          heads.push(head);
          stream.respondOnly(fields(status));
        },
      },
    );
    const client = await RawConnection.open(server.port);

    client.write('PUT /slow?a HTTP/1.1\r\nhost: here\r\nx-half: val');
    await client.closed;

    expect(heads).toEqual([{ method: 'PUT', path: '/slow?a', httpVersionMinor: 1, fields: ['host', 'here'] }]);
  });

  it('breaks an answer off that has begun before its request came to its end', async () => {
    const closes: number[] = [];
    await using server = await serve(
      (stream) => {
        stream.respond(fields(200));
        stream.write(Buffer.from('early'));
        stream.listen(listener({ onClose: (code) => closes.push(code) }));
      },
      { bodyTimeoutMs: soon },
    );
    const client = await RawConnection.open(server.port);

    client.write(`${postHead(10)}12345`);

    expect(readAnswers(await client.closed).answers).toEqual([]);
    expect(closes).toEqual([1]);
  });

  it('does not wait for the rest of a request that is answered', async () => {
    await using server = await serve((stream) => stream.respondOnly(fields(404)), { bodyTimeoutMs: soon });
    const client = await RawConnection.open(server.port);

    client.write(`${postHead(10)}12345`);

    expect(readAnswers(await client.closed).answers).toMatchObject([{ status: 404 }]);
    expect(server.counters).toMatchObject({ unreadBodies: 1, refused: { timeout: 0 } });
  });

  it('does not count the time in which the handler holds the body back', async () => {
    let isOver = false;
    await using server = await serve(
      (stream, head) => {
        stream.pause();
        answer(stream, head);
        // Three looks of the timer.
        setTimeout(() => {
          isOver = true;
          stream.resume();
        }, 900);
      },
      { bodyTimeoutMs: 600 },
    );
    const client = await RawConnection.open(server.port);

    client.write(`${postHead(5)}hello`);
    await client.sees('hello');

    expect(isOver).toBe(true);
    expect(server.counters.refused.timeout).toBe(0);
    client.destroy();
  });

  it('closes when nothing is asked', async () => {
    await using server = await serve(answer, { keepAliveTimeoutMs: soon });
    const silent = await RawConnection.open(server.port);
    const served = await RawConnection.open(server.port);

    served.write(`${get('/')}\r\n`);

    expect(String(await silent.closed)).toBe('');
    expect(readAnswers(await served.closed).answers).toMatchObject([{ status: 200 }]);
    expect(server.counters.idleTimeouts).toBe(2);
  });

  it('does not close while a request is worked on', async () => {
    await using server = await serve(
      (stream, head) => {
        setTimeout(() => answer(stream, head), 1600);
      },
      { keepAliveTimeoutMs: soon, headersTimeoutMs: soon, bodyTimeoutMs: soon },
    );
    const client = await RawConnection.open(server.port);

    client.write(get('/', 'connection: close\r\n'));

    expect(readAnswers(await client.closed).answers).toMatchObject([{ status: 200 }]);
  });

  it('gives up a peer that takes nothing', async () => {
    const closes: number[] = [];
    await using server = await serve(
      (stream) => {
        stream.listen(listener({ onClose: (code) => closes.push(code) }));
        stream.respond(fields(200));
        stream.end(undefined, Buffer.alloc(32_000_000));
      },
      { sendStallTimeoutMs: 500 },
    );
    const client = await RawConnection.open(server.port);
    client.socket.pause();

    client.write(get('/'));

    await server.gone(1);
    expect(closes).toEqual([8]);
    expect(server.counters.stalled).toBe(1);
    client.destroy();
  });

  it('is not cut while its peer reads, however slowly, also where as much waits at every look', async () => {
    const bytes = 64_000_000;
    await using server = await serve(
      (stream) => {
        stream.respond(fields(200));
        stream.end(undefined, Buffer.alloc(bytes));
      },
      { sendStallTimeoutMs: 500 },
    );
    const { socket } = await RawConnection.open(server.port);
    let isRead = 0;
    socket.on('data', () => {
      // Some 2 MB every 100 ms for 2.5 s: five times the limit.
      if (socket.bytesRead - isRead > 2_000_000) socket.pause();
    });
    const reading = setInterval(() => {
      isRead = socket.bytesRead;
      socket.resume();
    }, 100);

    socket.write(get('/'));
    await delay(2500);

    clearInterval(reading);
    expect(server.counters.stalled).toBe(0);
    expect(socket.bytesRead).toBeLessThan(bytes);
    isRead = Number.POSITIVE_INFINITY;
    socket.resume();
    while (socket.bytesRead < bytes) await once(socket, 'data');
    socket.destroy();
  });

  it('reads on for a while after a refusal, and then closes', async () => {
    await using server = await serve(answer);
    const client = await RawConnection.open(server.port);
    client.socket.allowHalfOpen = true;

    client.write('no request\r\n');
    // Sent by a client that has not seen the answer yet: closed at once, it never would.
    client.write(Buffer.alloc(1_000_000));

    await client.sees('HTTP/1.1 400');
    // Two looks of the timer.
    await delay(600);
    client.write(Buffer.alloc(1_000_000));

    await server.gone(1);
    expect(server.sockets[0]?.bytesRead).toBeGreaterThan(2_000_000);
  });
});

describe('a connection that is to end', () => {
  it('says so with the next answer, and closes', async () => {
    await using server = await serve(answer);
    const client = await RawConnection.open(server.port);
    client.write(get('/1'));
    await client.sees('GET /1');
    const [connection] = server.connections;

    connection?.announce();
    connection?.announce();
    client.write(get('/2'));

    const { answers } = readAnswers(await client.closed);
    expect(answers.map(({ headers }) => headers['connection'])).toEqual(['keep-alive', 'close']);
  });

  it('says so with the answer at hand', async () => {
    await using server = await serve((stream, head) => {
      server.connections[0]?.announce();
      setImmediate(() => answer(stream, head));
    });
    const client = await RawConnection.open(server.port);

    client.write(get('/1'));

    expect(readAnswers(await client.closed).answers).toMatchObject([{ headers: { connection: 'close' } }]);
  });

  it('serves what has come behind the request at hand', async () => {
    await using server = await serve((stream, head) => {
      server.connections[0]?.announce();
      setImmediate(() => answer(stream, head));
    });
    const client = await RawConnection.open(server.port);

    client.write(get('/1') + get('/2') + get('/3'));

    const { answers } = readAnswers(await client.closed);
    expect(answers.map(({ headers, body }) => [headers['connection'], body])).toEqual([
      ['keep-alive', 'GET /1 '],
      ['keep-alive', 'GET /2 '],
      ['close', 'GET /3 '],
    ]);
  });

  it('is in use from the first byte of a request to the last one of its answer', async () => {
    let finish: (() => void) | undefined;
    await using server = await serve((stream, head) => {
      finish = () => answer(stream, head);
    });
    const client = await RawConnection.open(server.port);
    const inUse = (): boolean | undefined => server.connections[0]?.isInUse;
    await eventually('it is there', () => inUse() === false);

    client.write('\r\n');
    client.write('G');
    await eventually('a byte has come', () => inUse() === true);
    client.write(get('/').slice(1));
    await eventually('the request has come', () => finish !== undefined);
    expect(inUse()).toBe(true);
    const before = performance.now();
    finish?.();

    expect(inUse()).toBe(false);
    expect(server.connections[0]?.idleMs).toBeLessThanOrEqual(performance.now() - before);
    await client.sees('GET /');
    client.write('\r\n');
    client.write(get('/2'));
    await client.sees('GET /');
    client.destroy();
  });

  it('is not in use for an empty line', async () => {
    await using server = await serve(answer);
    const client = await RawConnection.open(server.port);

    client.write(`${get('/')}\r\n`);
    await client.sees('GET /');

    expect(server.connections[0]?.isInUse).toBe(false);
    client.destroy();
  });

  it('ends at once when it is destroyed', async () => {
    const closes: number[] = [];
    await using server = await serve((stream) => {
      stream.listen(listener({ onClose: (code) => closes.push(code) }));
    });
    const client = await RawConnection.open(server.port);
    client.write(get('/'));
    await eventually('the request has come', () => server.counters.requests === 1);

    server.connections[0]?.destroy();
    server.connections[0]?.destroy();

    await client.closed;
    await server.gone(1);
    expect(closes).toEqual([8]);
  });
});
