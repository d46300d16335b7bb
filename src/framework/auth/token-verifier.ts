import { hash } from 'node:crypto';
import { type JWTPayload, jwtVerify, type JWTVerifyGetKey } from 'jose';
import { LRUCache } from 'lru-cache';
import { isLocalEnvironment, type Live, type Principal, RookeryError } from '../core/index.js';
import {
  KeysUnavailableError,
  TokenAlgorithmRefusedError,
  TokenAudienceMismatchError,
  TokenClaimInvalidError,
  TokenExpiredError,
  TokenKeyUnknownError,
  TokenMalformedError,
  TokenSignatureInvalidError,
} from './auth.errors.js';
import { type AuthIdentity, type KeySet, type Verification } from './auth-keys.js';
import type { FailureBudget } from './failure-budget.js';
import { toTokenError } from './token-errors.js';

// Keys that nobody configured do not come back by themselves: a minute keeps well-meaning clients quiet.
const noKeysRetryMs = 60_000;

interface KnownToken {
  readonly principal: Principal | undefined;
  /** Why it is refused, where there is no principal: it has expired, which no time undoes. */
  readonly refusal: TokenExpiredError | undefined;
  /** Until when it need not be looked at again, on the verifier's clock. */
  readonly untilMs: number;
}

/**
 * Checks bearer tokens: signature, algorithm, issuer, audience, time, and the claims a `Principal` is made of.
 * Tokens it has verified are remembered for a while by their SHA-256, never beyond their `exp`, and forgotten when keys
 * or settings change.
 */
export class TokenVerifier {
  readonly #keys: Live<KeySet>;
  readonly #identity: AuthIdentity;
  readonly #failures: FailureBudget | undefined;
  readonly #now: () => number;
  readonly #unsubscribe: () => void;
  #verified: LRUCache<string, KnownToken> | undefined;

