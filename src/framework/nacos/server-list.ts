import { NacosOptionError } from './nacos.errors.js';

// As the server counts: gRPC listens so far above the HTTP port.
const grpcPortOffset = 1000;
const defaultPort = 8848;

/** A server as the options name it. */
export interface NacosServerOptions {
  /** `host:port` with the HTTP port; `host` means 8848. IPv6 addresses stand in brackets. */
  readonly address: string;
  /** Where that server, or the proxy before it, takes gRPC. Default: the HTTP port + 1000. */
  readonly grpcPort?: number;
}

/** One server's addresses. */
export interface NacosServer {
  readonly host: string;
  readonly port: number;
  readonly grpcPort: number;
}

/** The servers of a cluster, taken in turn. */
export class ServerList {
  readonly #servers: readonly NacosServer[];
  #next: number;
  #advised: NacosServer | undefined;

  /** @param start index of the first to be tried; a random one spreads many clients over the cluster */
  constructor(servers: readonly NacosServer[], start = Math.floor(Math.random() * servers.length)) {
    this.#servers = servers;
    this.#next = start % servers.length;
  }

  /** The server to try next: the one advised, once, else the next in turn. */
  next(): NacosServer {
    const advised = this.#advised;
    this.#advised = undefined;
    return advised ?? this.#inTurn();
  }

  /** All servers, beginning with `first`. */
  beginningWith(first: NacosServer): readonly NacosServer[] {
    return [first, ...this.#servers.filter((server) => server !== first)];
  }

  /** The server asks to go to this one (its HTTP port). One that is not in the list keeps the distance between the ports. */
  advise(host: string, port: number): void {
    const known = this.#servers.find((server) => server.host === host && server.port === port);
    this.#advised = known ?? serverAt(host, port, port + this.#portOffset());
  }

  /** For messages. */
  get addresses(): string {
    return this.#servers.map(addressOf).join(', ');
  }

  #inTurn(): NacosServer {
    const server = this.#servers[this.#next] as NacosServer;
    this.#next = (this.#next + 1) % this.#servers.length;
    return server;
  }

  #portOffset(): number {
    const first = this.#servers[0] as NacosServer;
    return first.grpcPort - first.port;
  }
}

/** Reads an address as the options have it. @throws NacosOptionError an address or port that cannot be */
export function parseServer(given: string | NacosServerOptions): NacosServer {
  const { address, grpcPort } = typeof given === 'string' ? { address: given, grpcPort: undefined } : given;
  // No scheme, no path, no user: the parts of a URL that do not belong here do not match.
  const parts = /^(\[[0-9a-fA-F:.]+\]|[\w.-]+)(?::(\d{1,5}))?$/.exec(address);
  const port = Number(parts?.[2] ?? defaultPort);
  if (parts?.[1] === undefined || !isPort(port)) {
    // An address may carry a password by mistake (user:password@host): it is not repeated.
    throw new NacosOptionError(
      'servers: an address cannot be read (expected: host or host:port, without scheme or user)',
    );
  }
  const onGrpc = grpcPort ?? port + grpcPortOffset;
  if (!isPort(onGrpc)) throw new NacosOptionError(`grpcPort: ${onGrpc} (expected: 1 to 65535)`);
  return { host: parts[1], port, grpcPort: onGrpc };
}

/** `host:port` with the HTTP port: how a server is called in messages. */
export function addressOf({ host, port }: NacosServer): string {
  return `${host}:${port}`;
}

function serverAt(host: string, port: number, grpcPort: number): NacosServer | undefined {
  const server = host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
  try {
    return parseServer({ address: `${server}:${port}`, grpcPort });
  } catch {
    return undefined;
  }
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65_535;
}
