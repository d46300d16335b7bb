import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { clientPreface, Flag, FrameType } from '../../src/framework/http2/frame.js';
import { frame, RawClient, requestFields, setting, settings } from './raw-http2-client.js';

const initialWindowSize = 4;

/** Connects from another address of this machine than callers usually have. */
async function connectFrom(localAddress: string, port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', localAddress });
  socket.on('error', () => {});
  await once(socket, 'connect').catch(() => undefined);
  return socket;
}

/** A client that takes as much as it gets and gives nothing back, from an address of its own. */
export class Attacker {
  readonly #address: string;
  readonly #port: number;
  readonly #sockets: Socket[] = [];

  constructor(address: string, port: number) {
    this.#address = address;
    this.#port = port;
  }

  /** Opens connections and sends the same on each. Answers are read, unless they are not to be. */
  async connections(count: number, bytes: string | Uint8Array, isReading = true): Promise<Socket[]> {
    const sockets = await Promise.all(
      Array.from({ length: count }, async () => {
        const socket = await connectFrom(this.#address, this.#port);
        if (isReading) socket.resume();
        socket.write(bytes);
        return socket;
      }),
    );
    this.#sockets.push(...sockets);
    return sockets;
  }

  /**
   * Opens one HTTP/2 connection with as many requests as the service lets it have open.
   *
   * @param windowBytes what it lets the service send on each stream
   */
  async streams(
    count: number,
    path: string,
    headers: Readonly<Record<string, string>>,
    { body, windowBytes = 65_535, method = 'POST' }: { body?: Uint8Array; windowBytes?: number; method?: string } = {},
  ): Promise<RawClient> {
    const socket = await connectFrom(this.#address, this.#port);
    this.#sockets.push(socket);
    const client = new RawClient(socket);
    client.send(
      clientPreface,
      settings(setting(initialWindowSize, windowBytes)),
      frame(FrameType.settings, Flag.ack, 0),
    );
    for (let at = 0; at < count; at += 1) {
      const id = 2 * at + 1;
      const isWhole = method === 'GET';
      client.send(client.headers(id, requestFields(path, { ...headers }, method), isWhole ? Flag.endStream : 0));
      if (body !== undefined) client.send(frame(FrameType.data, Flag.endStream, id, body));
    }
    return client;
  }

  /** Leaves. */
  close(): void {
    for (const socket of this.#sockets.splice(0)) socket.destroy();
  }
}
