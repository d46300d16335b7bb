import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { rename, writeFile } from 'node:fs/promises';
import { SignJWT } from 'jose';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { AppModule } from '../../src/service/app.module.js';
import { EditedApp, type Settings } from '../support/edited-app.js';
import { http } from '../support/http-caller.js';
import { KeyServer } from '../support/key-server.js';
import { users } from '../support/trial-app.js';

interface KeyPair {
  readonly alg: string;
  readonly kid: string;
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

const former: KeyPair = { alg: 'ES256', kid: 'former', ...generateKeyPairSync('ec', { namedCurve: 'P-256' }) };
const next: KeyPair = { alg: 'ES256', kid: 'next', ...generateKeyPairSync('ec', { namedCurve: 'P-256' }) };
const waiting = { timeout: 10_000, interval: 20 };

let app: EditedApp;
const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  await app.close();
  for (const close of closers.splice(0)) await close();
});

async function start(jwt: Settings): Promise<void> {
  const settings = {
    'users.seed': true,
    'files.directory': '/tmp/rookery-test-no-files',
    // Tokens of a key that is not known yet are sent again and again here.
    'auth.failures.burst': 0,
    ...jwtSettings(jwt),
  };
  app = await EditedApp.start(settings, { application: AppModule, fromFile: ['auth.jwt.secret'] });
}

function jwtSettings(jwt: Settings): Settings {
  return Object.fromEntries(Object.entries(jwt).map(([name, value]) => [`auth.jwt.${name}`, value]));
}

function sign(key: KeyPair | string): Promise<string> {
  const { alg, kid } = typeof key === 'string' ? { alg: 'HS256', kid: 'secret' } : key;
  return new SignJWT({ sub: 'writer', scope: 'users:write' })
    .setProtectedHeader({ alg, kid })
    .setIssuedAt()
    .setExpirationTime('1h')
    .sign(typeof key === 'string' ? Buffer.from(key) : key.privateKey);
}

/** What each face says to a token; who is let in is told that there is no user 99. */
async function told(token: string): Promise<string[]> {
  const [rest, rpc] = await Promise.all([
    http(app.url, { method: 'DELETE', path: '/api/v1/users/99', token }),
    app.caller.call(users.remove, [{ id: '99' }], { token }),
  ]);
  return [(rest.json as { reason: string }).reason, rpc.failure?.reason ?? 'OK'];
}

const letIn = ['USER_NOT_FOUND', 'USER_NOT_FOUND'];
const refused = (reason: string): string[] => [reason, reason];

/** Puts a public key where another was, whole. */
async function publish(path: string, { publicKey }: KeyPair): Promise<void> {
  await writeFile(`${path}.new`, publicKey.export({ format: 'pem', type: 'spki' }));
  await rename(`${path}.new`, path);
}

async function keyServer(key: KeyPair): Promise<KeyServer> {
  const server = await KeyServer.start(key);
  closers.push(() => server.down());
  return server;
}

describe('auth.jwt.secret, edited while the service runs', () => {
  const [one, two] = [randomBytes(24).toString('hex'), randomBytes(24).toString('hex')] as [string, string];

  it('refuses tokens of the former secret at once, remembered ones included', async () => {
    await start({ secret: one });
    const [old, fresh] = [await sign(one), await sign(two)];
    expect([await told(old), await told(fresh)]).toEqual([letIn, refused('TOKEN_SIGNATURE_INVALID')]);

    await app.edit(jwtSettings({ secret: two }));

    expect([await told(old), await told(fresh)]).toEqual([refused('TOKEN_SIGNATURE_INVALID'), letIn]);
  });

  it('takes tokens of the former secret for as long as previousSecret names it, whatever the new key is', async () => {
    await start({ secret: one });
    const [old, fresh] = [await sign(one), await sign(two)];
    const path = app.path('key.pem');
    await publish(path, next);

    await app.edit(jwtSettings({ secret: two, previousSecret: one }));
    expect([await told(old), await told(fresh)]).toEqual([letIn, letIn]);
    await app.edit(jwtSettings({ secret: undefined, publicKeyFile: path, previousSecret: two }));
    expect([await told(old), await told(fresh), await told(await sign(next))]).toEqual([
      refused('TOKEN_ALGORITHM_REFUSED'),
      letIn,
      letIn,
    ]);
    await app.edit(jwtSettings({ previousSecret: undefined }));
    expect([await told(fresh), await told(await sign(next))]).toEqual([refused('TOKEN_ALGORITHM_REFUSED'), letIn]);
  });

  it.each<[string, Settings, string]>([
    ['too short', { secret: 'hunter2' }, 'auth.jwt.secret: *** (expected: at least 32 bytes long'],
    ['a file that is not there', { secret: undefined, publicKeyFile: '/nowhere/key.pem' }, 'ENOENT'],
    ['two keys at once', { publicKeyFile: '/nowhere/key.pem' }, 'at most one of secret, publicKeyFile, jwksUri'],
    ['a wrong previous key', { previousPublicKeyFile: '/nowhere/key.pem' }, 'auth.jwt.previousPublicKeyFile'],
  ])('does not take %s: the former key serves on', async (_what, jwt, message) => {
    await start({ secret: one });
    const outcome = await app.tryEdit(jwtSettings(jwt));

    expect(outcome).toMatchObject({ message: expect.stringContaining(message) as unknown });
    expect(JSON.stringify(outcome)).not.toContain('hunter2');
    expect(await told(await sign(one))).toEqual(letIn);
  });
});

