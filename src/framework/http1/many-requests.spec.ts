import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../../test/support/eventually.js';
import { RawConnection } from '../../../test/support/raw-connection.js';
import { answer, type RawServer, serve } from '../../../test/support/raw-http1-server.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const batch = 500;

/** Heap of server and client together, after garbage has been collected. */
function heapBytes(): number {
  collectGarbage();
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

async function run(server: RawServer, socket: Socket, from: number, requests: number): Promise<void> {
  for (let first = from; first < from + requests; first += batch) {
    const parts: string[] = [];
    for (let i = first; i < first + batch; i += 1) {
      const head = `POST /${i} HTTP/1.1\r\nhost: here\r\nx-number-${i}: ${i}\r\n`;
      parts.push(
        i % 2 === 0
          ? `${head}content-length: 5\r\n\r\nhello`
          : `${head}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-t: ${i}\r\n\r\n`,
      );
    }
    socket.write(parts.join(''));
    await eventually('all are answered', () => server.counters.requests === first + batch);
  }
}

describe('a connection after very many requests', () => {
  it('holds no more than before: 100 000', { timeout: 60_000 }, async () => {
    await using server = await serve(answer);
    const socket = connect(server.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.resume();
    // What the engine's code is compiled to has settled by then.
    await run(server, socket, 0, 40_000);
    const before = heapBytes();

    await run(server, socket, 40_000, 100_000);

    // A hundredth of what 100 000 stream objects would be.

    expect(heapBytes() - before).toBeLessThan(300_000);
    expect(server.errors).toEqual([]);
    socket.destroy();
  });
});

/** Heap of a connection that has served a request and rests, with the client's end of it. */
async function heapOfEach(port: number): Promise<number> {
  const count = 1000;
  const clients: RawConnection[] = [];
  const open = async (): Promise<void> => {
    const client = await RawConnection.open(port);
    clients.push(client);
    client.write('GET / HTTP/1.1\r\nhost: here\r\nuser-agent: one of many\r\n\r\n');
    await client.sees('GET /');
  };
  for (let i = 0; i < 50; i += 1) await open();
  const before = heapBytes();
  for (let i = 0; i < count; i += 1) await open();
  const each = (heapBytes() - before) / count;
  for (const client of clients) client.destroy();
  return each;
}

describe('very many connections', () => {
  it('cost little while nothing is asked on them', { timeout: 60_000 }, async () => {
    await using server = await serve(answer);
    const plain = createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', (chunk) => socket.write(chunk));
    });
    plain.listen(0, '127.0.0.1');
    await once(plain, 'listening');

    const bare = await heapOfEach((plain.address() as AddressInfo).port);
    const each = await heapOfEach(server.port);

    // Measured: 2.1 KB.
    expect(each - bare).toBeLessThan(3000);
    plain.close();
  });
});
