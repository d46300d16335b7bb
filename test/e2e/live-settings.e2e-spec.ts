import { gunzipSync } from 'node:zlib';
import { generateKeyPairSync } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { Global, Module } from '@nestjs/common';
import { ServiceTokens, TokenVerifier } from 'rookery/auth';
import { ProbeRegistry } from 'rookery/core';
import { LOG_DESTINATION } from 'rookery/telemetry';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { EditedApp } from '../support/edited-app.js';
import { type GrpcCaller, methodOf } from '../support/grpc-caller.js';
import { callWeb } from '../support/grpc-web-caller.js';
import { frame } from '../support/grpc-calls.js';
import { http } from '../support/http-caller.js';
import { KeyServer } from '../support/key-server.js';
import { TrialService } from '../support/trial-proto.js';
import { TrialModule } from '../support/trial.module.js';

const waiting = { timeout: 10_000, interval: 10 };
const texts: string[] = [];
const destination = { write: (text: string): void => void texts.push(text) };

@Global()
@Module({ providers: [{ provide: LOG_DESTINATION, useValue: destination }], exports: [LOG_DESTINATION] })
class LogCaptureModule {}

@Module({ imports: [LogCaptureModule, TrialModule] })
class LoggedModule {}

const rpc = {
  order: methodOf(TrialService, 'PlaceOrder'),
  inspect: methodOf(TrialService, 'Inspect'),
  fail: methodOf(TrialService, 'Fail'),
  produce: methodOf(TrialService, 'Produce'),
};
const inspectPath = '/trial.service.v1.TrialService/Inspect';

let app: EditedApp;
let caller: GrpcCaller;

beforeAll(async () => {
  app = await EditedApp.start({ 'log.level': 'info' }, { application: LoggedModule, fromFile: ['log.level'] });
  caller = app.caller;
});

afterAll(() => app.close());

/** The lines that `action` leaves in the log. */
async function logged(action: () => Promise<unknown>): Promise<Record<string, unknown>[]> {
  texts.splice(0);
  await action();
  return texts.map((text) => JSON.parse(text) as Record<string, unknown>);
}

const bothFaces = (): Promise<unknown> =>
  Promise.all([http(app.url, { path: '/trial/context' }), caller.call(rpc.inspect, [{}])]);

describe('log while the service runs', () => {
  const requests = async (): Promise<unknown[]> =>
    (await logged(bothFaces)).filter(({ msg }) => msg === 'request').map(({ face }) => face);

  it('level holds from the next line on', async () => {
    expect(new Set(await requests())).toEqual(new Set(['http', 'grpc']));
    await app.edit({ 'log.level': 'error' });
    expect(await logged(bothFaces)).toEqual([]);
    await app.edit({ 'log.level': 'info' });
    expect(new Set(await requests())).toEqual(new Set(['http', 'grpc']));
  });

  it('access is switched off and on', async () => {
    await app.edit({ 'log.access': false });
    expect(await requests()).toEqual([]);
    await app.edit({ 'log.access': true });
    expect(await requests()).toHaveLength(2);
  });

  it('redact masks what is named now', async () => {
    const peers = async (): Promise<unknown[]> =>
      (await logged(bothFaces)).filter(({ msg }) => msg === 'request').map(({ peer }) => peer);
    expect(new Set(await peers())).toEqual(new Set(['127.0.0.1']));
    await app.edit({ 'log.redact': ['peer'] });
    expect(new Set(await peers())).toEqual(new Set(['***']));
    await app.edit({ 'log.redact': undefined });
  });

  it('tells which of the changed settings wait for the next start', async () => {
    const lines = await logged(() =>
      app.edit({ 'http.docs': false, 'log.access': true, 'server.tls.allowCleartext': true }),
    );

    expect(lines.map(({ msg }) => String(msg))).toContainEqual('taken over by the next start only: http.docs');
    await app.edit({ 'http.docs': undefined, 'server.tls.allowCleartext': undefined });
  });
});

