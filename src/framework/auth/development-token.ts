import { SignJWT } from 'jose';
import type { Live } from '../core/index.js';
import type { AuthIdentity, KeySet } from './auth-keys.js';

// A working day, and then some.
const lifeSeconds = 12 * 3600;

/** What a development token allows. */
export interface DevelopmentGrant {
  /** Claim `scope`. */
  readonly scopes: readonly string[];
  /** Claim `roles`; `['developer']` by default. */
  readonly roles?: readonly string[];
  /** Claim `sub`; `developer` by default. */
  readonly subject?: string;
}

/** The ready token of a developer's machine: signed with the random key of this process, so it ends with it. */
export class DevelopmentToken {
  readonly #keys: Live<KeySet>;
  readonly #identity: AuthIdentity;

  constructor(keys: Live<KeySet>, identity: AuthIdentity) {
    this.#keys = keys;
    this.#identity = identity;
  }

  /** A token good for 12 hours; `undefined` where keys are configured, or the environment is not for development. */
  async issue(grant: DevelopmentGrant): Promise<string | undefined> {
    const { source, options, signing } = this.#keys.value;
    if (source !== 'development' || signing === undefined) return undefined;
    const { appName } = this.#identity;
    return new SignJWT({ scope: grant.scopes.join(' '), roles: grant.roles ?? ['developer'] })
      .setProtectedHeader({ alg: signing.algorithm, typ: 'JWT' })
      .setIssuer(options.jwt.issuer ?? appName)
      .setSubject(grant.subject ?? 'developer')
      .setAudience(options.jwt.audience ?? appName)
      .setIssuedAt()
      .setExpirationTime(Math.floor(Date.now() / 1000) + lifeSeconds)
      .sign(signing.key);
  }
}
