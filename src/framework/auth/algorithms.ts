import type { KeyObject } from 'node:crypto';

/** The settings of `auth.jwt` that say where keys come from; one of them may be set. */
export const keySettings = ['secret', 'publicKeyFile', 'jwksUri'] as const;

/** The algorithms that fit one kind of key. The first is taken where the configuration names none. */
export interface AlgorithmFamily {
  readonly usual: readonly string[];
  readonly possible: readonly string[];
}

const rsa = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const;
const ecdsa = ['ES256', 'ES384', 'ES512'] as const;
// `Ed25519` is the fully-specified name of RFC 9864; `EdDSA` with this curve means the same.
const ed25519 = ['EdDSA', 'Ed25519'] as const;
const hmac = ['HS256', 'HS384', 'HS512'] as const;

/** Every algorithm a token may be signed with, by some key. `none` is not one. */
export const signatureAlgorithms: readonly string[] = [...hmac, ...rsa, ...ecdsa, ...ed25519];

/** Algorithms of a shared secret. */
export const secretFamily: AlgorithmFamily = { usual: ['HS256'], possible: hmac };

/** Algorithms of a key set: which of them a key takes is said by the key. Never a symmetric one: a key set is public. */
export const keySetFamily: AlgorithmFamily = {
  usual: [...rsa, ...ecdsa, ...ed25519],
  possible: [...rsa, ...ecdsa, ...ed25519],
};

const curves: Readonly<Record<string, string>> = { prime256v1: 'ES256', secp384r1: 'ES384', secp521r1: 'ES512' };

/**
 * Algorithms of an asymmetric key, by its type. A key never fits algorithms of another type, and no asymmetric key
 * fits HS256: that is what makes it impossible to pass off a public key as a secret.
 *
 * @returns `undefined` for a key that cannot sign tokens, such as X25519
 */
export function familyOf(key: KeyObject): AlgorithmFamily | undefined {
  switch (key.asymmetricKeyType) {
    case 'rsa':
      return { usual: ['RS256'], possible: rsa };
    case 'ed25519':
      return { usual: ed25519, possible: ed25519 };
    case 'ec': {
      const algorithm = curves[key.asymmetricKeyDetails?.namedCurve ?? ''];
      return algorithm === undefined ? undefined : { usual: [algorithm], possible: [algorithm] };
    }
    default:
      return undefined;
  }
}