describe('grpc while the service runs', () => {
  it('errorDetails holds for the next error', async () => {
    const reason = async (): Promise<unknown> => (await caller.call(rpc.order, [{ title: '' }])).failure?.reason;
    expect(await reason()).toBe('VALIDATION_FAILED');
    await app.edit({ 'grpc.errorDetails': false });
    expect(await reason()).toBeUndefined();
    await app.edit({ 'grpc.errorDetails': undefined });
  });

  it('unknownFields holds for the next message', async () => {
    const status = async (): Promise<unknown> =>
      (await caller.callBytes(inspectPath, [Buffer.from([0x48, 0x01])])).failure?.status;
    expect(await status()).toBe('INVALID_ARGUMENT');
    await app.edit({ 'grpc.unknownFields': 'ignore' });
    expect(await status()).toBeUndefined();
    await app.edit({ 'grpc.unknownFields': undefined });
  });

  it('maxSendBytes holds for the next answer', async () => {
    const reason = async (): Promise<unknown> => (await caller.call(rpc.inspect, [{}])).failure?.reason;
    expect(await reason()).toBeUndefined();
    await app.edit({ 'grpc.maxSendBytes': 10 });
    expect(await reason()).toBe('RESPONSE_TOO_LARGE');
    await app.edit({ 'grpc.maxSendBytes': undefined });
  });

  it('compression and compressionMinBytes hold for the next answer', async () => {
    const flags = async (): Promise<unknown> => {
      const { messages } = await callWeb('HTTP/2', app.test.address, {
        path: inspectPath,
        headers: { 'content-type': 'application/grpc-web+proto', 'grpc-accept-encoding': 'gzip' },
        chunks: [frame(Buffer.alloc(0))],
      });
      const [message] = messages;
      if (message?.flags === 1) gunzipSync(message.data);
      return message?.flags;
    };
    expect(await flags()).toBe(0);
    await app.edit({ 'grpc.compression': 'gzip', 'grpc.compressionMinBytes': 1 });
    expect(await flags()).toBe(1);
    await app.edit({ 'grpc.compressionMinBytes': 10_000 });
    expect(await flags()).toBe(0);
    await app.edit({ 'grpc.compression': undefined, 'grpc.compressionMinBytes': undefined });
  });
});

describe('health while the service runs', () => {
  it('probeTimeoutMs, cacheMs and refreshMs hold for the next check', async () => {
    let checks = 0;
    let isHanging = false;
    const leave = app.test.service.app.get(ProbeRegistry).register({
      name: 'trial',
      kinds: ['ready'],
      check: async () => {
        checks += 1;
        if (isHanging) await new Promise(() => {});
        return {};
      },
    });
    const ready = async (): Promise<number> => (await http(app.url, { path: '/health/ready' })).status;
    await app.edit({ 'health.cacheMs': 60_000, 'health.refreshMs': 600_000 });
    await ready();
    const before = checks;
    await ready();
    expect(checks).toBe(before);

    await app.edit({ 'health.cacheMs': 0, 'health.refreshMs': 100 });
    await vi.waitFor(() => expect(checks).toBeGreaterThan(before + 2), waiting);
    await app.edit({ 'health.refreshMs': 600_000, 'health.probeTimeoutMs': 10 });
    isHanging = true;
    const startedAtMs = performance.now();
    expect(await ready()).toBe(503);
    expect(performance.now() - startedAtMs).toBeLessThan(1900);
    leave();
    await app.edit({ 'health.cacheMs': undefined, 'health.refreshMs': undefined, 'health.probeTimeoutMs': undefined });
  });
});

