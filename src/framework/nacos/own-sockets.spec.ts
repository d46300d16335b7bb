import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { OwnSockets } from './own-sockets.js';

let server: Server;
const accepted = new Set<Socket>();

beforeEach(async () => {
  server = createServer((socket) => accepted.add(socket.on('error', () => {})));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterEach(async () => {
  for (const socket of accepted) socket.destroy();
  accepted.clear();
  server.close();
  await once(server, 'close');
});

const open = (): Socket => connect((server.address() as AddressInfo).port, '127.0.0.1');

/** Whoever was to be connected before is by then. */
async function anotherConnects(): Promise<void> {
  const other = open();
  await once(other, 'connect');
  other.destroy();
}

describe('OwnSockets', () => {
  it('ends those that are open when it is closed', async () => {
    const own = new OwnSockets();
    const socket = own.run(open);
    await once(socket, 'connect');

    await own.close(0);

    expect(socket.destroyed).toBe(true);
  });

  it('ends those that are opened after it was closed, which Node would revive before they connect', async () => {
    const own = new OwnSockets();
    await own.close(0);

    const socket = own.run(open);
    const onConnect = vi.fn<() => void>();
    socket.on('connect', onConnect);
    await once(socket, 'close');
    await anotherConnects();

    expect(onConnect).not.toHaveBeenCalled();
    expect(socket.destroyed).toBe(true);
  });

  it('leaves those of others alone', async () => {
    const own = new OwnSockets();
    const socket = open();
    await once(socket, 'connect');

    await own.close(0);

    expect(socket.destroyed).toBe(false);
    socket.destroy();
  });
});
