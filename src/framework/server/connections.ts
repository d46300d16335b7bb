import type { Socket } from 'node:net';
import { Bound, type Holder, type Peer, plainAddress, type Shares } from '../core/index.js';
import type { TrustedProxies } from '../pipeline/index.js';

/** How far a connection has got: nothing heard yet, in the TLS handshake, or at home with a protocol. */
export type ConnectionState = 'silent' | 'handshaking' | 'http1' | 'http2';

/** Connections of the port: those open, by state, and what was counted since the start. */
export interface ConnectionStats extends Readonly<Record<ConnectionState, number>> {
  /** Open HTTP/2 streams, of all connections together. */
  readonly streams: number;
  /** Connections that ever came. */
  readonly accepted: number;
  /**
   * Those closed without having spoken a protocol in time, or one that is not served here, or because their peer had too
   * many.
   */
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

/** Address of the other end of a connection. */
function peerOf(socket: Socket): string {
  return plainAddress(socket.remoteAddress ?? '');
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
  readonly #shares: Shares;
  #holder: Holder;

  /** @param holder has a connection and a handshake for it */
  constructor(socket: Socket, counts: Record<ConnectionState, number>, shares: Shares, holder: Holder) {
    this.socket = socket;
    this.peer = peerOf(socket);
    this.peerPort = socket.remotePort ?? 0;
    this.#counts = counts;
    this.#shares = shares;
    this.#holder = holder;
    counts.silent += 1;
    socket.once('close', () => {
      counts[this.#state] -= 1;
      if (this.#isHandshaking) shares.add(Bound.handshakes, this.#holder, -1);
      shares.add(Bound.connections, this.#holder, -1);
      this.#holder.close();
    });
  }

  /** What it is counted by. */
  get holder(): Holder {
    return this.#holder;
  }

  get #isHandshaking(): boolean {
    return this.#state === 'silent' || this.#state === 'handshaking';
  }

  /**
   * Counts the connection for another peer: what is in front of this service has said whose it is, before any protocol.
   *
   * @returns false: that peer has no room for it
   */
  moveTo(address: string): boolean {
    const shares = this.#shares;
    const before = this.#holder;
    const holder = openConnection(shares, address, before);
    if (holder === undefined) return false;
    this.#holder = holder;
    before.close();
    return true;
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
    const wasHandshaking = this.#isHandshaking;
    this.#counts[this.#state] -= 1;
    this.#counts[state] += 1;
    this.#state = state;
    if (wasHandshaking && !this.#isHandshaking) this.#shares.add(Bound.handshakes, this.#holder, -1);
    this.keeper = keeper;
  }

  /** One step of the drain. Who has just connected has a request on the way; who stays silent is let go. */
  drainStep(nowMs: number, lingerMs: number): void {
    if (this.keeper !== undefined) this.keeper.drainStep(nowMs, lingerMs);
    else if (nowMs - this.openedAtMs >= lingerMs) this.socket.destroy();
  }
}

/** Takes room for a connection that has not spoken yet; the room that `before` has for it is given back first. */
function openConnection(shares: Shares, address: string, before?: Holder): Holder | undefined {
  const take = (holder: Holder, amount: number): void => {
    shares.add(Bound.connections, holder, amount);
    shares.add(Bound.handshakes, holder, amount);
  };
  const holder = shares.open(address);
  if (before !== undefined) take(before, -1);
  const bound = shares.full(Bound.connections, holder) === undefined ? Bound.handshakes : Bound.connections;
  const by = shares.full(bound, holder);
  if (by === undefined) {
    take(holder, 1);
    return holder;
  }
  if (before !== undefined) take(before, 1);
  shares.refuse(bound, by);
  holder.close();
  return undefined;
}

/** Every open connection of the port. */
export class ConnectionTable {
  readonly #open = new Set<Connection>();
  readonly #counts: Record<ConnectionState, number> = { silent: 0, handshaking: 0, http1: 0, http2: 0 };
  readonly #emptyWaiters = new Set<() => void>();
  readonly #shares: Shares;
  #accepted = 0;
  #refused = 0;

  constructor(shares: Shares) {
    this.#shares = shares;
  }

  get size(): number {
    return this.#open.size;
  }

  get counts(): Readonly<Record<ConnectionState, number>> & Pick<ConnectionStats, 'accepted' | 'refused'> {
    return { ...this.#counts, accepted: this.#accepted, refused: this.#refused };
  }

  /** Takes a connection in until its socket closes; `undefined`: its peer has too many, and it is closed. */
  add(socket: Socket): Connection | undefined {
    this.#accepted += 1;
    const holder = openConnection(this.#shares, peerOf(socket));
    if (holder === undefined) {
      this.#refused += 1;
      socket.destroy();
      return undefined;
    }
    const connection = new Connection(socket, this.#counts, this.#shares, holder);
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
