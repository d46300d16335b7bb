import { describe, expect, it } from 'vitest';
import { readAnswers } from '../../../test/support/raw-http1-client.js';
import { RawConnection } from '../../../test/support/raw-connection.js';
import { fields, listener, serve } from '../../../test/support/raw-http1-server.js';
import type { Http1Stream } from './http1-stream.js';

const mebibyte = 1_048_576;
const half = Buffer.alloc(mebibyte / 2, 'a');

/** How the handler answers while half of the body is on its way. */
const handlers: Record<string, (stream: Http1Stream) => void> = {
  'at once, without reading': (stream) => {
    stream.pause();
    stream.respond(fields(200));
    stream.end(undefined, Buffer.from('early'));
  },
  'at once, and reads': (stream) => {
    stream.respond(fields(200));
    stream.end(undefined, Buffer.from('early'));
  },
  'in parts, reads, and ends with the first bytes': (stream) => {
    stream.respond(fields(200));
    stream.write(Buffer.from('ear'));
    stream.listen(
      listener({
        onData: () => {
          stream.listen(listener({}));
          stream.end(undefined, Buffer.from('ly'));
        },
      }),
    );
  },
  'in parts, without reading': (stream) => {
    stream.pause();
    stream.respond(fields(200));
    stream.write(Buffer.from('ear'));
    setImmediate(() => stream.end(undefined, Buffer.from('ly')));
  },
};

const bodies: Record<string, { head: string; parts: Buffer[] }> = {
  'with a length': { head: `content-length: ${mebibyte}`, parts: [half, half] },
  'in chunks': {
    head: 'transfer-encoding: chunked',
    parts: [
      Buffer.concat([Buffer.from('80000\r\n'), half]),
      Buffer.concat([Buffer.from('\r\n80000\r\n'), half, Buffer.from('\r\n0\r\n\r\n')]),
    ],
  },
};

const cases = Object.keys(handlers).flatMap((how) => Object.keys(bodies).map((body) => [how, body] as const));

describe('a response that comes before the body has ended', () => {
  it.each(cases)('says whether the connection stays, and it does: %s, a body %s', async (how, body) => {
    await using server = await serve((stream, head) => {
      if (head.path === '/early') handlers[how]?.(stream);
      else {
        stream.respond(fields(204));
        stream.end();
      }
    });
    const { head, parts } = bodies[body] as (typeof bodies)[string];
    const client = await RawConnection.open(server.port);

    client.write(`POST /early HTTP/1.1\r\nhost: a\r\n${head}\r\n\r\n`);
    client.write(parts[0] as Buffer);
    await client.sees('early'.slice(-2));
    const isKept = client.received.includes('connection: keep-alive');
    if (isKept) {
      client.write(parts[1] as Buffer);
      client.write('GET /next HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n');
    }

    const { answers } = readAnswers(await client.closed);
    expect(answers.map(({ status }) => status)).toEqual(isKept ? [200, 204] : [200]);
  });

  it('says that the connection closes where it is whole and much is known to come, also if that is being read', async () => {
    await using server = await serve((stream) => stream.respondOnly(fields(404)));
    const client = await RawConnection.open(server.port);

    client.write(`POST /early HTTP/1.1\r\nhost: a\r\ncontent-length: ${mebibyte}\r\n\r\n`);

    const { answers } = readAnswers(await client.closed);
    expect(answers.map(({ headers }) => headers['connection'])).toEqual(['close']);
  });

  it('is followed by the end of the connection where the body does not end in its time, however much of it comes', async () => {
    await using server = await serve((stream) => stream.respondOnly(fields(404)), { bodyTimeoutMs: 300 });
    const client = await RawConnection.open(server.port);
    const chunk = Buffer.concat([Buffer.from('10000\r\n'), Buffer.alloc(65_536), Buffer.from('\r\n')]);
    client.write('POST /early HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n');
    const sending = setInterval(() => client.write(chunk), 5);

    await client.closed;
    clearInterval(sending);

    expect(server.counters.unreadBodies).toBe(1);
    // As much at once as is worth a connection, and little after that.
    expect(server.sockets[0]?.bytesRead).toBeGreaterThan(262_144);
    expect(server.sockets[0]?.bytesRead).toBeLessThan(2_000_000);
  });

  it('does not keep the process from ending while the rest of the body comes', async () => {
    await using server = await serve((stream) => stream.respondOnly(fields(404)));
    const client = await RawConnection.open(server.port);
    client.write('POST /early HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel');
    await client.sees('404');
    const [connection] = server.connections;

    expect(connection?.isInUse).toBe(false);
    expect(connection?.shutDownStreams()).toBe(0);
    await client.closed;
  });
});