describe('the file of auth.jwt.publicKeyFile', () => {
  it('is taken over when its content changes, and the former key refused', async () => {
    await start({ secret: randomBytes(32).toString('hex') });
    const path = app.path('key.pem');
    await publish(path, former);
    await app.edit(jwtSettings({ secret: undefined, publicKeyFile: path }));
    expect([await told(await sign(former)), await told(await sign(next))]).toEqual([
      letIn,
      refused('TOKEN_SIGNATURE_INVALID'),
    ]);

    await publish(path, next);
    await vi.waitFor(async () => expect(await told(await sign(next))).toEqual(letIn), waiting);

    expect(await told(await sign(former))).toEqual(refused('TOKEN_SIGNATURE_INVALID'));
  });
});

describe('auth.jwt.jwksUri, edited while the service runs', () => {
  it('moves on to the new set and refuses the keys of the former', async () => {
    const [one, two] = [await keyServer(former), await keyServer(next)];
    await start({ jwksUri: one.url });
    const old = await sign(former);
    expect(await told(old)).toEqual(letIn);

    await app.edit(jwtSettings({ jwksUri: two.url }));
    await vi.waitFor(async () => expect(await told(old)).toEqual(refused('TOKEN_KEY_UNKNOWN')), waiting);

    expect(await told(await sign(next))).toEqual(letIn);
  });

  it('serves by the former set for as long as the new one has not answered', async () => {
    const [one, two] = [await keyServer(former), await keyServer(next)];
    await start({ jwksUri: one.url });
    const old = await sign(former);
    expect(await told(old)).toEqual(letIn);
    await two.down();

    await app.edit({ ...jwtSettings({ jwksUri: two.url }), 'auth.jwks.retryDelayMs': 0, 'auth.cache.maxTokens': 0 });
    expect(await told(old)).toEqual(letIn);
    expect(await told(await sign(former))).toEqual(letIn);
    await two.up();

    expect(await told(await sign(next))).toEqual(letIn);
    expect(await told(old)).toEqual(refused('TOKEN_KEY_UNKNOWN'));
  });
});

describe('what tokens must carry, edited while the service runs', () => {
  it.each<[Settings, object, string]>([
    [{ 'auth.jwt.issuer': 'me' }, {}, 'TOKEN_ISSUER_MISMATCH'],
    [{ 'auth.jwt.audience': 'me' }, {}, 'TOKEN_AUDIENCE_MISMATCH'],
    [{ 'auth.jwt.algorithms': ['HS512'] }, {}, 'TOKEN_ALGORITHM_REFUSED'],
    [{ 'auth.jwt.requireExpiration': true }, { exp: undefined }, 'TOKEN_CLAIM_INVALID'],
    [{ 'auth.jwt.clockToleranceMs': 0 }, { exp: Math.floor(Date.now() / 1000) - 30 }, 'TOKEN_EXPIRED'],
  ])('%j holds from the next request on', async (settings, claims, reason) => {
    app = await EditedApp.start(
      { 'users.seed': true, 'files.directory': '/tmp/rookery-test-no-files', 'auth.jwt.clockToleranceMs': 60_000 },
      { application: AppModule },
    );
    const token = app.test.token({ scope: 'users:write', ...claims });
    expect(await told(token)).toEqual(letIn);

    await app.edit(settings);

    expect(await told(token)).toEqual(refused(reason));
  });
});
