import { networkInterfaces } from 'node:os';
import type { Exposure } from '../core/index.js';
import { isLoopback } from './loopback.js';

/** Requests that are worth trying on a fresh service. */
export interface Samples {
  /** A public REST path, such as `/api/v1/users/1`. */
  readonly path?: string;
  /** An RPC and its message as JSON, such as `user.service.v1.UserService/GetUser` and `{"id": 1}`. */
  readonly rpc?: string;
  readonly message?: string;
  /** Scopes of the token that is printed in development. */
  readonly scopes?: readonly string[];
}

/** What a developer wants to see when the service is up. */
export interface BannerInit {
  readonly name: string;
  readonly env: string;
  readonly address: string;
  /** The address it listens on, such as `127.0.0.1` or `0.0.0.0`. */
  readonly host: string;
  readonly management: string | undefined;
  /** Whether the docs page is served beside the API. */
  readonly docs: Exposure;
  readonly isTls: boolean;
  readonly samples: Samples;
  readonly token: string | undefined;
}

/** The lines printed at the end of a start in development: addresses, a request for each face, a token. */
export function bannerLines(init: BannerInit): string[] {
  const { name, env, address, host, management, isTls, samples, token } = init;
  const base = `${isTls ? 'https' : 'http'}://${address}`;
  const lines = ['', `  ${name} is ready (${env}), ${reachOf(host)}`, '', `  REST    ${base}`, `  gRPC    ${address}`];
  if (init.docs !== 'off') lines.push(`  docs    ${base}/docs${init.docs === 'token' ? ' (with a token)' : ''}`);
  lines.push(`  health  ${base}/health/ready`);
  if (management !== undefined) lines.push(`  manage  http://${management} (health, metrics, docs)`);
  lines.push('');
  if (samples.path !== undefined) lines.push(`  curl ${base}${samples.path}`);
  if (samples.rpc !== undefined) {
    lines.push(`  grpcurl ${isTls ? '' : '-plaintext '}-d '${samples.message ?? '{}'}' ${address} ${samples.rpc}`);
  }
  if (token !== undefined) lines.push('', '  token (12 h, for -H "authorization: Bearer …"):', `  ${token}`);
  return [...lines, ''];
}

// What `localhost` in an address does not say.
function reachOf(host: string): string {
  if (isLoopback(host)) return 'on this machine only';
  if (host !== '0.0.0.0' && host !== '::') return `on ${host}`;
  const others = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal, family, scopeid }) => !internal && (family === 'IPv4' || (host === '::' && !scopeid)))
    .map(({ address }) => address);
  return `on every address of this machine (${[host, ...others].join(', ')})`;
}
