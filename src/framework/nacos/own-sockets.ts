import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';

const owner = new AsyncLocalStorage<OwnSockets>();

// Node tells of every socket that is about to connect, and the storage says for whom: nothing of grpc-js needs to be known.
subscribe('net.client.socket', (message) => {
  const own = owner.getStore();
  if (own !== undefined) own.add((message as { socket: Socket }).socket);
});

/**
 * The sockets that are opened on behalf of one connection, so that they can be ended. grpc-js 1.14 does not do that for one
 * that is still connecting, or whose other end does not answer: such a socket would hold the process for minutes.
 */
export class OwnSockets {
  readonly #sockets = new Set<Socket>();
  #isClosed = false;

  /** Sockets opened by `work`, and by what it sets in motion, are of this set. */
  run<T>(work: () => T): T {
    return owner.run(this, work);
  }

  add(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    // Not at once: it is told of before it connects, and Node gives one that was destroyed by then a new life.
    if (this.#isClosed) process.nextTick(() => socket.destroy());
  }

  /** Gives the sockets `graceMs` to end by themselves, with what is still to be written; resolves when all are gone. */
  async close(graceMs: number): Promise<void> {
    this.#isClosed = true;
    const gone = [...this.#sockets].map(
      (socket) => new Promise<void>((resolve) => socket.once('close', () => resolve())),
    );
    const timer = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, graceMs);
    await Promise.all(gone);
    clearTimeout(timer);
  }
}
