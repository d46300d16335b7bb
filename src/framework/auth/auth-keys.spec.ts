import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { plainToInstance } from 'class-transformer';
import { validateSync, type ValidationError } from 'class-validator';
import { afterAll, describe, expect, it } from 'vitest';
import { constant, LiveValue } from '../core/index.js';
import { AuthOptionsError } from './auth.errors.js';
import { AuthOptions, type JwtOptions, type ServiceTokenOptions } from './auth.options.js';
import { AuthKeys, type KeySet } from './auth-keys.js';
import { assertKeysConfigured } from './key-assertion.js';

const secret = 'a secret of more than thirty-two bytes';
const identity = { appName: 'users', env: 'production' };
const folder = mkdtempSync(join(tmpdir(), 'rookery-auth-'));

function optionsWith(jwt: Partial<JwtOptions>, service: Partial<ServiceTokenOptions> = {}): AuthOptions {
  const defaults = new AuthOptions();
  return { ...defaults, jwt: { ...defaults.jwt, ...jwt }, service: { ...defaults.service, ...service } };
}

function keysOf(jwt: Partial<JwtOptions>, env = 'production'): KeySet {
  return new AuthKeys(constant(optionsWith(jwt)), { ...identity, env }).value;
}

function file(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const files = {
  publicPem: file('public.pem', ec.publicKey.export({ type: 'spki', format: 'pem' }).toString()),
  privatePem: file('private.pem', ec.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()),
  privateJwk: file('private.jwk', JSON.stringify(ec.privateKey.export({ format: 'jwk' }))),
  weakRsa: file(
    'weak.pem',
    generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  ),
  x25519: file(
    'x25519.pem',
    generateKeyPairSync('x25519').publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  ),
  text: file('text.pem', 'not a key'),
  json: file('broken.jwk', '{'),
};

afterAll(() => rmSync(folder, { recursive: true }));

describe('AuthKeys', () => {
  it.each([
    [{ secret: 'short-but-secret' }, 'auth.jwt.secret: too short (expected: at least 32 bytes)'],
    [
      { secret, publicKeyFile: files.publicPem },
      'auth.jwt: several key sources (expected: one of secret, publicKeyFile, jwksUri)',
    ],
    [
      { publicKeyFile: join(folder, 'none') },
      'auth.jwt.publicKeyFile: the file cannot be read: ENOENT (expected: a public key as PEM or JWK)',
    ],
    [
      { publicKeyFile: files.text },
      'auth.jwt.publicKeyFile: the file does not hold such a key (expected: a public key as PEM or JWK)',
    ],
    [
      { publicKeyFile: files.json },
      'auth.jwt.publicKeyFile: the file does not hold such a key (expected: a public key as PEM or JWK)',
    ],
    [
      { publicKeyFile: files.privatePem },
      'auth.jwt.publicKeyFile: the file holds a private key (expected: a public key as PEM or JWK)',
    ],
    [
      { publicKeyFile: files.privateJwk },
      'auth.jwt.publicKeyFile: the file holds a private key (expected: a public key as PEM or JWK)',
    ],
    [{ publicKeyFile: files.weakRsa }, 'auth.jwt.publicKeyFile: RSA key of 1024 bits (expected: at least 2048)'],
    [
      { publicKeyFile: files.x25519 },
      'auth.jwt.publicKeyFile: the key cannot sign tokens (expected: RSA, EC on P-256, P-384 or P-521, or Ed25519)',
    ],
    [
      { publicKeyFile: files.publicPem, algorithms: ['HS256'] },
      'auth.jwt.algorithms: HS256 (expected: out of ES256, as the key is)',
    ],
    [
      { secret, algorithms: ['HS256', 'RS256'] },
      'auth.jwt.algorithms: RS256 (expected: out of HS256, HS384, HS512, as the key is)',
    ],
  ])('stops the start at %j', (jwt, message) => {
    expect(() => keysOf(jwt)).toThrow(expect.objectContaining({ name: 'AuthOptionsError', message }) as Error);
  });

  it('makes up a key in development and test, another one in each process, and nowhere else', () => {
    expect(['development', 'test', 'production', 'staging'].map((env) => keysOf({}, env).source)).toEqual([
      'development',
      'development',
      'none',
      'none',
    ]);
    const [one, other] = [keysOf({}, 'development'), keysOf({}, 'development')].map(({ signing }) =>
      signing?.key.export().toString('hex'),
    );
    expect(one).toHaveLength(64);
    expect(one).not.toBe(other);
  });

  it('keeps the made-up key when other options change', () => {
    const live = new LiveValue(optionsWith({}));
    const keys = new AuthKeys(live, { ...identity, env: 'development' });
    const before = keys.value.verification;

    live.publish(optionsWith({ issuer: 'idp' }));

    expect(keys.value.options.jwt.issuer).toBe('idp');
    expect(keys.value.verification).toBe(before);
  });

  it('refuses a change that it cannot use, and keeps the last good keys', () => {
    const live = new LiveValue(optionsWith({ secret }));
    const keys = new AuthKeys(live, identity);
    const before = keys.value;

    expect(() => live.publish(optionsWith({ publicKeyFile: files.text, issuer: 'idp' }))).toThrow(AuthOptionsError);
    expect(() => live.publish(optionsWith({}))).toThrow('auth.jwt: no key any more (expected: one of secret');

    expect(keys.value).toBe(before);
    expect(live.value.jwt.secret).toBe(secret);
    live.publish(optionsWith({ publicKeyFile: files.publicPem }));
    expect(keys.value.source).toBe('publicKeyFile');
    keys.close();
  });

  it('takes over another previous key file', () => {
    const live = new LiveValue(optionsWith({ secret }));
    const keys = new AuthKeys(live, identity);

    live.publish(optionsWith({ secret, previousPublicKeyFile: files.publicPem }));
    const { previous } = keys.value;
    keys.close();

    expect(previous).toEqual([{ key: expect.anything() as unknown, algorithms: ['ES256'] }]);
    const [first] = previous;
    expect(first !== undefined && ec.publicKey.equals(first.key as KeyObject)).toBe(true);
  });

  it('changes nothing when another subscriber refuses', () => {
    const live = new LiveValue(optionsWith({ secret }));
    const keys = new AuthKeys(live, identity);
    const before = keys.value;
    live.subscribe({
      prepare: () => {
        throw new Error('not now');
      },
    });

    expect(() => live.publish(optionsWith({ jwksUri: 'https://idp.example.com/keys' }))).toThrow('not now');

    expect(keys.value).toBe(before);
  });

  it('follows what a key file holds, and keeps the former key while it holds none', async () => {
    const pem = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }).toString();
    const { publicKey: next } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const path = file('changing.pem', pem(ec.publicKey));
    const warned = Promise.withResolvers<string>();
    const changed = Promise.withResolvers<KeySet>();
    const init = { filePollMs: 5, warn: warned.resolve };
    const keys = new AuthKeys(constant(optionsWith({ publicKeyFile: path })), identity, init);
    const before = keys.value;
    keys.subscribe((set) => changed.resolve(set));

    writeFileSync(path, '-----BEGIN PUBLIC KEY-----\n');
    expect(await warned.promise).toMatch(/^key file not taken over, the key before serves: auth.jwt.publicKeyFile: /);
    expect(keys.value).toBe(before);
    writeFileSync(path, pem(next));
    const { verification } = await changed.promise;
    keys.close();
    keys.close();

    expect((verification as KeyObject).equals(next)).toBe(true);
  });

  it('no longer follows the options once closed', () => {
    const live = new LiveValue(optionsWith({ secret }));
    const keys = new AuthKeys(live, identity);

    keys.close();
    keys.close();
    live.publish(optionsWith({ secret, issuer: 'idp' }));

    expect(keys.value.options.jwt.issuer).toBeUndefined();
  });
});

