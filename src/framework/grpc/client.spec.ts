import { Controller } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { startGrpcApp } from '../../../test/support/grpc-app.js';
import { collect } from '../../../test/support/grpc-calls.js';
import { ChatService } from '../../gen/chat/service/v1/chat_pb.js';
import { LogService } from '../../gen/log/service/v1/log_pb.js';
import { UserService } from '../../gen/user/service/v1/user_pb.js';
import { currentContext, Deadline, RequestContext, RookeryError, runInContext, Status } from '../core/index.js';
import { toFailure, ValidationError } from '../pipeline/index.js';
import { createGrpcClient, type GrpcClient, type GrpcClientOptions } from './client.js';
import { passOn } from './pass-on.js';
import { GrpcService, Rpc } from './rpc.decorator.js';

class QuotaError extends RookeryError {
  static override readonly reason = 'QUOTA_SPENT';
  static override readonly status = Status.ResourceExhausted;
}

@Controller()
@GrpcService(UserService)
class Users {
  @Rpc()
  getUser({ id }: { id: string }) {
    const context = currentContext() as RequestContext;
    const { header } = context;
    return {
      id,
      displayName: [context.requestId, header('x-tenant'), header('authorization')].join(' '),
      email: header('traceparent') ?? '',
      age: Math.ceil(context.deadline.timeoutMs),
    };
  }

  @Rpc()
  listUsers(): Promise<object> {
    return new Promise(() => {});
  }

  @Rpc()
  createUser(): never {
    throw new QuotaError('spent', { metadata: { limit: '5' }, retryAfterMs: 2500 });
  }

  @Rpc()
  updateUser(): never {
    throw new ValidationError([{ field: 'email', rule: 'isEmail', message: 'email must be an email' }]);
  }

  @Rpc()
  async *watchUsers() {
    for (let id = 0; ; id += 1) yield { user: { id: String(id) } };
  }
}

@Controller()
@GrpcService(LogService)
class Logs {
  @Rpc()
  async upload(entries: AsyncIterable<object>) {
    let accepted = 0n;
    for await (const _ of entries) accepted += 1n;
    return { accepted };
  }
}

@Controller()
@GrpcService(ChatService)
class Chat {
  @Rpc()
  async *join(messages: AsyncIterable<{ text: string }>) {
    for await (const { text } of messages) {
      if (text === 'enough') return;
      yield { text };
    }
  }
}

async function* texts(...all: string[]) {
  for (const text of all) yield { text };
}

async function start(changes: Partial<GrpcClientOptions> = {}) {
  const app = await startGrpcApp({ controllers: [Users, Logs, Chat] });
  const options = { address: app.address, timeoutMs: 5000, token: async () => 't0k3n', ...changes };
  const clients = {
    users: createGrpcClient(UserService, options),
    logs: createGrpcClient(LogService, options),
    chat: createGrpcClient(ChatService, options),
  };
  return {
    app,
    ...clients,
    async [Symbol.asyncDispose]() {
      for (const client of Object.values(clients) as GrpcClient<typeof UserService>[]) client.close();
      await app[Symbol.asyncDispose]();
    },
  };
}

describe('the client of a service', () => {
  it('calls in all four modes', async () => {
    await using all = await start();

    expect((await all.users.getUser({ id: '7' })).id).toBe('7');
    expect((await all.logs.upload(texts('a', 'b') as AsyncIterable<object>)).accepted).toBe(2n);
    expect((await collect(all.chat.join(texts('a', 'b')))).map(({ text }) => text)).toEqual(['a', 'b']);
    const ids: (string | undefined)[] = [];
    for await (const { user } of all.users.watchUsers({})) {
      ids.push(user?.id);
      if (ids.length === 3) break;
    }
    expect(ids).toEqual(['0', '1', '2']);
  });

  it('sends its token', async () => {
    await using all = await start();

    expect((await all.users.getUser({ id: '7' })).displayName).toMatch(/Bearer t0k3n$/);
  });

  it('carries the context of the request at hand', async () => {
    await using all = await start();
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const headers: Record<string, string> = { 'x-request-id': 'r-1', 'x-tenant': 'acme', traceparent };
    const deadline = new Deadline(800);
    const context = new RequestContext({
      face: 'http',
      operation: '',
      peer: '',
      header: (name) => headers[name],
      deadline,
    });

    const user = await runInContext(context, () => all.users.getUser({ id: '7' }));

    expect(user.displayName).toBe('r-1 acme Bearer t0k3n');
    expect(user.email).toMatch(/^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$/);
    expect(user.age).toBeLessThanOrEqual(800);
    deadline.close();
  });

  it('is cancelled with the request at hand', async () => {
    await using all = await start();
    const deadline = new Deadline(5000);
    const context = new RequestContext({ face: 'http', operation: '', peer: '', header: () => undefined, deadline });

    const call = runInContext(context, () => all.users.listUsers({}));
    await new Promise((resolve) => setImmediate(resolve));
    deadline.cancel();

    await expect(call).rejects.toMatchObject({ name: 'RemoteError', status: Status.Cancelled });
  });

  it('gives up after its time', async () => {
    await using all = await start();

    await expect(all.users.listUsers({}, { timeoutMs: 50 })).rejects.toMatchObject({ status: Status.DeadlineExceeded });
  });

  it('gives up after its time where its token does not come', async () => {
    await using all = await start({ token: () => new Promise<string>(() => {}) });

    await expect(all.users.listUsers({}, { timeoutMs: 50 })).rejects.toMatchObject({ name: 'TimeoutError' });
  });

  it('throws what the other side says, for the code that called, and ready to be passed on', async () => {
    await using all = await start();

    const error = await all.users.createUser({}).catch((thrown: unknown) => thrown);

    expect(error).toMatchObject({
      reason: 'QUOTA_SPENT',
      message: 'spent',
      peer: all.app.address,
      method: 'user.service.v1.UserService/CreateUser',
    });
    expect(toFailure(error)).toMatchObject({ reason: 'UPSTREAM_UNAVAILABLE', metadata: {}, retryAfterMs: undefined });
    expect(toFailure(passOn(error))).toMatchObject({
      status: Status.ResourceExhausted,
      httpStatus: 429,
      reason: 'QUOTA_SPENT',
      message: 'spent',
      metadata: { limit: '5' },
      retryAfterMs: 2500,
    });
    await expect(all.users.updateUser({})).rejects.toMatchObject({
      reason: 'VALIDATION_FAILED',
      violations: [{ field: 'email', rule: 'isEmail', message: 'email must be an email' }],
    });
  });

  it('names the status where there is no reason', async () => {
    const client = createGrpcClient(UserService, { address: '127.0.0.1:1', timeoutMs: 2000 });

    await expect(client.getUser({})).rejects.toMatchObject({ reason: 'UNAVAILABLE', status: Status.Unavailable });
    client.close();
    client.close();
  });

  it('does not pass a broken source off as everything', async () => {
    await using all = await start();
    async function* broken() {
      yield {};
      throw new Error('disk gone');
    }

    await expect(all.logs.upload(broken())).rejects.toThrow('disk gone');
  });

  it('stops sending when the other side has heard enough', async () => {
    await using all = await start();
    let isReturned = false;
    async function* endless() {
      try {
        for (;;) {
          yield { text: 'enough' };
          await new Promise((resolve) => setImmediate(resolve));
        }
      } finally {
        isReturned = true;
      }
    }

    expect(await collect(all.chat.join(endless()))).toEqual([]);
    await expect.poll(() => isReturned).toBe(true);
  });
});
