import { Controller } from '@nestjs/common';
import { Observable } from 'rxjs';
import { describe, expect, it, vi } from 'vitest';
import { startGrpcApp } from '../../../test/support/grpc-app.js';
import {
  bidiStream,
  clientStream,
  collect,
  frame,
  rawCall,
  rawStream,
  serverStream,
} from '../../../test/support/grpc-calls.js';
import { ChatService } from '../../gen/chat/service/v1/chat_pb.js';
import { LogService } from '../../gen/log/service/v1/log_pb.js';
import { UserService } from '../../gen/user/service/v1/user_pb.js';
import {
  CancelledError,
  currentContext,
  currentSignal,
  DeadlineExceededError,
  requestEndChannel,
  Status,
} from '../core/index.js';
import { GrpcService, Rpc } from './rpc.decorator.js';

// What the handlers saw, by name.
const seen = {
  signal: Promise.withResolvers<unknown>(),
  finished: Promise.withResolvers<string>(),
  late: Promise.withResolvers<void>(),
};

function watchAll(): typeof seen {
  Object.assign(seen, {
    signal: Promise.withResolvers(),
    finished: Promise.withResolvers(),
    late: Promise.withResolvers(),
  });
  currentSignalOnNextCall = true;
  return seen;
}
let currentSignalOnNextCall = false;

function noteSignal(): void {
  if (!currentSignalOnNextCall) return;
  const signal = currentSignal();
  signal.addEventListener('abort', () => seen.signal.resolve(signal.reason));
}

@Controller()
@GrpcService(UserService)
class Users {
  static onGetUser: (() => void) | undefined;

  @Rpc()
  getUser(): object {
    Users.onGetUser?.();
    return {};
  }

  @Rpc()
  async listUsers(): Promise<{ nextPageToken: string }> {
    noteSignal();
    return new Promise(() => {});
  }

  @Rpc()
  async createUser(): Promise<{ id: string }> {
    noteSignal();
    await seen.late.promise;
    seen.finished.resolve('createUser');
    return { id: '1' };
  }

  @Rpc()
  async *watchUsers() {
    noteSignal();
    try {
      yield { user: { id: '1' } };
      for (;;) {
        await new Promise((resolve) => setImmediate(resolve));
        // Large enough to fill a reader's window within a few turns.
        yield { user: { id: '2', displayName: 'x'.repeat(16_384) } };
      }
    } finally {
      seen.finished.resolve('watchUsers');
    }
  }
}

@Controller()
@GrpcService(LogService)
class Logs {
  @Rpc()
  async upload(entries: AsyncIterable<{ message: string }>) {
    noteSignal();
    try {
      for await (const { message } of entries) if (message === 'enough') return { accepted: 1n };
      return { accepted: 0n };
    } catch (error) {
      seen.finished.resolve((error as Error).name);
      throw error;
    }
  }
}

@Controller()
@GrpcService(ChatService)
class Chat {
  @Rpc()
  join(messages: AsyncIterable<{ text: string }>): Observable<{ text: string }> {
    noteSignal();
    return new Observable((subscriber) => {
      void (async () => {
        try {
          for await (const { text } of messages) subscriber.next({ text });
        } catch (error) {
          subscriber.error(error);
        }
      })();
      return () => seen.finished.resolve('unsubscribed');
    });
  }
}

const start = () => startGrpcApp({ controllers: [Users, Logs, Chat] });
const { getUser, listUsers, createUser, watchUsers } = UserService.method;

describe('a deadline that passes', () => {
  it('ends a handler that never returns', async () => {
    await using app = await start();
    const { signal } = watchAll();

    const answer = await rawCall(app.connect(), listUsers, frame(Buffer.alloc(0)), { 'grpc-timeout': '50m' });

    expect(answer.status).toBe(Status.DeadlineExceeded);
    expect(await signal.promise).toBeInstanceOf(DeadlineExceededError);
  });

  it('ends a call whose request never comes', async () => {
    await using app = await start();
    const session = app.connect();

    for (const method of [getUser, LogService.method.upload]) {
      const stream = rawStream(session, method, { 'grpc-timeout': '50m' });
      const headers = await new Promise<Record<string, string>>((resolve) => stream.on('response', resolve as never));
      expect(headers['grpc-status']).toBe('4');
    }
  });

  it.each(['0n', '0m', '00000000H'])('lets no handler begin where it passes at once (%s)', async (timeout) => {
    await using app = await start();
    let calls = 0;
    Users.onGetUser = () => (calls += 1);
    const ends: unknown[] = [];
    using _ = { [Symbol.dispose]: requestEndChannel.subscribe(({ status }) => ends.push(status)) };

    const answer = await rawCall(app.connect(), getUser, frame(Buffer.alloc(0)), { 'grpc-timeout': timeout });

    expect(answer).toMatchObject({ status: Status.DeadlineExceeded, headers: { ':status': 200 } });
    expect(calls).toBe(0);
    expect(ends).toEqual([Status.DeadlineExceeded]);
  });

  it('breaks a stream off that its caller does not read', async () => {
    await using app = await start();
    watchAll();
    const stream = rawStream(app.connect(), watchUsers, { 'grpc-timeout': '500m' });
    stream.end(frame(Buffer.alloc(0)));
    stream.on('error', () => {});

    await seen.finished.promise;
    await new Promise((resolve) => stream.once('close', resolve));
    expect(stream.rstCode).toBe(8);
    expect(app.grpc.activeCalls).toBe(0);
  });
});

