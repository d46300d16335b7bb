import { NacosOptionError } from './nacos.errors.js';
import { type NacosServer, type NacosServerOptions, parseServer } from './server-list.js';

/** PEM texts for connections by TLS; an empty object trusts the usual authorities. */
export interface NacosTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** The name that the certificate is for, where it is not the address. */
  readonly serverName?: string;
}

/** How a Nacos cluster is reached. */
export interface NacosOptions {
  /** One or more, `host:port` with the HTTP port; tried in turn. */
  readonly servers: readonly (string | NacosServerOptions)[];
  /** Id of the namespace; default: the public one. */
  readonly namespace?: string;
  /** With `password`: who to log in as. Without both, no login. */
  readonly username?: string;
  readonly password?: string;
  /** gRPC by TLS. Default: cleartext. */
  readonly tls?: NacosTls;
  /** The login by HTTPS; default: where `tls` is set, with the same certificates. */
  readonly loginTls?: NacosTls | false;
  /** Path of the HTTP interface, which only the login uses. Default `/nacos`. */
  readonly contextPath?: string;
  /** How this client calls itself; shown in the server's list of connections. Default `rookery`. */
  readonly appName?: string;
  /** The module that the connection is for. One for `naming` can carry both; servers refuse naming on one for `config`. */
  readonly module?: 'config' | 'naming';
  /** Login and handshake with one server, in ms: 100 to 60 000. Default 3000. */
  readonly connectTimeoutMs?: number;
  /** Limit of a request that has none of its own, in ms: 100 to 600 000; waiting for a connection counts. Default 3000. */
  readonly requestTimeoutMs?: number;
  /** Idle time after which the server is asked whether it is there, in ms: 100 to 15 000 (servers drop after 20 s). Default 5000. */
  readonly healthCheckIdleMs?: number;
  /** Limit of that question, in ms: 50 to 60 000. Two unanswered ones in a row end the connection. Default 3000. */
  readonly healthCheckTimeoutMs?: number;
  /** First pause before connecting again, in ms: 1 to 60 000; it doubles up to `maxBackoffMs`, with jitter. Default 200. */
  readonly minBackoffMs?: number;
  /** Longest pause before connecting again, in ms. Default 10 000. */
  readonly maxBackoffMs?: number;
  /** Requests that wait or are under way, 1 to 100 000; more are refused. Default 1000. */
  readonly maxPendingRequests?: number;
  /** Largest message either way, in bytes: 1 KiB to 64 MiB. Default 10 MiB, which is what servers take. */
  readonly maxMessageBytes?: number;
}

/** The options with all defaults, checked. */
export interface NacosSettings {
  readonly servers: readonly NacosServer[];
  readonly namespace: string;
  readonly login: { readonly username: string; readonly password: string } | undefined;
  readonly tls: NacosTls | undefined;
  readonly loginTls: NacosTls | undefined;
  readonly contextPath: string;
  readonly appName: string;
  readonly module: 'config' | 'naming';
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly healthCheckIdleMs: number;
  readonly healthCheckTimeoutMs: number;
  readonly minBackoffMs: number;
  readonly maxBackoffMs: number;
  readonly maxPendingRequests: number;
  readonly maxMessageBytes: number;
}

/** @throws NacosOptionError names option, value and expectation */
export function nacosSettings(options: NacosOptions): NacosSettings {
  if (options.servers.length === 0) throw new NacosOptionError('servers: none (expected: at least one)');
  const { username, password } = options;
  if ((username === undefined) !== (password === undefined)) {
    throw new NacosOptionError('username, password: one of them is missing (expected: both or none)');
  }
  const minBackoffMs = within('minBackoffMs', options.minBackoffMs ?? 200, 1, 60_000);
  return {
    servers: options.servers.map(parseServer),
    namespace: options.namespace ?? '',
    login: username === undefined || password === undefined ? undefined : { username, password },
    tls: options.tls,
    loginTls: options.loginTls === false ? undefined : (options.loginTls ?? options.tls),
    contextPath: contextPath(options.contextPath ?? '/nacos'),
    appName: options.appName ?? 'rookery',
    module: options.module ?? 'config',
    connectTimeoutMs: within('connectTimeoutMs', options.connectTimeoutMs ?? 3000, 100, 60_000),
    requestTimeoutMs: requestTimeout(options.requestTimeoutMs ?? 3000),
    healthCheckIdleMs: within('healthCheckIdleMs', options.healthCheckIdleMs ?? 5000, 100, 15_000),
    healthCheckTimeoutMs: within('healthCheckTimeoutMs', options.healthCheckTimeoutMs ?? 3000, 50, 60_000),
    minBackoffMs,
    maxBackoffMs: within('maxBackoffMs', options.maxBackoffMs ?? Math.max(10_000, minBackoffMs), minBackoffMs, 600_000),
    maxPendingRequests: within('maxPendingRequests', options.maxPendingRequests ?? 1000, 1, 100_000),
    maxMessageBytes: within('maxMessageBytes', options.maxMessageBytes ?? 10 * 2 ** 20, 2 ** 10, 64 * 2 ** 20),
  };
}

/** @throws NacosOptionError a time limit that cannot be */
export function requestTimeout(timeoutMs: number): number {
  return within('requestTimeoutMs', timeoutMs, 100, 600_000);
}

function within(name: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new NacosOptionError(`${name}: ${value} (expected: an integer, ${least} to ${most})`);
}

function contextPath(path: string): string {
  if (/^(?:\/[\w.~-]+)*\/?$/.test(path)) return path.replace(/\/$/, '');
  throw new NacosOptionError(`contextPath: ${path} (expected: a path such as /nacos)`);
}
