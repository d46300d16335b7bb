import { createHmac, createSecretKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type JWTPayload, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { constant, LiveValue, type Principal, RookeryError } from '../core/index.js';
import { AuthOptions, type JwtOptions } from './auth.options.js';
import { AuthKeys } from './auth-keys.js';
import { TokenVerifier } from './token-verifier.js';

const secret = 'a secret of more than thirty-two bytes';
const startMs = Date.parse('2026-01-01T00:00:00Z');
const startSeconds = startMs / 1000;

function optionsWith(jwt: Partial<JwtOptions>, cache: { maxTokens?: number; ttlMs?: number } = {}): AuthOptions {
  const defaults = new AuthOptions();
  return { ...defaults, jwt: { ...defaults.jwt, ...jwt }, cache: { ...defaults.cache, ...cache } };
}

function verifierWith(jwt: Partial<JwtOptions>, env = 'production') {
  const clock = { nowMs: startMs };
  const identity = { appName: 'users', env };
  const keys = new AuthKeys(constant(optionsWith(jwt)), identity);
  return { clock, keys, verifier: new TokenVerifier(keys, identity, () => clock.nowMs) };
}

const valid: JWTPayload = { sub: 'alice', exp: startSeconds + 60 };

function sign(
  claims: JWTPayload = valid,
  key: KeyObject = createSecretKey(Buffer.from(secret)),
  alg = 'HS256',
): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg }).sign(key);
}

