import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { http } from '../support/http-caller.js';
import { KeyServer } from '../support/key-server.js';
import { ReferenceApp } from '../support/reference-app.js';
import { temporaryFolder, type TemporaryFolder } from '../support/temporary-folder.js';
import { users } from '../support/trial-app.js';

interface KeyPair {
  readonly alg: string;
  readonly kid: string;
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

const pairs: readonly KeyPair[] = [
  { alg: 'RS256', kid: 'rsa', ...generateKeyPairSync('rsa', { modulusLength: 2048 }) },
  { alg: 'ES256', kid: 'ec', ...generateKeyPairSync('ec', { namedCurve: 'P-256' }) },
  { alg: 'EdDSA', kid: 'ed', ...generateKeyPairSync('ed25519') },
];
const [rsa, ec, ed] = pairs as [KeyPair, KeyPair, KeyPair];

let folder: TemporaryFolder;
let app: ReferenceApp | undefined;

beforeAll(async () => {
  folder = await temporaryFolder();
});

afterEach(async () => {
  await app?.close();
  app = undefined;
});

afterAll(() => folder.remove());

/** Starts the reference service without the secret of tests. */
async function start(set: Readonly<Record<string, unknown>>): Promise<ReferenceApp> {
  app = await ReferenceApp.start({ 'auth.jwt.secret': undefined, ...set });
  return app;
}

function sign({ alg, kid, privateKey }: KeyPair, header: object = {}): Promise<string> {
  return new SignJWT({ sub: 'writer', scope: 'users:write' })
    .setProtectedHeader({ alg, kid, ...header })
    .setIssuedAt()
    .setExpirationTime('1h')
    .sign(privateKey);
}

/** What each face says to a token; who is let in is told that there is no user 99. */
async function told(token: string): Promise<{ rest: string; rpc: string }> {
  if (app === undefined) throw new Error('nothing is started');
  const [rest, rpc] = await Promise.all([
    http(app.url, { method: 'DELETE', path: '/api/v1/users/99', token }),
    app.caller.call(users.remove, [{ id: '99' }], { token }),
  ]);
  const { code, reason } = rest.json as { code: number; reason: string };
  return { rest: `${code} ${reason}`, rpc: `${rpc.failure?.status} ${rpc.failure?.reason}` };
}

const letIn = { rest: '404 USER_NOT_FOUND', rpc: 'NOT_FOUND USER_NOT_FOUND' };
const refused = (reason: string): object => ({ rest: `401 ${reason}`, rpc: `UNAUTHENTICATED ${reason}` });
const unavailable = { rest: '503 KEYS_UNAVAILABLE', rpc: 'UNAVAILABLE KEYS_UNAVAILABLE' };

describe.each(pairs)('a public key file for $alg', (pair) => {
  it.each([
    ['PEM', (key: KeyObject) => key.export({ format: 'pem', type: 'spki' }) as string],
    ['JWK', (key: KeyObject) => JSON.stringify(key.export({ format: 'jwk' }))],
  ])('as %s lets in who has the private key, and nobody else', async (form, textOf) => {
    const path = join(folder.path, `${pair.alg}.${form}`);
    const text = textOf(pair.publicKey);
    await writeFile(path, text);
    await start({ 'auth.jwt.publicKeyFile': path });
    const other = pairs[(pairs.indexOf(pair) + 1) % pairs.length] as KeyPair;
    const stranger = { ...pair, ...strangerOf(pair.alg) };
    // The oldest trick: the public key, which everybody has, taken for a secret.
    const confused = await new SignJWT({ sub: 'mallory', scope: 'users:write' })
      .setProtectedHeader({ alg: 'HS256' })
      .setExpirationTime('1h')
      .sign(Buffer.from(text));

    expect(await told(await sign(pair))).toEqual(letIn);
    expect(await told(await sign(stranger))).toEqual(refused('TOKEN_SIGNATURE_INVALID'));
    expect(await told(await sign(other))).toEqual(refused('TOKEN_ALGORITHM_REFUSED'));
    expect(await told(confused)).toEqual(refused('TOKEN_ALGORITHM_REFUSED'));
  });
});

describe('a key set at a URL', () => {
  let server: KeyServer;

  afterEach(() => server.down());

  it('lets in who has a key of it, of every kind', async () => {
    server = await KeyServer.start(...pairs);
    await start({ 'auth.jwt.jwksUri': server.url });

    for (const pair of pairs) expect(await told(await sign(pair))).toEqual(letIn);
    expect(server.requests).toBe(1);
  });

  it('is asked again for a new key, and forgets one that has gone, tokens seen before included', async () => {
    server = await KeyServer.start(rsa);
    await start({ 'auth.jwt.jwksUri': server.url, 'auth.jwks.cooldownMs': 0 });
    const old = await sign(rsa);
    const before = await told(old);
    server.publish(rsa, ec);
    const both = [await told(await sign(ec)), await told(old)];
    server.publish(ec, ed);
    const rotated = await told(await sign(ed));

    expect([before, ...both, rotated]).toEqual([letIn, letIn, letIn, letIn]);
    expect(await told(old)).toEqual(refused('TOKEN_KEY_UNKNOWN'));
    expect(await told(await sign(ec))).toEqual(letIn);
  });

  it('is not asked again within the cooldown, whatever key a token names', async () => {
    server = await KeyServer.start(rsa);
    await start({ 'auth.jwt.jwksUri': server.url, 'auth.jwks.cooldownMs': 60_000 });
    await told(await sign(rsa));
    server.publish(rsa, ec);
    const unknown = await Promise.all([ec, ed, ec, ed].map(async (pair) => told(await sign(pair))));

    expect(unknown).toEqual(Array.from({ length: 4 }, () => refused('TOKEN_KEY_UNKNOWN')));
    expect(await told(await sign(rsa))).toEqual(letIn);
    expect(server.requests).toBe(1);
  });

  it('that is down from the start is an outage and no refusal; what is public goes on, and all when it is back', async () => {
    server = await KeyServer.start(rsa);
    await server.down();
    const started = await start({
      'auth.jwt.jwksUri': server.url,
      'auth.jwks.retryDelayMs': 0,
      'auth.jwks.cooldownMs': 0,
    });
    const token = await sign(rsa);
    const answer = await http(started.url, { method: 'DELETE', path: '/api/v1/users/99', token });
    const call = await started.caller.call(users.remove, [{ id: '99' }], { token });
    const open = await http(started.url, { path: '/api/v1/users/1' });
    const openCall = await started.caller.call(users.get, [{ id: '1' }]);
    await server.up();

    const message = 'the keys that tokens are checked with are not available';
    expect(answer.json).toMatchObject({ code: 503, reason: 'KEYS_UNAVAILABLE', message });
    expect(answer.headers['retry-after']).toBe('0');
    expect(call.failure).toMatchObject({ status: 'UNAVAILABLE', reason: 'KEYS_UNAVAILABLE', message, retryAfterMs: 0 });
    expect(answer.text).not.toContain('127.0.0.1');
    expect(open.status).toBe(200);
    expect(openCall.failure).toBeUndefined();
    expect(await told(token)).toEqual(letIn);
  });

  it('that goes down lets in who has a key it had, also with a token not seen before', async () => {
    server = await KeyServer.start(rsa, ec);
    await start({ 'auth.jwt.jwksUri': server.url, 'auth.jwks.cooldownMs': 0, 'auth.cache.maxTokens': 0 });
    await told(await sign(rsa));
    await server.down();

    expect(await told(await sign(rsa))).toEqual(letIn);
    expect(await told(await sign(ec))).toEqual(letIn);
    expect(await told(await sign(ed))).toEqual(unavailable);
  });

  it('that stays down serves on beyond its age, and for a limited time', async () => {
    server = await KeyServer.start(rsa);
    const settings = { 'auth.jwks.maxAgeMs': 10_000, 'auth.jwks.maxStaleMs': 20_000, 'auth.cache.maxTokens': 0 };
    await start({ 'auth.jwt.jwksUri': server.url, ...settings });
    const token = await sign(rsa);
    await told(token);
    await server.down();
    vi.useFakeTimers({ toFake: ['Date'] });
    vi.setSystemTime(Date.now() + 20_000);
    const aged = await told(token);
    vi.setSystemTime(Date.now() + 20_000);
    const stale = await told(token);
    vi.useRealTimers();

    expect(aged).toEqual(letIn);
    expect(stale).toEqual(unavailable);
  });

  it('does not take a key for an algorithm it is not for', async () => {
    server = await KeyServer.start(rsa);
    await start({ 'auth.jwt.jwksUri': server.url });
    const confused = await new SignJWT({ sub: 'mallory', scope: 'users:write' })
      .setProtectedHeader({ alg: 'HS256', kid: rsa.kid })
      .setExpirationTime('1h')
      .sign(Buffer.from(rsa.publicKey.export({ format: 'pem', type: 'spki' }) as string));

    expect(await told(confused)).toEqual(refused('TOKEN_ALGORITHM_REFUSED'));
    expect(await told(await sign(ec, { kid: rsa.kid }))).toEqual(refused('TOKEN_KEY_UNKNOWN'));
  });
});

function strangerOf(alg: string): { publicKey: KeyObject; privateKey: KeyObject } {
  if (alg === 'RS256') return generateKeyPairSync('rsa', { modulusLength: 2048 });
  if (alg === 'ES256') return generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return generateKeyPairSync('ed25519');
}
