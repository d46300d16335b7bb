import { RookeryError, type RookeryErrorOptions, Status } from '../core/index.js';

/**
 * The caller is not known: the family of all refusals of a token, 401. The answer carries the challenge of RFC 6750;
 * the token itself is in no message, header or log line.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6750#section-3
 */
export class UnauthenticatedError extends RookeryError {
  static override readonly reason: string = 'UNAUTHENTICATED';
  static override readonly status = Status.Unauthenticated;

  /** Whether the token has a good signature all the same. */
  readonly isGenuine: boolean = false;

  /** @param message for people; also the challenge's `error_description`, so ASCII without quotes and backslashes */
  constructor(message: string, options: RookeryErrorOptions = {}) {
    const challenge = `Bearer error="invalid_token", error_description="${message}"`;
    super(message, { httpHeaders: { 'www-authenticate': challenge }, ...options });
  }
}

/** The route is not public and the request has no bearer token. Send `authorization: Bearer <token>`. */
export class TokenMissingError extends UnauthenticatedError {
  static override readonly reason = 'TOKEN_MISSING';

  constructor() {
    // RFC 6750 section 3.1: no error code where the request has no authentication at all.
    super('bearer token missing', { httpHeaders: { 'www-authenticate': 'Bearer' } });
  }
}

/** What stands in `authorization` is not a JWT in compact form. Send the token whole, once, after `Bearer `. */
export class TokenMalformedError extends UnauthenticatedError {
  static override readonly reason = 'TOKEN_MALFORMED';

  constructor(options: { readonly cause?: unknown } = {}) {
    super('bearer token malformed', options);
  }
}

/** The token's `exp` has passed. Get a new token. */
export class TokenExpiredError extends UnauthenticatedError {
  static override readonly reason = 'TOKEN_EXPIRED';
  override readonly isGenuine = true;

  constructor() {
    super('bearer token expired');
  }
}

/** The token's `nbf` is still to come. Wait, or set the issuer's clock right. */
export class TokenNotYetValidError extends UnauthenticatedError {
  static override readonly reason = 'TOKEN_NOT_YET_VALID';
  override readonly isGenuine = true;

  constructor() {
    super('bearer token not yet valid');
  }
}

/**
 * The signature does not fit the token or the key. The token was changed on its way, or another key signed it: get a new
 * token from the issuer; sending this one again will fail again.
 */
export class TokenSignatureInvalidError extends UnauthenticatedError {
  static override readonly reason = 'TOKEN_SIGNATURE_INVALID';

  constructor() {
    super('bearer token signature invalid');
  }
}

/** The token's `alg` is not among those this service takes, which `none` never is. Sign with one of them. */
export class TokenAlgorithmRefusedError extends UnauthenticatedError {
  static override readonly reason = 'TOKEN_ALGORITHM_REFUSED';

  constructor(accepted: readonly string[]) {
    super('bearer token algorithm refused', { metadata: { accepted: accepted.join(' ') } });
  }
}

/** No key of the key set fits the token's `kid` and `alg`, or several do. Sign with a published key and name it by `kid`. */
export class TokenKeyUnknownError extends UnauthenticatedError {
  static override readonly reason = 'TOKEN_KEY_UNKNOWN';

  constructor() {
    super('bearer token signed with an unknown key');
  }
}

/** The token's `aud` does not name this service. Ask for a token that is meant for it. */
export class TokenAudienceMismatchError extends UnauthenticatedError {
  static override readonly reason = 'TOKEN_AUDIENCE_MISMATCH';
  override readonly isGenuine = true;

  constructor() {
    super('bearer token is meant for another audience');
  }
}

/** The token's `iss` is not the issuer this service trusts. Get a token from that issuer. */
export class TokenIssuerMismatchError extends UnauthenticatedError {
  static override readonly reason = 'TOKEN_ISSUER_MISMATCH';
  override readonly isGenuine = true;

  constructor() {
    super('bearer token comes from another issuer');
  }
}

/**
 * A claim that is needed is missing, or a claim has the wrong type; `metadata.claim` names it. Get a token that has it; the
 * issuer decides what is in a token.
 */
export class TokenClaimInvalidError extends UnauthenticatedError {
  static override readonly reason = 'TOKEN_CLAIM_INVALID';
  override readonly isGenuine = true;

  /** @param expectation what the claim should be, such as `a string` */
  constructor(claim: string, expectation: string) {
    super(`bearer token claim ${claim} invalid (expected: ${expectation})`, { metadata: { claim } });
  }
}

/**
 * The client, told apart by its address, has sent too many tokens that are not valid (`auth.failures`). No token of its is
 * checked for the time that the response names; those that were found valid before are taken all the same. Send valid tokens.
 */
export class TooManyFailedTokensError extends RookeryError {
  static override readonly reason = 'TOO_MANY_FAILED_TOKENS';
  static override readonly status = Status.ResourceExhausted;

  constructor(retryAfterMs: number) {
    super('too many invalid bearer tokens', { retryAfterMs });
  }
}

/** The caller is known but its token lacks scopes that the route needs; `metadata.required` names all of them. */
export class ScopeMissingError extends RookeryError {
  static override readonly reason = 'SCOPE_MISSING';
  static override readonly status = Status.PermissionDenied;

  constructor(required: readonly string[], missing: readonly string[]) {
    const scope = required.join(' ');
    super(`scope missing: ${missing.join(' ')}`, {
      metadata: { required: scope, missing: missing.join(' ') },
      httpHeaders: { 'www-authenticate': `Bearer error="insufficient_scope", scope="${scope}"` },
    });
  }
}

/** The caller is known but has none of the roles that the route is for; `metadata.anyOf` names them. */
export class RoleMissingError extends RookeryError {
  static override readonly reason = 'ROLE_MISSING';
  static override readonly status = Status.PermissionDenied;

  constructor(anyOf: readonly string[]) {
    super(`role missing: one of ${anyOf.join(', ')}`, { metadata: { anyOf: anyOf.join(' ') } });
  }
}

/** The keys that tokens are checked with cannot be had at the moment, so nothing is said about the token. Try again later. */
export class KeysUnavailableError extends RookeryError {
  static override readonly reason = 'KEYS_UNAVAILABLE';
  static override readonly status = Status.Unavailable;
  static override readonly fault = 'upstream';

  constructor(retryAfterMs: number, options: { readonly cause?: unknown } = {}) {
    super('the keys that tokens are checked with are not available', { ...options, retryAfterMs });
  }
}

/**
 * A setting under `auth` cannot be used; the message names the setting and what is expected, never the value. It stops
 * the start. Not of the family that callers see: what an operator has to do is no caller's business.
 */
export class AuthOptionsError extends Error {
  override readonly name = 'AuthOptionsError';

  constructor(setting: string, problem: string, expectation: string, options?: { readonly cause: unknown }) {
    super(`${setting}: ${problem} (expected: ${expectation})`, options);
  }
}