describe('auth while the service runs', () => {
  it('cache.maxTokens and cache.ttlMs hold from the next token on', async () => {
    const verifier = app.test.service.app.get(TokenVerifier);
    const remembered = async (): Promise<unknown[]> => {
      const tokens = ['ann', 'ben', 'cid'].map((sub) => app.test.token({ sub }));
      for (const token of tokens) await verifier.verify(token);
      return [verifier.size, verifier.verify(tokens[2] as string) instanceof Promise];
    };
    expect(await remembered()).toEqual([3, false]);
    await app.edit({ 'auth.cache.maxTokens': 2 });
    expect(await remembered()).toEqual([2, false]);
    await app.edit({ 'auth.cache.maxTokens': undefined, 'auth.cache.ttlMs': 0 });
    expect(await remembered()).toEqual([3, true]);
    await app.edit({ 'auth.cache.ttlMs': undefined });
  });

  it('jwks is used anew with every change, and service is in the next token', async () => {
    const pair = { kid: 'one', ...generateKeyPairSync('ed25519') };
    const server = await KeyServer.start(pair);
    const jwksApp = await EditedApp.start({ 'auth.jwt.jwksUri': server.url }, { fromFile: ['auth.jwt.secret'] });
    await http(jwksApp.url, { path: '/trial/context', token: 'a.b.c' });
    const path = jwksApp.path('private.pem');
    await writeFile(path, pair.privateKey.export({ type: 'pkcs8', format: 'pem' }));
    const tokens = jwksApp.test.service.app.get(ServiceTokens);
    const settings = { name: 'me', tokenTtlMs: 5000, privateKeyFile: path, keyId: 'one' };
    await jwksApp.edit({ 'auth.service': settings });
    const [header, claims] = (await tokens.tokenFor('other'))
      .split('.')
      .slice(0, 2)
      .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>);
    const { token } = { token: await tokens.tokenFor('rookery') };
    await http(jwksApp.url, { path: '/trial/context', token });
    const fetched = [server.requests];
    for (const [name, value] of Object.entries({
      fetchTimeoutMs: 4000,
      cooldownMs: 20_000,
      maxAgeMs: 500_000,
      maxStaleMs: 3_000_000,
      retryDelayMs: 1000,
    })) {
      const before = server.requests;
      await jwksApp.edit({ [`auth.jwks.${name}`]: value });
      await vi.waitFor(() => expect(server.requests).toBe(before + 1), waiting);
      fetched.push(server.requests);
    }
    await jwksApp.close();
    await server.down();

    expect(header).toMatchObject({ alg: 'EdDSA', kid: 'one' });
    expect(claims).toMatchObject({ sub: 'me', exp: (claims?.['iat'] as number) + 5 });
    expect(fetched).toEqual([1, 2, 3, 4, 5, 6]);
  });
});

describe('config.probation while the service runs', () => {
  it('watches the changes that come after it was switched on', async () => {
    const { config } = app.test.service;
    const failing = (): Promise<unknown> => caller.call(rpc.fail, [{ mode: 'error' }]);
    await app.edit({
      'config.probation': { enabled: true, minRequests: 5, maxErrorRatio: 0, durationMs: 60_000, maxP99Ms: 60_000 },
    });
    await app.edit({ 'log.access': false });
    const tried = config.version;

    for (let i = 0; i < 20 && config.version === tried; i += 1) await failing();
    await vi.waitFor(() => expect(config.version).toBeGreaterThan(tried), waiting);

    expect(config.history.at(-1)?.changes).toContainEqual({ path: 'log.access', before: 'false', after: 'true' });
    await app.edit({ 'config.probation': undefined, 'log.access': true });
  });
});

describe('server while the service runs: how it stops', () => {
  it('drainDelayMs, graceMs and idleLingerMs are those of the moment of the stop', async () => {
    const other = await EditedApp.start(
      {},
      { fromFile: ['server.drainDelayMs', 'server.graceMs', 'server.idleLingerMs'] },
    );
    await other.edit({ 'server.drainDelayMs': 300, 'server.graceMs': 400, 'server.idleLingerMs': 0 });
    const held = other.caller.call(rpc.fail, [{ mode: 'never' }]);
    await vi.waitFor(() => expect(other.test.service.lifecycle.inFlight).toBe(1), waiting);

    const startedAtMs = performance.now();
    const closing = other.test.close();
    const meanwhile = await http(other.url, { path: '/trial/context' });
    const code = await closing;
    const tookMs = performance.now() - startedAtMs;
    other.caller.close();
    await held;

    expect([meanwhile.status, code]).toEqual([200, 2]);
    expect(tookMs).toBeGreaterThanOrEqual(690);
    expect(tookMs).toBeLessThan(5000);
  });
});