describe('a caller that goes away', () => {
  it('fires the signal of a unary call, whose answer is then dropped', async () => {
    await using app = await start();
    const { signal, finished, late } = watchAll();
    const ends: number[] = [];
    using _ = { [Symbol.dispose]: requestEndChannel.subscribe(({ status }) => ends.push(status)) };
    const stream = rawStream(app.connect(), createUser);
    stream.on('error', () => {});
    stream.end(frame(Buffer.alloc(0)));
    await vi.waitFor(() => expect(app.grpc.activeCalls).toBe(1));
    await new Promise((resolve) => setImmediate(resolve));

    stream.close(8);

    expect(await signal.promise).toBeInstanceOf(CancelledError);
    expect(app.grpc.activeCalls).toBe(0);
    late.resolve();
    expect(await finished.promise).toBe('createUser');
    expect(ends).toEqual([Status.Cancelled]);
  });

  it('ends the generator of a server stream', async () => {
    await using app = await start();
    const { signal, finished } = watchAll();
    const stream = serverStream(app.client, watchUsers, {});
    stream.on('error', () => {});
    await new Promise((resolve) => stream.once('data', resolve));

    stream.cancel();

    expect(await signal.promise).toBeInstanceOf(CancelledError);
    expect(await finished.promise).toBe('watchUsers');
  });

  it('throws into the loop over a client stream', async () => {
    await using app = await start();
    const { signal, finished } = watchAll();
    const session = app.connect();
    const stream = rawStream(session, LogService.method.upload);
    stream.on('error', () => {});
    stream.write(frame(Buffer.alloc(0)));
    await vi.waitFor(() => expect(app.grpc.activeCalls).toBe(1));

    session.destroy();

    expect(await signal.promise).toBeInstanceOf(CancelledError);
    expect(await finished.promise).toBe('CancelledError');
  });

  it('unsubscribes the answer of a bidirectional stream', async () => {
    await using app = await start();
    const { signal, finished } = watchAll();
    const session = app.connect();
    const stream = rawStream(session, ChatService.method.join);
    stream.on('error', () => {});
    stream.write(frame(Buffer.alloc(0)));
    await new Promise((resolve) => stream.once('data', resolve));

    session.destroy();

    expect(await signal.promise).toBeInstanceOf(CancelledError);
    expect(await finished.promise).toBe('unsubscribed');
  });

  it('is noticed while nobody reads its request', async () => {
    const begun = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<unknown>();
    @Controller()
    @GrpcService(LogService)
    class Deaf {
      @Rpc()
      upload(_entries: AsyncIterable<object>): Promise<object> {
        const signal = currentSignal();
        signal.addEventListener('abort', () => ended.resolve(signal.reason));
        begun.resolve();
        return new Promise(() => {});
      }
    }
    await using app = await startGrpcApp({ controllers: [Deaf] });
    const session = app.connect();
    const stream = rawStream(session, LogService.method.upload);
    stream.on('error', () => {});
    // More than the stream's window takes.
    stream.write(frame(Buffer.alloc(100_000)));
    await begun.promise;
    await new Promise((resolve) => session.ping(resolve));

    stream.close(8);

    expect(await ended.promise).toBeInstanceOf(CancelledError);
    expect(app.grpc.activeCalls).toBe(0);
  });
});

describe('a call that succeeds early', () => {
  it('leaves the rest of the request unread', async () => {
    await using app = await start();
    const { call, answer } = clientStream(app.client, LogService.method.upload);
    call.on('error', () => {});

    call.write({ message: 'enough' });
    call.write({ message: 'more' });

    expect((await answer).accepted).toBe(1n);
    await vi.waitFor(() => expect(app.grpc.activeCalls).toBe(0));
  });
});

describe('the context of a call', () => {
  it('is the same in all that a handler does', async () => {
    const contexts: unknown[] = [];
    @Controller()
    @GrpcService(ChatService)
    class Probe {
      @Rpc()
      async *join(messages: AsyncIterable<{ text: string }>) {
        contexts.push(currentContext()?.requestId);
        for await (const { text } of messages) {
          contexts.push(currentContext()?.requestId);
          yield { text };
        }
        contexts.push(currentContext()?.requestId);
      }
    }
    await using app = await startGrpcApp({ controllers: [Probe] });
    const call = bidiStream(app.client, ChatService.method.join);
    call.write({ text: 'a' });
    call.write({ text: 'b' });
    call.end();

    expect(await collect(call)).toHaveLength(2);
    expect(new Set(contexts).size).toBe(1);
    expect(contexts).toHaveLength(4);
    expect(contexts[0]).toMatch(/^[0-9a-f]{32}$/);
  });
});
