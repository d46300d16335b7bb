import { connect, type Socket } from 'node:net';
import { once } from 'node:events';

/** A TCP connection on which a test says what no well-behaved client would. */
export class RawConnection {
  readonly socket: Socket;
  /** Resolves with everything received when the server has closed or broken the connection. */
  readonly closed: Promise<Buffer>;
  readonly #chunks: Buffer[] = [];

  private constructor(socket: Socket) {
    this.socket = socket;
    const { promise, resolve } = Promise.withResolvers<Buffer>();
    this.closed = promise;
    socket.on('data', (chunk: Buffer) => this.#chunks.push(chunk));
    // A reset is one way for the server to close.
    socket.on('error', () => {});
    socket.on('close', () => resolve(Buffer.concat(this.#chunks)));
  }

  static async open(port: number): Promise<RawConnection> {
    const socket = connect({ port, host: '127.0.0.1' });
    await once(socket, 'connect');
    return new RawConnection(socket);
  }

  get received(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  write(data: string | Uint8Array): void {
    this.socket.write(data);
  }

  /** Resolves as soon as what came in includes `text`; rejects when the connection ends before. */
  async sees(text: string): Promise<void> {
    while (!this.received.includes(text)) {
      if (this.socket.destroyed)
        throw new Error(`connection closed before ${JSON.stringify(text)}: ${this.received.toString()}`);
      await Promise.race([once(this.socket, 'data').catch(() => undefined), this.closed]);
    }
  }

  destroy(): void {
    this.socket.destroy();
  }
}

/** Opens a connection, sends `bytes`, and gives what the server answered until it closed. */
export async function exchangeRaw(port: number, bytes: string | Uint8Array): Promise<string> {
  const connection = await RawConnection.open(port);
  connection.write(bytes);
  const received = await connection.closed;
  return received.toString('latin1');
}

/** The JSON body of an answer as it came over the wire. */
export function bodyOf(answer: string): unknown {
  const at = answer.indexOf('\r\n\r\n');
  return at < 0 ? undefined : (JSON.parse(answer.slice(at + 4)) as unknown);
}