  /**
   * @param now      the wall clock in ms, for tests
   * @param failures bounds the tokens of a peer that are not valid; no bound where it is left out
   */
  constructor(keys: Live<KeySet>, identity: AuthIdentity, now: () => number = Date.now, failures?: FailureBudget) {
    this.#failures = failures;
    this.#keys = keys;
    this.#identity = identity;
    this.#now = now;
    this.#verified = newCache(keys.value);
    this.#unsubscribe = keys.subscribe((next) => {
      this.#verified = newCache(next);
    });
  }

  /**
   * Who a token speaks for: at once for a token that is remembered, else by a promise.
   *
   * @param token a JWT in compact form, without the scheme
   * @param peer  address of the client, for the bound on invalid tokens; not counted where it is left out
   * @throws TooManyFailedTokensError (rejects) the peer has sent too many that are not valid
   * @throws UnauthenticatedError (rejects) by one of its subclasses: what is wrong with the token
   * @throws KeysUnavailableError (rejects) nothing can be said about the token
   */
  verify(token: string, peer?: string): Principal | Promise<Principal> {
    const id = hash('sha256', token, 'base64');
    const known = this.#verified?.get(id);
    if (known !== undefined && this.#now() < known.untilMs) {
      if (known.principal !== undefined) return known.principal;
      if (known.refusal !== undefined) return Promise.reject(known.refusal);
    }
    // Not on every request: what is remembered has been looked at.
    const check = (): Promise<Principal> =>
      isCompact(token) ? this.#check(token, id) : Promise.reject(new TokenMalformedError());
    const failures = this.#failures;
    if (failures === undefined || peer === undefined) return check();
    return failures.run(peer, check);
  }

  /** Counts text of `peer` in place of a token that is none. */
  noteMalformed(peer: string): void {
    this.#failures?.note(peer);
  }

  /** Tokens remembered at the moment. */
  get size(): number {
    return this.#verified?.size ?? 0;
  }

  /** Stops following the keys. May be called twice. */
  close(): void {
    this.#unsubscribe();
    this.#verified?.clear();
  }

  async #check(token: string, id: string): Promise<Principal> {
    const cache = this.#verified;
    const keys = this.#keys.value;
    const claims = await this.#claimsOf(token, keys).catch((error: unknown) => {
      // Only one with a good signature gets so far: a client that goes on sending it is refused at little cost.
      const untilMs = this.#now() + keys.options.cache.ttlMs;
      if (error instanceof TokenExpiredError) cache?.set(id, { principal: undefined, refusal: error, untilMs });
      throw error;
    });
    const principal = principalOf(claims);
    // Not into the cache of other keys: those may have changed meanwhile, and then `cache` is nobody's any more.
    cache?.set(id, { principal, refusal: undefined, untilMs: this.#untilMs(claims, keys) });
    return principal;
  }

  async #claimsOf(token: string, keys: KeySet): Promise<JWTPayload> {
    const { verification, algorithms, previous } = keys;
    if (verification === undefined) throw new KeysUnavailableError(noKeysRetryMs);
    try {
      return await this.#claimsBy({ key: verification, algorithms }, token, keys);
    } catch (error) {
      if (!isAboutKey(error)) throw error;
      for (const other of previous) {
        try {
          return await this.#claimsBy(other, token, keys);
        } catch (otherError) {
          // Of a token that this key did sign, what is wrong is told; else what the present key has to say.
          if (!isAboutKey(otherError)) throw otherError;
        }
      }
      throw error;
    }
  }

  async #claimsBy({ key, algorithms }: Verification, token: string, { options }: KeySet): Promise<JWTPayload> {
    const { jwt } = options;
    const needsExpiration = jwt.requireExpiration ?? !isLocalEnvironment(this.#identity.env);
    try {
      const { payload } = await jwtVerify(token, key as JWTVerifyGetKey, {
        algorithms: [...algorithms],
        ...(jwt.issuer === undefined ? {} : { issuer: jwt.issuer }),
        ...(jwt.audience === undefined ? {} : { audience: jwt.audience }),
        requiredClaims: needsExpiration ? ['sub', 'exp'] : ['sub'],
        clockTolerance: jwt.clockToleranceMs / 1000,
        currentDate: new Date(this.#now()),
      });
      if (jwt.audience === undefined) requireOwnAudience(payload, this.#identity.appName);
      return payload;
    } catch (error) {
      throw RookeryError.is(error) ? error : toTokenError(error, algorithms);
    }
  }

  #untilMs({ exp }: JWTPayload, { options }: KeySet): number {
    const expiresAtMs = exp === undefined ? Number.POSITIVE_INFINITY : exp * 1000 + options.jwt.clockToleranceMs;
    return Math.min(expiresAtMs, this.#now() + options.cache.ttlMs);
  }
}

// RFC 7515 section 3.1. The decoder skips characters that are not base64url, so one token would have many spellings.
const compactForm = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*$/;

// The last character of a signature has bits that mean nothing: they are 0, or the token would have many spellings again.
function isCompact(token: string): boolean {
  if (!compactForm.test(token)) return false;
  const signature = token.slice(token.lastIndexOf('.') + 1);
  return Buffer.from(signature, 'base64url').toString('base64url') === signature;
}

// Whether another key may have signed the token.
function isAboutKey(error: unknown): boolean {
  return (
    error instanceof TokenSignatureInvalidError ||
    error instanceof TokenAlgorithmRefusedError ||
    error instanceof TokenKeyUnknownError
  );
}

function newCache({ options }: KeySet): LRUCache<string, KnownToken> | undefined {
  return options.cache.maxTokens > 0 ? new LRUCache({ max: options.cache.maxTokens }) : undefined;
}

// RFC 7519 section 4.1.3: a token that says whom it is for is refused by everybody else.
function requireOwnAudience({ aud }: JWTPayload, appName: string): void {
  if (aud === undefined) return;
  if (typeof aud === 'string' ? aud !== appName : !Array.isArray(aud) || !aud.includes(appName))
    throw new TokenAudienceMismatchError();
}

function principalOf(claims: JWTPayload): Principal {
  const { sub, scope, roles, tenant } = claims;
  if (typeof sub !== 'string' || sub === '') throw new TokenClaimInvalidError('sub', 'a string that is not empty');
  if (scope !== undefined && typeof scope !== 'string') throw new TokenClaimInvalidError('scope', 'a string');
  if (roles !== undefined && !isStrings(roles)) throw new TokenClaimInvalidError('roles', 'an array of strings');
  if (tenant !== undefined && (typeof tenant !== 'string' || tenant === '')) {
    throw new TokenClaimInvalidError('tenant', 'a string that is not empty');
  }
  const scopes = scope?.split(' ').filter((part) => part !== '');
  return Object.freeze({
    subject: sub,
    scopes: new Set(scopes),
    roles: new Set(roles),
    tenant,
    claims: frozen(claims),
  });
}

// A remembered principal is seen by many requests: what one handler does to the claims must not reach another.
function frozen<T extends object>(value: T): T {
  for (const part of Object.values(value)) {
    if (typeof part === 'object' && part !== null) frozen(part as object);
  }
  return Object.freeze(value);
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}
