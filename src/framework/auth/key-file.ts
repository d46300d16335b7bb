import { createPrivateKey, createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { readRegularFileSync, RegularFileError } from '../core/index.js';
import { type AlgorithmFamily, familyOf } from './algorithms.js';
import { AuthOptionsError } from './auth.errors.js';

// Keys have a few kilobytes, chains of certificates a few dozen.
export const maxKeyFileBytes = 1_048_576;

// RFC 7518 section 3.3.
const minRsaBits = 2048;

/** An asymmetric key and the algorithms that fit its type. */
export interface FileKey {
  readonly key: KeyObject;
  readonly family: AlgorithmFamily;
}

/**
 * Reads a public key: PEM (SPKI, PKCS #1 or a certificate) or one JWK.
 *
 * @param setting name of the setting, for the error
 * @throws AuthOptionsError the file cannot be read, or holds no key that can check tokens, or holds a private one
 */
export function readPublicKey(path: string, setting: string): FileKey {
  const expectation = 'a public key as PEM or JWK';
  const text = readKeyText(path, setting, expectation);
  // Node would quietly derive the public half; a private key where everybody checks tokens is an accident to be told.
  if (isPrivate(text)) throw new AuthOptionsError(setting, 'the file holds a private key', expectation);
  return readKey(text, setting, expectation, (source) => createPublicKey(source));
}

/**
 * Reads a private key: PEM (PKCS #8, PKCS #1, SEC 1; without a passphrase) or one JWK.
 *
 * @param setting name of the setting, for the error
 * @throws AuthOptionsError the file cannot be read, or holds no key that can sign tokens
 */
export function readPrivateKey(path: string, setting: string): FileKey {
  const expectation = 'a private key as PEM or JWK';
  const text = readKeyText(path, setting, expectation);
  return readKey(text, setting, expectation, (source) => createPrivateKey(source));
}

type KeySource = string | { readonly key: JsonWebKey; readonly format: 'jwk' };

function readKeyText(path: string, setting: string, expectation: string): string {
  try {
    // At start and when the setting changes; a key file has a few kilobytes.
    return readRegularFileSync(path, maxKeyFileBytes).toString().trim();
  } catch (cause) {
    if (cause instanceof RegularFileError)
      throw new AuthOptionsError(setting, `the file ${cause.message}`, expectation);
    const code = (cause as NodeJS.ErrnoException).code ?? 'unreadable';
    throw new AuthOptionsError(setting, `the file cannot be read: ${code}`, expectation, { cause });
  }
}

function readKey(
  text: string,
  setting: string,
  expectation: string,
  create: (source: KeySource) => KeyObject,
): FileKey {
  let key: KeyObject;
  try {
    key = create(isJson(text) ? { key: JSON.parse(text) as JsonWebKey, format: 'jwk' } : text);
  } catch {
    // No cause: what a parser says about a key may quote it.
    throw new AuthOptionsError(setting, 'the file does not hold such a key', expectation);
  }
  const family = familyOf(key);
  if (family === undefined) {
    throw new AuthOptionsError(setting, 'the key cannot sign tokens', 'RSA, EC on P-256, P-384 or P-521, or Ed25519');
  }
  const bits = key.asymmetricKeyDetails?.modulusLength;
  if (bits !== undefined && bits < minRsaBits) {
    throw new AuthOptionsError(setting, `RSA key of ${bits} bits`, `at least ${minRsaBits}`);
  }
  return { key, family };
}

function isJson(text: string): boolean {
  return text.startsWith('{');
}

function isPrivate(text: string): boolean {
  if (!isJson(text)) return text.includes('PRIVATE KEY-----');
  try {
    return (JSON.parse(text) as JsonWebKey).d !== undefined;
  } catch {
    return false;
  }
}
