import { createServer, type Server, type TLSSocket } from 'node:tls';
import type { Socket } from 'node:net';
import { afterArrivals } from './after-arrivals.js';
import type { Connection } from './connections.js';
import type { TlsOptions } from './server.options.js';
import { TlsFiles, type TlsFilesTiming, type TlsMaterial } from './tls-files.js';

/** What the TLS side reports. */
export interface TlsConnectionsInit {
  readonly options: TlsOptions;
  readonly log: (message: string, fields: object) => void;
  /** The handshake succeeded; the socket's bytes are the client's own. */
  readonly onSecure: (connection: Connection, socket: TLSSocket) => void;
  /** No handshake in time, a client without the demanded certificate, no common protocol. */
  readonly onFailure: (connection: Connection) => void;
  readonly timing?: TlsFilesTiming;
}

/** Turns raw connections into TLS ones, with the certificate that the files hold at the moment. */
export class TlsConnections {
  readonly #files: TlsFiles;
  readonly #server: Server;
  // The TLS server does not say which raw socket a TLS socket came from; both ends' addresses do.
  readonly #handshaking = new Map<string, Connection>();
  readonly #init: TlsConnectionsInit;

  /** @throws TlsFilesError a file cannot be read or they do not fit together */
  constructor(init: TlsConnectionsInit) {
    this.#init = init;
    this.#files = new TlsFiles(
      init.options,
      init.log,
      (next) => this.#server.setSecureContext(contextOf(next)),
      init.timing,
    );
    this.#server = createServer({
      ...contextOf(this.#files.material),
      ALPNProtocols: ['h2', 'http/1.1'],
      // By a timer of our own, which judges what has arrived.
      handshakeTimeout: 0,
      requestCert: init.options.clientCaFile !== undefined,
      rejectUnauthorized: true,
    });
    this.#server.on('secureConnection', (socket) => this.#onSecure(socket));
    this.#server.on('tlsClientError', (_error, socket) => {
      // The scanners of the world end here; the log is no place for them.
      const connection = this.#take(socket);
      if (connection === undefined) socket.destroy();
      else init.onFailure(connection);
    });
  }

  /** Begins the handshake on a paused socket that has the ClientHello before it. */
  accept(connection: Connection): void {
    const { socket } = connection;
    const key = addressesOf(socket);
    this.#handshaking.set(key, connection);
    const cancel = afterArrivals(this.#init.options.handshakeTimeoutMs, () => {
      if (this.#handshaking.get(key) === connection) socket.destroy();
    });
    socket.once('close', () => {
      cancel();
      // Nothing else tells of a client whose certificate is not one of the authority's.
      if (this.#handshaking.get(key) !== connection) return;
      this.#handshaking.delete(key);
      this.#init.onFailure(connection);
    });
    connection.become('handshaking');
    this.#server.emit('connection', socket);
  }

  close(): void {
    this.#files.close();
  }

  #onSecure(socket: TLSSocket): void {
    const connection = this.#take(socket);
    if (connection === undefined) socket.destroy();
    else this.#init.onSecure(connection, socket);
  }

  #take(socket: Socket): Connection | undefined {
    const key = addressesOf(socket);
    const connection = this.#handshaking.get(key);
    this.#handshaking.delete(key);
    return connection;
  }
}

function addressesOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort} ${socket.localAddress} ${socket.localPort}`;
}

function contextOf(material: TlsMaterial): {
  cert: Buffer;
  key: Buffer;
  ca?: Buffer;
  minVersion: 'TLSv1.2';
  honorCipherOrder: true;
} {
  return {
    cert: material.cert,
    key: material.key,
    ...(material.ca !== undefined && { ca: material.ca }),
    minVersion: 'TLSv1.2',
    honorCipherOrder: true,
  };
}
