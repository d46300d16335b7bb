import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { describe, expect, it } from 'vitest';
import { constant, LiveValue } from '../core/index.js';
import { AuthOptions, type JwtOptions, type ServiceTokenOptions } from './auth.options.js';
import { AuthKeys } from './auth-keys.js';
import { DevelopmentToken } from './development-token.js';
import { ServiceTokens } from './service-tokens.js';
import { TokenVerifier } from './token-verifier.js';

const secret = 'a secret of more than thirty-two bytes';
const startMs = Date.parse('2026-01-01T00:00:00Z');

function optionsWith(jwt: Partial<JwtOptions>, service: Partial<ServiceTokenOptions> = {}): AuthOptions {
  const defaults = new AuthOptions();
  return { ...defaults, jwt: { ...defaults.jwt, ...jwt }, service: { ...defaults.service, ...service } };
}

function serviceCalled(appName: string, options: AuthOptions, env = 'production') {
  const clock = { nowMs: startMs };
  const live = new LiveValue(options);
  const identity = { appName, env };
  const keys = new AuthKeys(live, identity);
  const now = () => clock.nowMs;
  return {
    clock,
    live,
    tokens: new ServiceTokens(keys, identity, now),
    verifier: new TokenVerifier(keys, identity, now),
    development: new DevelopmentToken(keys, identity),
  };
}

describe('ServiceTokens', () => {
  it('issues short-lived tokens that the named service accepts and no other', async () => {
    const options = optionsWith({ secret });
    const token = await serviceCalled('users', options).tokens.tokenFor('orders');

    const { jti, ...claims } = decodeJwt(token);
    expect(claims).toEqual({
      iss: 'users',
      sub: 'users',
      aud: 'orders',
      iat: startMs / 1000,
      exp: startMs / 1000 + 60,
    });
    expect(jti).toMatch(/^[0-9a-f-]{36}$/);
    expect((await serviceCalled('orders', options).verifier.verify(token)).subject).toBe('users');
    await expect(serviceCalled('files', options).verifier.verify(token)).rejects.toMatchObject({
      reason: 'TOKEN_AUDIENCE_MISMATCH',
    });
  });

  it('speaks for the issuer that the fleet pins', async () => {
    const options = optionsWith({ secret, issuer: 'idp' }, { name: 'users-batch' });
    const token = await serviceCalled('users', options).tokens.tokenFor('orders');

    expect((await serviceCalled('orders', options).verifier.verify(token)).claims).toMatchObject({
      iss: 'idp',
      sub: 'users-batch',
    });
  });

  it('shows one token per service until 80 % of its life have passed', async () => {
    const { tokens, clock } = serviceCalled('users', optionsWith({ secret }));
    const [first, same, other] = await Promise.all([
      tokens.tokenFor('orders'),
      tokens.tokenFor('orders'),
      tokens.tokenFor('files'),
    ]);

    clock.nowMs = startMs + 47_999;
    const late = await tokens.tokenFor('orders');
    clock.nowMs = startMs + 48_000;
    const next = await tokens.tokenFor('orders');

    expect([same, late]).toEqual([first, first]);
    expect(new Set([first, other, next]).size).toBe(3);
  });

  it('issues new tokens when the options change', async () => {
    const { tokens, live } = serviceCalled('users', optionsWith({ secret }));
    await tokens.tokenFor('orders');

    live.publish(optionsWith({ secret }, { tokenTtlMs: 5000 }));

    const { iat, exp } = decodeJwt(await tokens.tokenFor('orders'));
    expect((exp ?? 0) - (iat ?? 0)).toBe(5);
  });

  it('signs with its private key, which peers check by the public one', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'rookery-auth-'));
    const pair = generateKeyPairSync('ed25519');
    const [privateKeyFile, publicKeyFile] = [join(folder, 'private.pem'), join(folder, 'public.pem')];
    writeFileSync(privateKeyFile, pair.privateKey.export({ type: 'pkcs8', format: 'pem' }));
    writeFileSync(publicKeyFile, pair.publicKey.export({ type: 'spki', format: 'pem' }));

    const token = await serviceCalled(
      'users',
      optionsWith({ secret }, { privateKeyFile, keyId: 'k1' }),
    ).tokens.tokenFor('orders');

    expect(decodeProtectedHeader(token)).toEqual({ alg: 'EdDSA', typ: 'JWT', kid: 'k1' });
    expect((await serviceCalled('orders', optionsWith({ publicKeyFile })).verifier.verify(token)).subject).toBe(
      'users',
    );
    rmSync(folder, { recursive: true });
  });

  it('says what is missing where there is nothing to sign with', async () => {
    const { tokens } = serviceCalled('users', optionsWith({}));

    await expect(tokens.tokenFor('orders')).rejects.toThrow(
      'auth.service.privateKeyFile: not set (expected: a private key, or auth.jwt.secret, to sign service tokens with)',
    );
  });
});

describe('DevelopmentToken', () => {
  it('is accepted by the process that made it, and by no other', async () => {
    const options = optionsWith({});
    const defaults = new AuthOptions();
    const identity = { appName: 'users', env: 'development' };
    const keys = new AuthKeys(constant({ ...defaults, ...options }), identity);

    const token = (await new DevelopmentToken(keys, identity).issue({
      scopes: ['users:write', 'logs:write'],
    })) as string;

    const principal = await new TokenVerifier(keys, identity).verify(token);
    expect(principal).toMatchObject({
      subject: 'developer',
      scopes: new Set(['users:write', 'logs:write']),
      roles: new Set(['developer']),
    });
    expect(Number(principal.claims['exp']) - Number(principal.claims['iat'])).toBe(12 * 3600);
    const { verifier, clock } = serviceCalled('users', options, 'development');
    clock.nowMs = Date.now();
    await expect(verifier.verify(token)).rejects.toMatchObject({ reason: 'TOKEN_SIGNATURE_INVALID' });
  });

  it('fits the issuer and audience that are configured', async () => {
    const identity = { appName: 'users', env: 'development' };
    const keys = new AuthKeys(constant(optionsWith({ issuer: 'idp', audience: 'api' })), identity);

    const token = (await new DevelopmentToken(keys, identity).issue({
      scopes: [],
      roles: ['viewer'],
      subject: 'eve',
    })) as string;

    expect((await new TokenVerifier(keys, identity).verify(token)).claims).toMatchObject({
      sub: 'eve',
      iss: 'idp',
      aud: 'api',
      roles: ['viewer'],
    });
  });

  it('does not exist where a key is configured or development is over', async () => {
    expect(
      await serviceCalled('users', optionsWith({ secret }), 'development').development.issue({ scopes: [] }),
    ).toBeUndefined();
    expect(
      await serviceCalled('users', optionsWith({}), 'production').development.issue({ scopes: [] }),
    ).toBeUndefined();
  });
});