function unsigned(header: object, claims: object): string {
  return [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
}

async function refusalOf(outcome: Principal | Promise<Principal>): Promise<RookeryError> {
  const error: unknown = await Promise.resolve(outcome).then(
    () => 'accepted',
    (reason: unknown) => reason,
  );
  if (!RookeryError.is(error)) throw new Error('expected a refusal', { cause: error });
  return error;
}

describe('TokenVerifier', () => {
  it('makes a principal of the claims', async () => {
    const { verifier } = verifierWith({ secret });
    const token = await sign({
      ...valid,
      scope: 'users:write  logs:write',
      roles: ['operator'],
      tenant: 'acme',
      extra: { a: 1 },
    });

    const principal = await verifier.verify(token);

    expect(principal).toEqual({
      subject: 'alice',
      scopes: new Set(['users:write', 'logs:write']),
      roles: new Set(['operator']),
      tenant: 'acme',
      claims: { ...valid, scope: 'users:write  logs:write', roles: ['operator'], tenant: 'acme', extra: { a: 1 } },
    });
    expect(Object.isFrozen(principal.claims['extra'])).toBe(true);
  });

  it.each([
    ['TOKEN_EXPIRED', { ...valid, exp: startSeconds - 1 }, {}],
    ['TOKEN_NOT_YET_VALID', { ...valid, nbf: startSeconds + 2 }, {}],
    ['TOKEN_CLAIM_INVALID', { sub: 'alice' }, {}],
    ['TOKEN_CLAIM_INVALID', { exp: valid.exp }, {}],
    ['TOKEN_CLAIM_INVALID', { ...valid, sub: '' }, {}],
    ['TOKEN_CLAIM_INVALID', { ...valid, scope: ['users:write'] }, {}],
    ['TOKEN_CLAIM_INVALID', { ...valid, roles: 'operator' }, {}],
    ['TOKEN_CLAIM_INVALID', { ...valid, tenant: 7 }, {}],
    ['TOKEN_CLAIM_INVALID', { ...valid, nbf: 'tomorrow' }, {}],
    ['TOKEN_ISSUER_MISMATCH', { ...valid, iss: 'stranger' }, { issuer: 'idp' }],
    ['TOKEN_ISSUER_MISMATCH', valid, { issuer: 'idp' }],
    ['TOKEN_AUDIENCE_MISMATCH', { ...valid, aud: 'orders' }, { audience: 'api' }],
    ['TOKEN_AUDIENCE_MISMATCH', valid, { audience: 'api' }],
    ['TOKEN_AUDIENCE_MISMATCH', { ...valid, aud: 'orders' }, {}],
    ['TOKEN_AUDIENCE_MISMATCH', { ...valid, aud: [] }, {}],
  ] as [string, JWTPayload, Partial<JwtOptions>][])('refuses with %s: %j under %j', async (reason, claims, jwt) => {
    const { verifier } = verifierWith({ secret, ...jwt });

    const refusal = await refusalOf(verifier.verify(await sign(claims)));

    expect([refusal.reason, refusal.httpStatus]).toEqual([reason, 401]);
    // One whose signature is good is remembered, so that it is refused at little cost when it comes again.
    expect(verifier.size).toBe(reason === 'TOKEN_EXPIRED' ? 1 : 0);
  });

  it.each([
    [valid, {}],
    [{ ...valid, aud: 'users' }, {}],
    [{ ...valid, aud: ['orders', 'users'] }, {}],
    [{ ...valid, aud: ['api'] }, { audience: 'api' }],
    [{ ...valid, iss: 'idp' }, { issuer: 'idp' }],
  ] as [JWTPayload, Partial<JwtOptions>][])('accepts %j under %j', async (claims, jwt) => {
    const { verifier } = verifierWith({ secret, ...jwt });

    expect((await verifier.verify(await sign(claims))).subject).toBe('alice');
  });

  it('takes a token without end in development, unless told otherwise', async () => {
    const token = await sign({ sub: 'alice' });

    expect((await verifierWith({ secret }, 'development').verifier.verify(token)).subject).toBe('alice');
    const strict = verifierWith({ secret, requireExpiration: true }, 'development').verifier;
    expect((await refusalOf(strict.verify(token))).metadata).toEqual({ claim: 'exp' });
  });

  it('refuses alg none, whatever the signature', async () => {
    const { verifier } = verifierWith({ secret });
    const bare = unsigned({ alg: 'none' }, valid);

    for (const token of [`${bare}.`, `${bare}.AAAA`, `${unsigned({ alg: 'NONE' }, valid)}.`]) {
      const refusal = await refusalOf(verifier.verify(token));
      expect([refusal.reason, refusal.metadata]).toEqual(['TOKEN_ALGORITHM_REFUSED', { accepted: 'HS256' }]);
    }
  });

  it('refuses another algorithm of the same secret', async () => {
    const refusal = await refusalOf(verifierWith({ secret }).verifier.verify(await sign(valid, undefined, 'HS512')));

    expect(refusal.reason).toBe('TOKEN_ALGORITHM_REFUSED');
  });

  it('refuses a token that was tampered with or signed with another secret', async () => {
    const { verifier } = verifierWith({ secret });
    const [header, , signature] = (await sign()).split('.');
    const forged = Buffer.from(JSON.stringify({ ...valid, sub: 'root' })).toString('base64url');
    const stranger = await sign(valid, createSecretKey(Buffer.from(secret.toUpperCase())));

    for (const token of [`${header}.${forged}.${signature}`, stranger, `${header}.${forged}.`]) {
      expect((await refusalOf(verifier.verify(token))).reason).toBe('TOKEN_SIGNATURE_INVALID');
    }
  });

  it('knows one spelling of a signature only', async () => {
    const { verifier } = verifierWith({ secret });
    const token = await sign();
    // Two bits of the last character mean nothing.
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const last = alphabet.indexOf(token.at(-1) as string);
    const others = [1, 2, 3].map((bits) => token.slice(0, -1) + alphabet[last | bits]);

    expect(last % 4).toBe(0);
    for (const other of others) expect((await refusalOf(verifier.verify(other))).reason, other).toBe('TOKEN_MALFORMED');
    expect(await verifier.verify(token)).toMatchObject({ subject: expect.any(String) });
  });

  it('answers garbage with TOKEN_MALFORMED', async () => {
    const { verifier } = verifierWith({ secret });
    const [header, body, signature] = (await sign()).split('.');
    const json = (text: string) => Buffer.from(text).toString('base64url');
    const signedText = `${header}.${json('[]')}`;
    const array = `${signedText}.${createHmac('sha256', secret).update(signedText).digest('base64url')}`;
    const garbage = ['x', '...', 'a.b', 'ä.ö.ü', `${header}.${body}`, `${header}.${body}.${signature}.x`, array];
    const critical = `${unsigned({ alg: 'HS256', crit: ['x'], x: 1 }, valid)}.AAAA`;

    for (const token of [
      ...garbage,
      critical,
      `${json('{')}.${body}.${signature}`,
      `${json('null')}.${body}.${signature}`,
    ]) {
      expect((await refusalOf(verifier.verify(token))).reason, token).toBe('TOKEN_MALFORMED');
    }
  });

  it('tells the challenge of RFC 6750 and nothing of the token', async () => {
    const { verifier } = verifierWith({ secret });
    const token = await sign({ ...valid, exp: 1, tenant: 'hidden' });

    const refusal = await refusalOf(verifier.verify(token));

    expect(refusal.httpHeaders).toEqual({
      'www-authenticate': 'Bearer error="invalid_token", error_description="bearer token expired"',
    });
    expect(refusal.cause).toBeUndefined();
    expect(JSON.stringify([refusal, refusal.message, refusal.stack])).not.toContain(token.slice(0, 20));
  });

  it('is as patient with clocks as configured, for remembered tokens too', async () => {
    const { verifier, clock } = verifierWith({ secret, clockToleranceMs: 5000 });
    const token = await sign({ ...valid, exp: startSeconds + 1, nbf: startSeconds + 5 });

    expect((await verifier.verify(token)).subject).toBe('alice');
    clock.nowMs = startMs + 5999;
    expect(verifier.verify(token)).not.toBeInstanceOf(Promise);
    clock.nowMs = startMs + 6000;
    expect((await refusalOf(verifier.verify(token))).reason).toBe('TOKEN_EXPIRED');
  });
});

describe('TokenVerifier cache', () => {
  it('answers at once for a token it knows, until that is too long ago', async () => {
    const { verifier, clock } = verifierWith({ secret });
    const token = await sign({ ...valid, exp: startSeconds + 3600 });
    const principal = await verifier.verify(token);

    expect(verifier.verify(token)).toBe(principal);
    clock.nowMs += 60_000;
    expect(verifier.verify(token)).toBeInstanceOf(Promise);
  });

  it('keeps no more tokens than configured', async () => {
    const identity = { appName: 'users', env: 'production' };
    const keys = new AuthKeys(constant(optionsWith({ secret }, { maxTokens: 2 })), identity);
    const verifier = new TokenVerifier(keys, identity, () => startMs);
    const [first, second, third] = await Promise.all([
      sign({ ...valid, sub: 'a' }),
      sign({ ...valid, sub: 'b' }),
      sign(),
    ]);
    for (const token of [first, second, third]) await verifier.verify(token);

    expect(verifier.size).toBe(2);
    expect(verifier.verify(third)).not.toBeInstanceOf(Promise);
    expect(verifier.verify(first)).toBeInstanceOf(Promise);
  });

  it('keeps none when told so', async () => {
    const identity = { appName: 'users', env: 'production' };
    const keys = new AuthKeys(constant(optionsWith({ secret }, { maxTokens: 0 })), identity);
    const verifier = new TokenVerifier(keys, identity, () => startMs);

    await verifier.verify(await sign());

    expect(verifier.size).toBe(0);
  });

  it('forgets tokens when the key changes, those under way included', async () => {
    const identity = { appName: 'users', env: 'production' };
    const live = new LiveValue(optionsWith({ secret }));
    const verifier = new TokenVerifier(new AuthKeys(live, identity), identity, () => startMs);
    const token = await sign();
    await verifier.verify(token);
    const underWay = verifier.verify(await sign({ ...valid, sub: 'bob' }));

    live.publish(optionsWith({ secret: secret.toUpperCase() }));

    expect((await underWay).subject).toBe('bob');
    expect(verifier.size).toBe(0);
    expect((await refusalOf(verifier.verify(token))).reason).toBe('TOKEN_SIGNATURE_INVALID');
  });

  it('says KEYS_UNAVAILABLE where no key is configured', async () => {
    const refusal = await refusalOf(verifierWith({}).verifier.verify(await sign()));

    expect([refusal.reason, refusal.httpStatus]).toEqual(['KEYS_UNAVAILABLE', 503]);
  });
});

describe('TokenVerifier with a public key file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rookery-auth-'));
  const pairs = {
    RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
    ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    ES384: generateKeyPairSync('ec', { namedCurve: 'P-384' }),
    EdDSA: generateKeyPairSync('ed25519'),
  };

  beforeAll(() => {
    for (const [name, { publicKey }] of Object.entries(pairs)) {
      writeFileSync(join(folder, `${name}.pem`), publicKey.export({ type: 'spki', format: 'pem' }));
      writeFileSync(join(folder, `${name}.jwk`), JSON.stringify(publicKey.export({ format: 'jwk' })));
    }
  });

  afterAll(() => rmSync(folder, { recursive: true }));

  it.each(Object.keys(pairs).flatMap((alg) => [`${alg}.pem`, `${alg}.jwk`]))(
    'checks tokens with %s, and with its algorithm alone',
    async (file) => {
      const alg = file.split('.')[0] as keyof typeof pairs;
      const { verifier, keys } = verifierWith({ publicKeyFile: join(folder, file) });

      expect((await verifier.verify(await sign(valid, pairs[alg].privateKey, alg))).subject).toBe('alice');
      expect(keys.value.algorithms).toEqual(alg === 'EdDSA' ? ['EdDSA', 'Ed25519'] : [alg]);
    },
  );

  it('takes no token signed with the public key as if it were a secret', async () => {
    const path = join(folder, 'RS256.pem');
    const { verifier } = verifierWith({ publicKeyFile: path });
    const pem = createSecretKey(Buffer.from(pairs.RS256.publicKey.export({ type: 'spki', format: 'pem' })));

    const refusal = await refusalOf(verifier.verify(await sign(valid, pem, 'HS256')));

    expect(refusal.reason).toBe('TOKEN_ALGORITHM_REFUSED');
  });

  it('takes PS256 of an RSA key when configured, and then no RS256', async () => {
    const { verifier } = verifierWith({ publicKeyFile: join(folder, 'RS256.pem'), algorithms: ['PS256'] });

    expect((await verifier.verify(await sign(valid, pairs.RS256.privateKey, 'PS256'))).subject).toBe('alice');
    expect((await refusalOf(verifier.verify(await sign(valid, pairs.RS256.privateKey, 'RS256')))).reason).toBe(
      'TOKEN_ALGORITHM_REFUSED',
    );
  });
});
