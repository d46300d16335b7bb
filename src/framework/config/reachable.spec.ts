import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { isReachable } from './reachable.js';

const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function listening(): Promise<{ host: string; port: number }> {
  const server = createServer((socket) => socket.on('error', () => {}).resume()).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
}

// Nothing listens there: it is below what is given out.
const nobody = { host: '127.0.0.1', port: 1 };
// For documentation (RFC 5737): no route leads there, or packets for it vanish.
const blackHole = { host: '192.0.2.1', port: 8848 };

describe('isReachable', () => {
  it('is true as soon as one of them takes a connection', async () => {
    expect(await isReachable([nobody, blackHole, await listening()], 5000)).toBe(true);
  });

  it('is false at once when all refuse', async () => {
    const startedAt = performance.now();

    expect(await isReachable([nobody, { host: '[::1]', port: 1 }], 5000)).toBe(false);
    expect(performance.now() - startedAt).toBeLessThan(1000);
  });

  it('is false when nobody answers in time', async () => {
    const startedAt = performance.now();

    expect(await isReachable([nobody, blackHole], 50)).toBe(false);
    expect(performance.now() - startedAt).toBeLessThan(1000);
  });

  it('is not asked for nothing', async () => {
    expect(await isReachable([], 50)).toBe(true);
  });
});
