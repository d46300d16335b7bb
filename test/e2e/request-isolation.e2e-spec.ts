import { AsyncLocalStorage } from 'node:async_hooks';
import { type CanActivate, Controller, Get, Module, Res } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import type { FastifyReply } from 'fastify';
import { currentContext, Public } from 'rookery';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { methodOf } from '../support/grpc-caller.js';
import { Http2Caller } from '../support/http2-caller.js';
import { RawConnection } from '../support/raw-connection.js';
import { TrialApp } from '../support/trial-app.js';
import { TrialService } from '../support/trial-proto.js';
import { TrialModule } from '../support/trial.module.js';

/** As an application keeps a tenant or a transaction. */
const tenants = new AsyncLocalStorage<string>();
/** What each request found in it when it began. */
let found: unknown[] = [];

class TenantGuard implements CanActivate {
  canActivate(): boolean {
    found.push(tenants.getStore() ?? null);
    const tenant = currentContext()?.header('x-enter');
    if (tenant !== undefined) tenants.enterWith(tenant);
    return true;
  }
}

@Controller('late')
class LateController {
  /** Work in the background ends the response. */
  @Get()
  @Public()
  late(@Res() reply: FastifyReply): void {
    tenants.run('background', () => setTimeout(() => void reply.send({}), 5));
  }
}

@Module({
  imports: [TrialModule],
  controllers: [LateController],
  providers: [{ provide: APP_GUARD, useClass: TenantGuard }],
})
class TenantModule {}

let app: TrialApp;

beforeAll(async () => {
  app = await TrialApp.start(TenantModule);
});

beforeEach(() => {
  found = [];
});

afterAll(async () => {
  await app.stillServes();
  await app.close();
});

const order = JSON.stringify({ title: 'a' });
const fields = { 'content-type': 'application/json', 'content-length': String(order.length), 'x-enter': 'leaked' };
const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);

function pipelined(method: string, path: string, body: string, count: number): string {
  const head = `${method} ${path} HTTP/1.1\r\nhost: a\r\n${(body === '' ? lines.slice(2) : lines).join('')}\r\n`;
  return `${head}${body}`.repeat(count);
}

/** Waits for so many of them, and closes. */
async function answers(connection: RawConnection, count: number): Promise<void> {
  const seen = (): number => connection.received.toString().split('HTTP/1.1 20').length - 1;
  while (seen() < count) await new Promise((resolve) => setTimeout(resolve, 5));
  connection.destroy();
}

describe('what a handler enters', () => {
  it.each([
    ['without a body', 'GET', '/trial/context', ''],
    ['with a body', 'POST', '/trial/orders', order],
  ])('is unknown to requests behind it and on other connections: HTTP/1.1, %s', async (_, method, path, body) => {
    const count = 200;
    const connections = await Promise.all([1, 2, 3].map(() => RawConnection.open(app.port)));

    for (const connection of connections) connection.write(pipelined(method, path, body, count));
    await Promise.all(connections.map((connection) => answers(connection, count)));

    expect(found).toHaveLength(3 * count);
    expect(new Set(found)).toEqual(new Set([null]));
  });

  it('is unknown to other streams of the connection: HTTP/2', async () => {
    const caller = await Http2Caller.connect(app.url);

    const request = { ':method': 'POST', ':path': '/trial/orders', ...fields };
    await Promise.all(Array.from({ length: 90 }, () => caller.request(request, order)));
    caller.close();

    expect(found).toHaveLength(90);
    expect(new Set(found)).toEqual(new Set([null]));
  });

  it('is unknown to other calls: gRPC', async () => {
    const method = methodOf(TrialService, 'PlaceOrder');

    await Promise.all(
      Array.from({ length: 90 }, () =>
        app.caller.call(method, [{ title: 'a' }], { metadata: { 'x-enter': 'leaked' } }),
      ),
    );

    expect(found).toHaveLength(90);
    expect(new Set(found)).toEqual(new Set([null]));
  });
});

describe('a store of work in the background', () => {
  it('is unknown to the requests that begin when that work ends a response', async () => {
    const connection = await RawConnection.open(app.port);

    connection.write(`GET /late HTTP/1.1\r\nhost: a\r\n\r\n${pipelined('POST', '/trial/orders', order, 20)}`);
    await answers(connection, 21);

    expect(found).toHaveLength(21);
    expect(new Set(found)).toEqual(new Set([null]));
  });
});
