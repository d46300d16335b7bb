import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SignJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { constant, type Principal, RookeryError } from '../core/index.js';
import { AuthOptions, type JwksOptions } from './auth.options.js';
import { AuthKeys } from './auth-keys.js';
import { TokenVerifier } from './token-verifier.js';

type Answer = { status?: number; body?: string; location?: string } | 'hang';

// A real key set server; what it answers is changed by the tests.
class KeyServer {
  readonly #server: Server;
  answer: Answer = {};
  requests = 0;

  constructor() {
    this.#server = createServer((_request, response) => {
      this.requests += 1;
      if (this.answer === 'hang') return;
      const { status = 200, body = '', location } = this.answer;
      response.writeHead(status, location === undefined ? {} : { location }).end(body);
    });
  }

  publish(...keys: readonly { readonly kid: string; readonly publicKey: KeyObject }[]): void {
    const entries = keys.map(({ kid, publicKey }) => ({ ...publicKey.export({ format: 'jwk' }), kid, use: 'sig' }));
    this.answer = { body: JSON.stringify({ keys: entries }) };
  }

  listen(port = 0): Promise<void> {
    return new Promise((resolve) => this.#server.listen(port, '127.0.0.1', resolve));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  close(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}

const kinds = {
  ES256: { kid: 'one', ...generateKeyPairSync('ec', { namedCurve: 'P-256' }) },
  EdDSA: { kid: 'two', ...generateKeyPairSync('ed25519') },
};
const identity = { appName: 'users', env: 'production' };

function token(alg: keyof typeof kinds, kid: string | undefined = kinds[alg].kid, sub = 'alice'): Promise<string> {
  return new SignJWT({ sub })
    .setProtectedHeader({ alg, ...(kid === undefined ? {} : { kid }) })
    .setExpirationTime('12h')
    .sign(kinds[alg].privateKey);
}

async function outcomeOf(outcome: Principal | Promise<Principal>): Promise<string> {
  try {
    return (await outcome).subject;
  } catch (error) {
    if (RookeryError.is(error)) return error.reason;
    throw error;
  }
}

describe('RemoteKeys', () => {
  let server: KeyServer;
  const closing: { close(): void }[] = [];

  function verifierWith(jwks: Partial<JwksOptions> = {}): TokenVerifier {
    const defaults = new AuthOptions();
    const options = {
      ...defaults,
      jwt: { ...defaults.jwt, jwksUri: `http://127.0.0.1:${server.port}/keys` },
      jwks: { ...defaults.jwks, ...jwks },
      cache: { ...defaults.cache, ttlMs: 3_600_000 },
    };
    const keys = new AuthKeys(constant(options), identity);
    const verifier = new TokenVerifier(keys, identity);
    closing.push(keys, verifier);
    return verifier;
  }

  beforeEach(async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    server = new KeyServer();
    await server.listen();
  });

  afterEach(async () => {
    vi.useRealTimers();
    for (const one of closing.splice(0)) one.close();
    await server.close();
  });

  it('fetches the key set once for many tokens', async () => {
    server.publish(kinds.ES256, kinds.EdDSA);
    const verifier = verifierWith();
    const tokens = await Promise.all([token('ES256'), token('EdDSA'), token('ES256', undefined, 'bob')]);

    const outcomes = await Promise.all(tokens.map((one) => outcomeOf(verifier.verify(one))));

    expect([outcomes, server.requests]).toEqual([['alice', 'alice', 'bob'], 1]);
  });

  it('finds a rotated key after the cooldown and not before, and forgets tokens of the key that left', async () => {
    server.publish(kinds.ES256);
    const verifier = verifierWith({ cooldownMs: 30_000 });
    const [old, rotated] = await Promise.all([token('ES256'), token('EdDSA')]);
    expect(await outcomeOf(verifier.verify(old))).toBe('alice');
    server.publish(kinds.EdDSA);

    expect([await outcomeOf(verifier.verify(rotated)), server.requests]).toEqual(['TOKEN_KEY_UNKNOWN', 1]);
    expect(await outcomeOf(verifier.verify(old))).toBe('alice');
    vi.setSystemTime(Date.now() + 30_000);
    expect([await outcomeOf(verifier.verify(rotated)), server.requests]).toEqual(['alice', 2]);
    expect(await outcomeOf(verifier.verify(old))).toBe('TOKEN_KEY_UNKNOWN');
  });

  it('says KEYS_UNAVAILABLE while the URL does not answer, without knocking at every token', async () => {
    server.answer = { status: 503 };
    const verifier = verifierWith({ retryDelayMs: 2000 });
    const shown = await token('ES256');

    expect(await outcomeOf(verifier.verify(shown))).toBe('KEYS_UNAVAILABLE');
    expect(await outcomeOf(verifier.verify(shown))).toBe('KEYS_UNAVAILABLE');
    expect(server.requests).toBe(1);
    server.publish(kinds.ES256);
    vi.setSystemTime(Date.now() + 2000);
    expect(await outcomeOf(verifier.verify(shown))).toBe('alice');
  });

  it('serves on with the last key set through an outage, for a limited time', async () => {
    server.publish(kinds.ES256);
    const verifier = verifierWith({ maxAgeMs: 600_000, maxStaleMs: 3_600_000 });
    expect(await outcomeOf(verifier.verify(await token('ES256')))).toBe('alice');
    await server.close();

    vi.setSystemTime(Date.now() + 600_000 + 3_599_000);
    expect(await outcomeOf(verifier.verify(await token('ES256', 'one', 'bob')))).toBe('bob');
    expect(await outcomeOf(verifier.verify(await token('EdDSA')))).toBe('KEYS_UNAVAILABLE');
    vi.setSystemTime(Date.now() + 5000);
    expect(await outcomeOf(verifier.verify(await token('ES256', 'one', 'carol')))).toBe('KEYS_UNAVAILABLE');
    // So that the tear-down has something to close.
    await server.listen();
  });

  it('gives a fetch no more than its time limit', async () => {
    server.answer = 'hang';
    const verifier = verifierWith({ fetchTimeoutMs: 100 });

    expect(await outcomeOf(verifier.verify(await token('ES256')))).toBe('KEYS_UNAVAILABLE');
  });

  it.each<[string, Answer]>([
    ['no JSON', { body: '<html>' }],
    ['no key set', { body: '{"keys":7}' }],
    ['another status', { status: 500, body: '{"keys":[]}' }],
    ['a redirection', { status: 302, location: '/elsewhere' }],
    ['more than 256 keys', { body: JSON.stringify({ keys: Array.from({ length: 257 }, () => ({ kty: 'EC' })) }) }],
    ['more than a megabyte', { body: `{"keys":[],"x":"${'x'.repeat(1_100_000)}"}` }],
  ])('keeps the last key set when the URL answers with %s', async (_what, answer) => {
    server.publish(kinds.ES256);
    const verifier = verifierWith({ maxAgeMs: 600_000 });
    expect(await outcomeOf(verifier.verify(await token('ES256')))).toBe('alice');
    server.answer = answer;
    vi.setSystemTime(Date.now() + 600_000);

    expect([await outcomeOf(verifier.verify(await token('ES256', 'one', 'bob'))), server.requests]).toEqual(['bob', 2]);
  });

  it('takes no symmetric algorithm, whatever the key set holds', async () => {
    const verifier = verifierWith();
    server.answer = {
      body: JSON.stringify({ keys: [{ kty: 'oct', kid: 'one', k: Buffer.alloc(32, 1).toString('base64url') }] }),
    };
    const forged = await new SignJWT({ sub: 'root' })
      .setProtectedHeader({ alg: 'HS256', kid: 'one' })
      .setExpirationTime('1h')
      .sign(Buffer.alloc(32, 1));

    expect([await outcomeOf(verifier.verify(forged)), server.requests]).toEqual(['TOKEN_ALGORITHM_REFUSED', 0]);
  });

  it('gives up the fetch under way when it is closed', async () => {
    server.answer = 'hang';
    const verifier = verifierWith();
    const outcome = outcomeOf(verifier.verify(await token('ES256')));
    await vi.waitFor(() => expect(server.requests).toBe(1));

    for (const one of closing.splice(0)) one.close();

    expect(await outcome).toBe('KEYS_UNAVAILABLE');
  });
});
