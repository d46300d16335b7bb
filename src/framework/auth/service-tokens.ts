import { randomUUID } from 'node:crypto';
import { SignJWT } from 'jose';
import { LRUCache } from 'lru-cache';
import type { Live } from '../core/index.js';
import { AuthOptionsError } from './auth.errors.js';
import type { AuthIdentity, KeySet } from './auth-keys.js';

// Far more peers than one service has; a bound all the same, should an audience ever come from outside.
const maxAudiences = 1000;
// A token is not shown in the last fifth of its life: it has to arrive, and clocks differ.
const usableShare = 0.8;

interface IssuedToken {
  readonly token: Promise<string>;
  readonly renewAtMs: number;
}

/**
 * Tokens that this service shows to other services: short-lived, for one audience, signed with
 * `auth.service.privateKeyFile` or else the shared secret. `sub` is this service's name; `iss` too, unless the fleet
 * pins `auth.jwt.issuer`.
 *
 * @example
 * const metadata = { authorization: `Bearer ${await tokens.tokenFor('orders')}` };
 */
export class ServiceTokens {
  readonly #keys: Live<KeySet>;
  readonly #identity: AuthIdentity;
  readonly #now: () => number;
  readonly #unsubscribe: () => void;
  readonly #issued = new LRUCache<string, IssuedToken>({ max: maxAudiences });

  /** @param now the wall clock in ms, for tests */
  constructor(keys: Live<KeySet>, identity: AuthIdentity, now: () => number = Date.now) {
    this.#keys = keys;
    this.#identity = identity;
    this.#now = now;
    this.#unsubscribe = keys.subscribe(() => this.#issued.clear());
  }

  /**
   * A token for calls to one service; the same one until 80 % of its life have passed.
   *
   * @param audience what the other service expects in `aud`: its `app.name` or its `auth.jwt.audience`
   * @throws AuthOptionsError (rejects) there is nothing to sign with
   */
  async tokenFor(audience: string): Promise<string> {
    const nowMs = this.#now();
    const kept = this.#issued.get(audience);
    if (kept !== undefined && nowMs < kept.renewAtMs) return kept.token;
    const { tokenTtlMs } = this.#keys.value.options.service;
    const token = this.#issue(audience, nowMs);
    this.#issued.set(audience, { token, renewAtMs: nowMs + tokenTtlMs * usableShare });
    // A failure is told to those who wait for it, and not kept.
    token.catch(() => this.#issued.delete(audience));
    return token;
  }

  /** Stops following the keys and forgets all tokens. May be called twice. */
  close(): void {
    this.#unsubscribe();
    this.#issued.clear();
  }

  async #issue(audience: string, nowMs: number): Promise<string> {
    const { options, signing } = this.#keys.value;
    if (signing === undefined) {
      throw new AuthOptionsError(
        'auth.service.privateKeyFile',
        'not set',
        'a private key, or auth.jwt.secret, to sign service tokens with',
      );
    }
    const name = options.service.name ?? this.#identity.appName;
    const issuedAt = Math.floor(nowMs / 1000);
    return new SignJWT()
      .setProtectedHeader({
        alg: signing.algorithm,
        typ: 'JWT',
        ...(signing.keyId === undefined ? {} : { kid: signing.keyId }),
      })
      .setIssuer(options.jwt.issuer ?? name)
      .setSubject(name)
      .setAudience(audience)
      .setIssuedAt(issuedAt)
      .setExpirationTime(issuedAt + Math.ceil(options.service.tokenTtlMs / 1000))
      .setJti(randomUUID())
      .sign(signing.key);
  }
}
