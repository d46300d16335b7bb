import type { Socket } from 'node:net';
import { type Peer, plainAddress } from '../core/index.js';
import type { TrustedProxies } from '../pipeline/index.js';

/** How far a connection has got: nothing heard yet, in the TLS handshake, or at home with a protocol. */
export type ConnectionState = 'silent' | 'handshaking' | 'http1' | 'http2';

/** Connections of the port: those open, by state, and what was counted since the start. */
export interface ConnectionStats extends Readonly<Record<ConnectionState, number>> {
  /** Open HTTP/2 streams, of all connections together. */
  readonly streams: number;
  /** Connections that ever came. */
  readonly accepted: number;
  /** Those closed without having spoken a protocol in time, or one that is not served here. */
  readonly refused: number;
}

/** The protocol's hand on one connection. */
export interface ConnectionKeeper {
  /** Asks the client to go elsewhere with its next request; nothing that runs or is on its way is harmed. */
  announce(): void;
  /** Called again and again while draining: closes what has ended. */
  drainStep(nowMs: number, lingerMs: number): void;
  /** Ends every open response now. Returns the number of requests that this cuts short. */
  shutDown(): number;
}

/** One TCP connection, from accept to close. */
export class Connection {
  /** On the clock of `performance.now()`. */
  readonly openedAtMs: number = performance.now();
  readonly socket: Socket;
  /** Address of the other end, IPv4 rather than IPv4-mapped: the socket's, or the one that the PROXY protocol names. */
  peer: string;
  /** 0 where it is not known. */
  peerPort: number;
  /** Set where the other end is a proxy whose forwarded headers are believed. */
  proxies: TrustedProxies | undefined;
  /** Set once the protocol is known. */
  keeper: ConnectionKeeper | undefined;
  #state: ConnectionState = 'silent';
  #isProxied = false;
  readonly #counts: Record<ConnectionState, number>;

  constructor(socket: Socket, counts: Record<ConnectionState, number>) {
    this.socket = socket;
    this.peer = plainAddress(socket.remoteAddress ?? '');
    this.peerPort = socket.remotePort ?? 0;
    this.#counts = counts;
    counts.silent += 1;
    socket.once('close', () => {
      counts[this.#state] -= 1;
    });
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Takes what the PROXY protocol says in place of the socket's address. */
  comesFrom({ address, port }: Peer): void {
    this.peer = address;
    this.peerPort = port;
    this.#isProxied = true;
  }

  /** Decides once for all requests whether forwarded headers are to be looked at. */
  trust(proxies: TrustedProxies | undefined): void {
    this.proxies = proxies?.trusts(this.peer, 0) === true ? proxies : undefined;
  }

  /**
   * Has a socket that is handed to an application have the address that the PROXY protocol names.
   *
   * @param socket the connection's own one, or the TLS socket on it
   */
  label(socket: Socket): void {
    if (!this.#isProxied) return;
    const remoteFamily = this.peer.includes(':') ? 'IPv6' : 'IPv4';
    Object.defineProperties(socket, {
      remoteAddress: { value: this.peer, configurable: true },
      remotePort: { value: this.peerPort, configurable: true },
      remoteFamily: { value: remoteFamily, configurable: true },
    });
  }

  /** Moves it on; a connection that has closed meanwhile stays out of the counts. */
  become(state: ConnectionState, keeper?: ConnectionKeeper): void {
    if (this.socket.closed) return;
    this.#counts[this.#state] -= 1;
    this.#counts[state] += 1;
    this.#state = state;
    this.keeper = keeper;
  }

  /** One step of the drain. Who has just connected has a request on the way; who stays silent is let go. */
  drainStep(nowMs: number, lingerMs: number): void {
    if (this.keeper !== undefined) this.keeper.drainStep(nowMs, lingerMs);
    else if (nowMs - this.openedAtMs >= lingerMs) this.socket.destroy();
  }
}

/** Every open connection of the port. */
export class ConnectionTable {
  readonly #open = new Set<Connection>();
  readonly #counts: Record<ConnectionState, number> = { silent: 0, handshaking: 0, http1: 0, http2: 0 };
  readonly #emptyWaiters = new Set<() => void>();
  #accepted = 0;
  #refused = 0;

  get size(): number {
    return this.#open.size;
  }

  get counts(): Readonly<Record<ConnectionState, number>> & Pick<ConnectionStats, 'accepted' | 'refused'> {
    return { ...this.#counts, accepted: this.#accepted, refused: this.#refused };
  }

  /** Takes a connection in until its socket closes. */
  add(socket: Socket): Connection {
    const connection = new Connection(socket, this.#counts);
    this.#accepted += 1;
    this.#open.add(connection);
    socket.once('close', () => {
      this.#open.delete(connection);
      if (this.#open.size > 0) return;
      for (const waiter of this.#emptyWaiters) waiter();
    });
    return connection;
  }

  /** Closes a connection that gets no service. */
  refuse(connection: Connection): void {
    this.#refused += 1;
    connection.socket.destroy();
  }

  /** Calls `visit` for those open now; it may close them. */
  forEach(visit: (connection: Connection) => void): void {
    for (const connection of [...this.#open]) visit(connection);
  }

  /** Resolves with true once no connection is open, with false when `timeoutMs` passed first. */
  empty(timeoutMs: number): Promise<boolean> {
    if (this.#open.size === 0) return Promise.resolve(true);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const waiter = (): void => resolve(true);
    const timer = setTimeout(() => resolve(false), timeoutMs);
    this.#emptyWaiters.add(waiter);
    return promise.finally(() => {
      clearTimeout(timer);
      this.#emptyWaiters.delete(waiter);
    });
  }
}
