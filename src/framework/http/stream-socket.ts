import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { type PeerCertificate, TLSSocket } from 'node:tls';
import { ErrorCode, type Http2Stream } from '../http2/index.js';

/** What an application may ask of the HTTP/2 connection under a request, as of `request.socket` in HTTP/1.1. */
export interface Transport {
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
  readonly remoteFamily: string | undefined;
  readonly localAddress: string | undefined;
  readonly localPort: number | undefined;
  readonly localFamily: string | undefined;
  readonly encrypted: boolean;
  readonly authorized: boolean;
  readonly alpnProtocol: string | false | null;
  getPeerCertificate(detailed?: boolean): PeerCertificate | Record<string, never>;
}

/** The socket of an HTTP/2 connection, to look at: what is written there would tear the frames. */
export function transportOf(socket: Socket): Transport {
  const tls = socket instanceof TLSSocket ? socket : undefined;
  // Asked of the handle each time, and the same for all requests; they are gone when the socket is.
  const { remoteAddress, remotePort, remoteFamily, localAddress, localPort, localFamily } = socket;
  return {
    remoteAddress,
    remotePort,
    remoteFamily,
    localAddress,
    localPort,
    localFamily,
    encrypted: tls !== undefined,
    authorized: tls?.authorized === true,
    alpnProtocol: tls?.alpnProtocol ?? null,
    getPeerCertificate: (detailed = false) => tls?.getPeerCertificate(detailed) ?? {},
  };
}

/**
 * `request.socket` of one request on HTTP/2. It closes with the request's own stream: to a handler that watches for a
 * caller who has gone, the stream is the connection.
 */
export class StreamSocket extends EventEmitter implements Transport {
  readonly #transport: Transport;
  readonly #stream: Pick<Http2Stream, 'isClosed' | 'reset'>;
  destroyed: boolean;

  constructor(transport: Transport, stream: Pick<Http2Stream, 'isClosed' | 'reset'>) {
    super();
    this.#transport = transport;
    this.#stream = stream;
    this.destroyed = stream.isClosed;
  }

  get readable(): boolean {
    return !this.destroyed;
  }

  get writable(): boolean {
    return !this.destroyed;
  }

  get remoteAddress(): string | undefined {
    return this.#transport.remoteAddress;
  }

  get remotePort(): number | undefined {
    return this.#transport.remotePort;
  }

  get remoteFamily(): string | undefined {
    return this.#transport.remoteFamily;
  }

  get localAddress(): string | undefined {
    return this.#transport.localAddress;
  }

  get localPort(): number | undefined {
    return this.#transport.localPort;
  }

  get localFamily(): string | undefined {
    return this.#transport.localFamily;
  }

  get encrypted(): boolean {
    return this.#transport.encrypted;
  }

  get authorized(): boolean {
    return this.#transport.authorized;
  }

  get alpnProtocol(): string | false | null {
    return this.#transport.alpnProtocol;
  }

  getPeerCertificate(detailed?: boolean): PeerCertificate | Record<string, never> {
    return this.#transport.getPeerCertificate(detailed);
  }

  /** For what expects it: time limits are those of the service. */
  setTimeout(): this {
    return this;
  }

  /** For what expects it: the connection is that of all its requests. */
  setNoDelay(): this {
    return this;
  }

  /** See setNoDelay(). */
  setKeepAlive(): this {
    return this;
  }

  /** Breaks off the one request, and no other of the connection. */
  destroy(): this {
    this.#stream.reset(ErrorCode.cancel);
    return this;
  }

  /** @internal */
  close(): void {
    this.destroyed = true;
    this.emit('close', false);
  }
}
