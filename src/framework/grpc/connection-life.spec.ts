import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { Client, credentials } from '@grpc/grpc-js';
import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { describe, expect, it, vi } from 'vitest';
import { startGrpcApp } from '../../../test/support/grpc-app.js';
import { collect, failureOf, frame, rawCall, serverStream, unary } from '../../../test/support/grpc-calls.js';
import { UserService } from '../../gen/user/service/v1/user_pb.js';
import { Call } from './call.decorator.js';
import { GrpcService, Rpc } from './rpc.decorator.js';
import type { RpcCall } from './rpc-call.js';

const { getUser, watchUsers } = UserService.method;

let release = Promise.withResolvers<void>();
let cancelled = Promise.withResolvers<void>();

@Controller()
@GrpcService(UserService)
class Users {
  @Rpc()
  getUser({ id }: { id: string }) {
    return { id };
  }

  /** A first message at once, a second one when it is released. */
  @Rpc()
  async *watchUsers(@Payload() _input: object, @Call() call: RpcCall) {
    call.on('cancelled', () => cancelled.resolve());
    yield { user: { id: '1' } };
    await release.promise;
    yield { user: { id: '2' } };
  }
}

function startUsers(http2: NonNullable<Parameters<typeof startGrpcApp>[0]['http2']>) {
  release = Promise.withResolvers();
  cancelled = Promise.withResolvers();
  return startGrpcApp({ controllers: [Users], http2 });
}

async function watching(client: Client) {
  const stream = serverStream(client, watchUsers, {});
  const all = collect(stream);
  all.catch(() => {});
  await once(stream, 'data');
  return { all };
}

describe('a connection that has reached its age', () => {
  it('lets the calls on it end, and the client goes on over another one without a failure', async () => {
    await using app = await startUsers({ maxAgeMs: 300, maxAgeGraceMs: 60_000 });
    const watch = await watching(app.client);

    let answered = 0;
    while (app.counters.agedOut < 2) {
      await unary(app.client, getUser, { id: '7' });
      answered += 1;
    }
    release.resolve();

    expect((await watch.all).length).toBe(2);
    expect(answered).toBeGreaterThan(3);
  }, 20_000);

  it('gives them up after the grace', async () => {
    await using app = await startUsers({ maxAgeMs: 1, maxAgeGraceMs: 1 });
    const watch = await watching(app.client);

    expect((await failureOf(watch.all)).code).toBeGreaterThan(0);
    await cancelled.promise;
    release.resolve();
  });
});

describe('keepalive', () => {
  it('asks an idle client for a sign of life, and leaves it alone when it gives one', async () => {
    await using app = await startUsers({ keepaliveIntervalMs: 1, keepaliveTimeoutMs: 5000 });
    const watch = await watching(app.client);

    await vi.waitFor(() => expect(app.counters.pings).toBeGreaterThan(2), { timeout: 5000 });
    release.resolve();

    expect((await watch.all).length).toBe(2);
    expect(app.counters.cut.keepaliveTimeout).toBe(0);
  });

  it('cuts a client that is gone without a word, and tells its handlers', async () => {
    await using app = await startUsers({ keepaliveIntervalMs: 1, keepaliveTimeoutMs: 1 });
    const port = Number(app.address.split(':')[1]);
    const ends: net.Socket[] = [];
    // What lies between the two loses everything from some moment on.
    const network = net.createServer((near) => {
      const far = net.connect(port, '127.0.0.1');
      for (const end of [near, far]) end.on('error', () => {});
      ends.push(near, far);
      near.pipe(far);
      far.pipe(near);
    });
    network.listen(0, '127.0.0.1');
    await once(network, 'listening');
    const client = new Client(
      `127.0.0.1:${(network.address() as AddressInfo).port}`,
      credentials.createInsecure(),
      // A subchannel of its own: those with the same target are shared.
      { 'grpc.enable_channelz': 0 },
    );
    const watch = await watching(client);
    for (const end of ends) end.unpipe().pause();

    await cancelled.promise;

    expect(app.counters.cut.keepaliveTimeout).toBe(1);
    release.resolve();
    for (const end of ends) end.destroy();
    client.close();
    network.close();
    await failureOf(watch.all);
  });
});

describe('a client that asks for signs of life itself', () => {
  async function ping(session: ReturnType<Awaited<ReturnType<typeof startUsers>>['connect']>): Promise<void> {
    await new Promise((resolve) => session.ping(resolve));
  }

  it('is told "too_many_pings" when it does so too often', async () => {
    await using app = await startUsers({ minPingIntervalMs: 60_000 });
    const session = app.connect();
    await once(session, 'remoteSettings');
    const goaway = once(session, 'goaway');

    for (let count = 0; count < 4; count += 1) session.ping(() => {});

    const [code, , why] = (await goaway) as [number, number, Buffer];
    expect({ code, why: why.toString() }).toEqual({ code: 11, why: 'too_many_pings' });
    expect(app.counters.cut.ping).toBe(1);
  });

  it('may do so as long as something is sent in between', async () => {
    await using app = await startUsers({ minPingIntervalMs: 60_000 });
    const session = app.connect();

    for (let count = 0; count < 10; count += 1) {
      await ping(session);
      await ping(session);
      expect((await rawCall(session, getUser, frame(Buffer.alloc(0)))).status).toBe(0);
    }
  });
});
