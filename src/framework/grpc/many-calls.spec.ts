import type { ClientHttp2Session } from 'node:http2';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Controller } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { startGrpcApp } from '../../../test/support/grpc-app.js';
import { frame, rawAnswer, rawCall, rawStream } from '../../../test/support/grpc-calls.js';
import { ChatService } from '../../gen/chat/service/v1/chat_pb.js';
import { LogService } from '../../gen/log/service/v1/log_pb.js';
import { UserService } from '../../gen/user/service/v1/user_pb.js';
import { GrpcService, Rpc } from './rpc.decorator.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

@Controller()
@GrpcService(UserService)
class Users {
  @Rpc()
  getUser(): never {
    throw undefined;
  }
  @Rpc()
  listUsers(): Promise<object> {
    return new Promise(() => {});
  }
  @Rpc()
  async *watchUsers() {
    for (;;) {
      yield {};
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

@Controller()
@GrpcService(LogService)
class Logs {
  @Rpc()
  async upload(entries: AsyncIterable<object>) {
    for await (const _ of entries);
    return {};
  }
}

@Controller()
@GrpcService(ChatService)
class Chat {
  @Rpc()
  async *join(messages: AsyncIterable<object>) {
    for await (const _ of messages) yield {};
  }
}

const empty = frame(Buffer.alloc(0));
const { getUser, listUsers, watchUsers } = UserService.method;

// A caller that leaves in the middle of its call.
async function leave(
  session: ClientHttp2Session,
  method: typeof watchUsers | typeof LogService.method.upload | typeof ChatService.method.join | typeof listUsers,
  ends: boolean,
) {
  const stream = rawStream(session, method);
  const answer = rawAnswer(stream);
  if (ends) stream.end(empty);
  else stream.write(empty);
  await new Promise((resolve) => setImmediate(resolve));
  stream.close(8);
  await answer;
}

const cases: Record<string, (session: ClientHttp2Session) => Promise<unknown>> = {
  'an unknown method': (session) => rawCall(session, '/a.B/C', empty),
  'a handler that throws undefined': (session) => rawCall(session, getUser, empty),
  garbage: (session) => rawCall(session, getUser, Buffer.from('garbage in, error out')),
  'a deadline that passes': (session) => rawCall(session, listUsers, empty, { 'grpc-timeout': '1m' }),
  'a unary caller that leaves': (session) => leave(session, listUsers, true),
  'a reader that leaves': (session) => leave(session, watchUsers, true),
  'a writer that leaves': (session) => leave(session, LogService.method.upload, false),
  'a partner that leaves': (session) => leave(session, ChatService.method.join, false),
};

describe('ten thousand bad calls', () => {
  it('leave nothing behind', { timeout: 60_000 }, async () => {
    await using app = await startGrpcApp({ controllers: [Users, Logs, Chat] });
    const session = app.connect();
    const all = Object.values(cases);
    const run = async (count: number): Promise<void> => {
      for (let done = 0; done < count; done += 10 * all.length) {
        await Promise.all(all.flatMap((call) => Array.from({ length: 10 }, () => call(session))));
      }
    };
    await run(2000);
    const before = await settledHeap();

    await run(10_000);

    await expect.poll(() => app.grpc.activeCalls).toBe(0);
    expect(app.lifecycle.inFlight).toBe(0);
    // 200 bytes a call would be a leak of one small object each.
    expect((await settledHeap()) - before).toBeLessThan(2_000_000);
  });
});

async function settledHeap(): Promise<number> {
  for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  collectGarbage();
  await new Promise((resolve) => setImmediate(resolve));
  collectGarbage();
  return process.memoryUsage().heapUsed;
}
