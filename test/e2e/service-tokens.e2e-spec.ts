import { generateKeyPairSync } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Controller, Get, Module } from '@nestjs/common';
import { decodeJwt } from 'jose';
import { AuthKeys, Caller, ServiceTokens } from 'rookery/auth';
import type { Principal } from 'rookery/core';
import { GrpcService, Rpc } from 'rookery/grpc';
import { Input } from 'rookery/pipeline';
import { openResources, startTestService, type TestService, untilReleased } from 'rookery/testing';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { GrpcCaller, methodOf } from '../support/grpc-caller.js';
import { http } from '../support/http-caller.js';
import { KeyServer } from '../support/key-server.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { TrialInput } from '../support/trial.dto.js';
import { TrialService } from '../support/trial-proto.js';

/** Tells callers who they are. */
@Controller('who')
@GrpcService(TrialService)
class WhoController {
  @Get()
  @Rpc()
  inspect(@Input() _input: TrialInput, @Caller() caller: Principal): { text: string } {
    return { text: caller.subject };
  }
}

@Module({ controllers: [WhoController] })
class WhoModule {}

const before = openResources();
const open: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

afterAll(() => untilReleased(before));

async function start(name: string, set: Readonly<Record<string, unknown>> = {}): Promise<TestService> {
  const test = await startTestService(WhoModule, { set: { 'app.name': name, ...set } });
  open.push(() => test.close());
  return test;
}

/** Two services that trust each other's tokens: by one secret, or by a private key and a key set. */
const fleets: readonly (readonly [string, () => Promise<readonly [orders: TestService, billing: TestService]>])[] = [
  ['one secret', async () => [await start('orders'), await start('billing')]],
  [
    'a private key and a key set',
    async () => {
      const folder = await temporaryFolder();
      open.push(() => folder.remove());
      const { publicKey, privateKey } = generateKeyPairSync('ed25519');
      const path = join(folder.path, 'orders.pem');
      await writeFile(path, privateKey.export({ format: 'pem', type: 'pkcs8' }));
      const keys = await KeyServer.start({ kid: 'orders-1', publicKey });
      open.push(() => keys.down());
      const trust = { 'auth.jwt.secret': undefined, 'auth.jwt.jwksUri': keys.url };
      const signing = { 'auth.service.privateKeyFile': path, 'auth.service.keyId': 'orders-1' };
      return [await start('orders', { ...trust, ...signing }), await start('billing', trust)];
    },
  ],
];

/** What each face of a service says to a token. */
async function told(test: TestService, token: string): Promise<{ rest: unknown; rpc: unknown }> {
  const caller = new GrpcCaller(test.address);
  const [rest, rpc] = await Promise.all([
    http(test.url, { path: '/who', token }),
    caller.call(methodOf(TrialService, 'Inspect'), [{}], { token }),
  ]);
  caller.close();
  const { code, data, reason } = rest.json as { code: number; data: { text: string } | null; reason?: string };
  return {
    rest: data?.text ?? `${code} ${reason}`,
    rpc:
      rpc.failure === undefined
        ? (rpc.messages[0] as { text: string }).text
        : `${rpc.failure.status} ${rpc.failure.reason}`,
  };
}

function refused(reason: string): object {
  return { rest: `401 ${reason}`, rpc: `UNAUTHENTICATED ${reason}` };
}

describe.each(fleets)('a service token in a fleet with %s', (_, fleet) => {
  it('is taken by the service it is for, under the name of the one it comes from', async () => {
    const [orders, billing] = await fleet();
    const token = await orders.service.app.get(ServiceTokens, { strict: false }).tokenFor('billing');

    expect(await told(billing, token)).toEqual({ rest: 'orders', rpc: 'orders' });
    const { sub, aud, iat = 0, exp = 0 } = decodeJwt(token);
    expect({ sub, aud, lifeSeconds: exp - iat }).toEqual({ sub: 'orders', aud: 'billing', lifeSeconds: 60 });
  });

  it('is refused by every other service, the one it comes from included', async () => {
    const [orders, billing] = await fleet();
    const tokens = orders.service.app.get(ServiceTokens, { strict: false });

    expect(await told(billing, await tokens.tokenFor('payroll'))).toEqual(refused('TOKEN_AUDIENCE_MISMATCH'));
    expect(await told(orders, await tokens.tokenFor('billing'))).toEqual(refused('TOKEN_AUDIENCE_MISMATCH'));
  });

  it('is refused when its time is over', async () => {
    const [orders, billing] = await fleet();
    const keys = orders.service.app.get(AuthKeys, { strict: false });
    const anHourAgo = new ServiceTokens(keys, { appName: 'orders', env: 'test' }, () => Date.now() - 3_600_000);
    const token = await anHourAgo.tokenFor('billing');
    anHourAgo.close();

    expect(await told(billing, token)).toEqual(refused('TOKEN_EXPIRED'));
  });

  it('is taken by a service that has another audience than its name, if it says that', async () => {
    const [orders] = await fleet();
    const { jwt } = orders.service.app.get(AuthKeys, { strict: false }).value.options;
    const trust = { 'auth.jwt.secret': jwt.secret, 'auth.jwt.jwksUri': jwt.jwksUri };
    const ledger = await start('ledger', { ...trust, 'auth.jwt.audience': 'urn:ledger' });
    const tokens = orders.service.app.get(ServiceTokens, { strict: false });

    expect(await told(ledger, await tokens.tokenFor('urn:ledger'))).toEqual({ rest: 'orders', rpc: 'orders' });
    expect(await told(ledger, await tokens.tokenFor('ledger'))).toEqual(refused('TOKEN_AUDIENCE_MISMATCH'));
  });
});

describe('a service token by an unknown key', () => {
  it('is refused', async () => {
    const orders = await start('orders', { 'auth.jwt.secret': 'the secret of quite another fleet, as long' });
    const billing = await start('billing');
    const token = await orders.service.app.get(ServiceTokens, { strict: false }).tokenFor('billing');

    expect(await told(billing, token)).toEqual(refused('TOKEN_SIGNATURE_INVALID'));
  });
});
