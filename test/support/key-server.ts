import type { KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A public key and the name that tokens call it by. */
export interface PublishedKey {
  readonly kid: string;
  readonly publicKey: KeyObject;
}

/** A real JSON Web Key Set at a URL; what it publishes can change, and it can be away. */
export class KeyServer {
  /** Requests so far. */
  requests = 0;
  #server: Server | undefined;
  #port = 0;
  #keys: readonly object[] = [];

  static async start(...keys: readonly PublishedKey[]): Promise<KeyServer> {
    const server = new KeyServer();
    server.publish(...keys);
    await server.up();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/keys`;
  }

  /** Publishes these keys and no others. */
  publish(...keys: readonly PublishedKey[]): void {
    this.#keys = keys.map(({ kid, publicKey }) => ({ ...publicKey.export({ format: 'jwk' }), kid, use: 'sig' }));
  }

  /** Listens, on the same port as before. */
  async up(): Promise<void> {
    this.#server = createServer((_request, response) => {
      this.requests += 1;
      response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: this.#keys }));
    });
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** Refuses connections from now on. May be called twice. */
  async down(): Promise<void> {
    if (this.#server === undefined) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    this.#server = undefined;
    await closed;
  }
}
