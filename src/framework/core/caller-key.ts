import type { RequestContext } from './context.js';
import { peerGroupOf } from './peer-group.js';

/** Who counts as one caller: the subject of the token, its tenant, or the address. */
export type CallerKind = 'principal' | 'tenant' | 'peer';

/** All of `CallerKind`. */
export const callerKinds: readonly CallerKind[] = ['principal', 'tenant', 'peer'];

/**
 * A text that stays the same for one caller and differs from those of others. Callers without a token are told apart by
 * their address, an IPv6 one by its first 64 bits, and those without a tenant by their subject: no issuer vouches for what an anonymous caller says of itself,
 * `x-tenant` included.
 */
export function callerKey({ principal, peer }: RequestContext, by: CallerKind): string {
  if (principal === undefined || by === 'peer') return `peer:${peerGroupOf(peer)}`;
  if (by === 'tenant' && principal.tenant !== undefined) return `tenant:${principal.tenant}`;
  return `principal:${principal.subject}`;
}