describe('assertKeysConfigured', () => {
  it('stops a start with protected routes and no key, and names the cure', () => {
    const keys = keysOf({});

    expect(() => assertKeysConfigured(keys, ['POST /users', 'PATCH /users/:id'])).toThrow(
      'auth.jwt: no key for the protected POST /users and 1 more (expected: one of auth.jwt.secret, auth.jwt.publicKeyFile, auth.jwt.jwksUri, or @Public() on the routes)',
    );
  });

  it('lets a service start that is public, or has a key', () => {
    expect(() => assertKeysConfigured(keysOf({}), [])).not.toThrow();
    expect(() => assertKeysConfigured(keysOf({ secret }), ['POST /users'])).not.toThrow();
    expect(() => assertKeysConfigured(keysOf({}, 'development'), ['POST /users'])).not.toThrow();
  });
});

describe('AuthOptions', () => {
  function problemsOf(plain: object): Record<string, string> {
    const flat = (errors: readonly ValidationError[], path: string): [string, string][] =>
      errors.flatMap((error) => [
        ...Object.values(error.constraints ?? {}).map((text): [string, string] => [`${path}${error.property}`, text]),
        ...flat(error.children ?? [], `${path}${error.property}.`),
      ]);
    return Object.fromEntries(
      flat(validateSync(plainToInstance(AuthOptions, plain), { whitelist: true, forbidNonWhitelisted: true }), ''),
    );
  }

  it('is valid as it is, and with each source of keys', () => {
    for (const jwt of [
      {},
      { secret },
      { publicKeyFile: 'key.pem' },
      { jwksUri: 'http://idp:8080/keys' },
      { jwksUri: 'https://idp.example/keys' },
    ]) {
      expect(problemsOf({ jwt }), JSON.stringify(jwt)).toEqual({});
    }
  });

  it('names what is wrong, and never the secret', () => {
    expect(problemsOf({ jwt: { secret: 'hush' } })).toEqual({ 'jwt.secret': 'secret must be at least 32 bytes long' });
    expect(problemsOf({ jwt: { secret, jwksUri: 'https://idp/keys' } })).toEqual({
      jwt: 'jwt must be a mapping with at most one of secret, publicKeyFile, jwksUri',
    });
    const jwt = { jwksUri: 'ftp://idp/keys', algorithms: ['none'] };
    expect(new Set(Object.keys(problemsOf({ jwt, jwks: { fetchTimeoutMs: 5001 }, more: 1 })))).toEqual(
      new Set(['jwt.jwksUri', 'jwt.algorithms', 'jwks.fetchTimeoutMs', 'more']),
    );
  });
});
