import type { Duplex } from 'node:stream';
import { Controller, type Type } from '@nestjs/common';
import { GrpcMethod, GrpcStreamCall, GrpcStreamMethod, Payload } from '@nestjs/microservices';
import { EMPTY, fromEvent, interval, lastValueFrom, map, type Observable, of, Subject, take, toArray } from 'rxjs';
import { describe, expect, it, vi } from 'vitest';
import { startGrpcApp } from '../../../test/support/grpc-app.js';
import {
  bidiStream,
  clientStream,
  collect,
  failureOf,
  frame,
  rawCall,
  rawStream,
  serverStream,
  unary,
} from '../../../test/support/grpc-calls.js';
import { ChatService, type JoinRequest } from '../../gen/chat/service/v1/chat_pb.js';
import { LogService, type LogEntry } from '../../gen/log/service/v1/log_pb.js';
import { UserService } from '../../gen/user/service/v1/user_pb.js';
import { Status } from '../core/index.js';
import type { AnswerCallback, DuplexCall } from './duplex-call.js';
import { Metadata } from './metadata.js';
import type { RpcCall } from './rpc-call.js';

const { getUser, listUsers, createUser, updateUser, watchUsers } = UserService.method;
let cancelled = Promise.withResolvers<string>();

@Controller()
class NestUsers {
  @GrpcMethod('UserService', 'GetUser')
  getUser(data: { id: string }, metadata: Metadata, call: RpcCall): Observable<object> {
    const answer = new Metadata();
    answer.set('peer', call.getPeer());
    call.sendMetadata(answer);
    const deadline = call.getDeadline() instanceof Date ? 'deadline' : 'none';
    return of({ id: data.id, displayName: String(metadata.get('name')[0]), email: `${call.getPath()} ${deadline}` });
  }

  @GrpcMethod('UserService')
  listUsers(): Observable<never> {
    return EMPTY;
  }

  @GrpcMethod('user.service.v1.UserService')
  createUser(@Payload() _data: object, ..._rest: unknown[]): Observable<object> {
    return interval(1).pipe(map((count) => ({ id: String(count) })));
  }

  @GrpcMethod('UserService')
  updateUser(_data: object, _metadata: Metadata, call: RpcCall): Promise<object> {
    call.on('cancelled', () => cancelled.resolve('listener'));
    fromEvent(call as never, 'cancelled').subscribe(() => cancelled.resolve('fromEvent'));
    return new Promise(() => {});
  }

  @GrpcMethod('UserService')
  watchUsers(): Observable<object> {
    return interval(1).pipe(
      take(3),
      map((count) => ({ user: { id: String(count) } })),
    );
  }
}

@Controller()
class NestLogs {
  @GrpcStreamMethod('LogService', 'Upload')
  async upload(entries: Observable<LogEntry>): Promise<object> {
    const all = await lastValueFrom(entries.pipe(toArray()));
    return { accepted: BigInt(all.length) };
  }
}

@Controller()
class NestChat {
  @GrpcStreamMethod('ChatService')
  join(messages: Observable<JoinRequest>): Observable<object> {
    const answers = new Subject<object>();
    messages.subscribe({
      next: ({ text }) => {
        if (text === 'boom') throw new Error('boom');
        answers.next({ text });
      },
      complete: () => {
        cancelled.resolve('completed');
        answers.complete();
      },
    });
    return answers;
  }
}

@Controller()
class CallLogs {
  @GrpcStreamCall('LogService', 'Upload')
  upload(call: Duplex, callback: AnswerCallback): void {
    let accepted = 0n;
    call.on('data', () => {
      accepted += 1n;
    });
    call.on('cancelled', () => cancelled.resolve('cancelled'));
    call.on('close', () => cancelled.resolve('closed'));
    call.on('end', () => callback(accepted > 5n ? { code: 9, message: 'too many' } : null, { accepted }));
  }
}

@Controller()
class CallChat {
  @GrpcStreamCall('ChatService', 'Join')
  join(call: DuplexCall): void {
    const headers = new Metadata();
    headers.set('room', 'lobby');
    call.sendMetadata(headers);
    call.on('cancelled', () => cancelled.resolve('cancelled'));
    call.on('data', ({ text }: JoinRequest) => {
      if (text === 'fail') call.emit('error', Object.assign(new Error('x'), {}));
      else if (text === 'throw') throw new Error('thrown by a listener');
      else if (text === 'throw later') headers.add('room', 'none');
      else if (text === 'null') call.write(null);
      else call.write({ text: text.toUpperCase() });
    });
    call.on('end', () => {
      if (headers.get('room').length > 1) throw new Error('thrown at the end');
      const trailers = new Metadata();
      trailers.set('bye', 'yes');
      call.end(trailers);
    });
  }
}

const services = [UserService, LogService, ChatService];
const startNest = (...controllers: Type[]) => startGrpcApp({ controllers, services });

describe('@GrpcMethod', () => {
  it('gets data, metadata and call', async () => {
    await using app = await startNest(NestUsers);

    const answer = await rawCall(app.connect(), getUser, frame(Buffer.from([8, 5])), {
      name: 'Alice',
      'grpc-timeout': '9S',
    });
    const { headers } = await unary(app.client, getUser, { id: '5' });

    expect(answer.body.toString()).toContain('Alice');
    expect(answer.body.toString()).toContain('/user.service.v1.UserService/GetUser deadline');
    expect(headers.get('peer')[0]).toMatch(/^127\.0\.0\.1:\d+$/);
  });

  it('answers with the empty message when its Observable is empty', async () => {
    await using app = await startNest(NestUsers);

    expect((await unary(app.client, listUsers, {})).value.users).toEqual([]);
  });

  it('answers with the first value of an Observable that goes on, and lets go of it', async () => {
    await using app = await startNest(NestUsers);

    expect((await unary(app.client, createUser, {})).value.id).toBe('0');
  });

  it('is told of the cancellation', async () => {
    await using app = await startNest(NestUsers);
    cancelled = Promise.withResolvers();
    const stream = rawStream(app.connect(), updateUser);
    stream.on('error', () => {});
    stream.end(frame(Buffer.alloc(0)));
    await vi.waitFor(() => expect(app.grpc.activeCalls).toBe(1));
    await new Promise((resolve) => setTimeout(resolve, 10));

    stream.close(8);

    expect(await cancelled.promise).toBe('listener');
  });

  it('streams an Observable', async () => {
    await using app = await startNest(NestUsers);

    expect((await collect(serverStream(app.client, watchUsers, {}))).map(({ user }) => user?.id)).toEqual([
      '0',
      '1',
      '2',
    ]);
  });
});

describe('@GrpcStreamMethod', () => {
  it('reads all of the stream before it answers', async () => {
    await using app = await startNest(NestLogs);
    const { call, answer } = clientStream(app.client, LogService.method.upload);

    for (let count = 0; count < 100; count += 1) call.write({ message: String(count) });
    call.end();

    expect((await answer).accepted).toBe(100n);
  });

  it('fails a half upload of a bad message', async () => {
    await using app = await startNest(NestLogs);
    const body = Buffer.concat([frame(Buffer.alloc(0)), frame(Buffer.from([0x0a, 0x02, 0xc3, 0x28]))]);

    expect(await rawCall(app.connect(), LogService.method.upload, body)).toMatchObject({
      status: Status.InvalidArgument,
    });
  });

  it('answers from a Subject', async () => {
    await using app = await startNest(NestChat);
    const call = bidiStream(app.client, ChatService.method.join);
    call.write({ text: 'a' });
    call.write({ text: 'b' });
    call.end();

    expect((await collect(call)).map(({ text }) => text)).toEqual(['a', 'b']);
  });

  it('survives a subscriber that throws', async () => {
    await using app = await startNest(NestChat);
    const call = bidiStream(app.client, ChatService.method.join);
    call.write({ text: 'boom' });

    expect(await failureOf(collect(call))).toMatchObject({ code: Status.Internal, details: 'internal error' });
  });

  it('survives a bad message that its subscriber has no handler for', async () => {
    await using app = await startNest(NestChat);
    cancelled = Promise.withResolvers();

    const answer = await rawCall(app.connect(), ChatService.method.join, frame(Buffer.from([0x0a, 0x02, 0xc3, 0x28])));

    expect(answer.status).toBe(Status.InvalidArgument);
    expect(await cancelled.promise).toBe('completed');
  });

  it('completes a subscriber without error handler when the caller goes away', async () => {
    await using app = await startNest(NestChat);
    cancelled = Promise.withResolvers();
    const session = app.connect();
    const stream = rawStream(session, ChatService.method.join);
    stream.on('error', () => {});
    stream.write(frame(Buffer.from([0x12, 1, 0x61])));
    await new Promise((resolve) => stream.once('data', resolve));

    session.destroy();

    expect(await cancelled.promise).toBe('completed');
  });
});

describe('the Observable of a request', () => {
  it('gives every message to each subscriber of a handler', async () => {
    @Controller()
    class Twice {
      @GrpcStreamMethod('LogService', 'Upload')
      async upload(entries: Observable<LogEntry>): Promise<object> {
        const count = lastValueFrom(entries.pipe(toArray()));
        const texts = lastValueFrom(entries.pipe(toArray()));
        return { accepted: BigInt((await count).length * 10 + (await texts).length) };
      }
    }
    await using app = await startNest(Twice);
    const { call, answer } = clientStream(app.client, LogService.method.upload);
    for (const message of ['a', 'b', 'c']) call.write({ message });
    call.end();

    expect((await answer).accepted).toBe(33n);
  });

  it('waits for the first subscriber, and between two', async () => {
    @Controller()
    class Late {
      @GrpcStreamMethod('LogService', 'Upload')
      async upload(entries: Observable<LogEntry>): Promise<object> {
        await new Promise((resolve) => setTimeout(resolve, 10));
        const [first] = await lastValueFrom(entries.pipe(take(1), toArray()));
        await new Promise((resolve) => setTimeout(resolve, 10));
        const rest = await lastValueFrom(entries.pipe(toArray()));
        return { accepted: BigInt(`${first?.message ?? ''}${rest.map(({ message }) => message).join('')}`) };
      }
    }
    await using app = await startNest(Late);
    const { call, answer } = clientStream(app.client, LogService.method.upload);
    for (const message of ['1', '2', '3']) call.write({ message });
    call.end();

    expect((await answer).accepted).toBe(123n);
  });
});

describe('@GrpcStreamCall', () => {
  it('reads a Node stream and answers by the callback', async () => {
    await using app = await startNest(CallLogs);
    cancelled = Promise.withResolvers();
    const { call, answer } = clientStream(app.client, LogService.method.upload);
    for (const message of ['a', 'b', 'c']) call.write({ message });
    call.end();

    expect((await answer).accepted).toBe(3n);
    expect(await cancelled.promise).toBe('closed');
  });

  it('fails by the callback', async () => {
    await using app = await startNest(CallLogs);
    const { call, answer } = clientStream(app.client, LogService.method.upload);
    for (const message of 'abcdefg') call.write({ message });
    call.end();

    expect(await failureOf(answer)).toMatchObject({ code: Status.FailedPrecondition, details: 'too many' });
  });

  it('writes a Node stream, with headers and trailers', async () => {
    await using app = await startNest(CallChat);
    const call = bidiStream(app.client, ChatService.method.join);
    const headers = new Promise<{ get(key: string): unknown[] }>((resolve) => call.on('metadata', resolve));
    const status = new Promise<{ metadata: { get(key: string): unknown[] } }>((resolve) =>
      call.on('status', resolve as never),
    );
    call.write({ text: 'a' });
    call.write({ text: 'b' });
    call.end();

    expect((await collect(call)).map(({ text }) => text)).toEqual(['A', 'B']);
    expect((await headers).get('room')).toEqual(['lobby']);
    expect((await status).metadata.get('bye')).toEqual(['yes']);
  });

  it('fails by the error event', async () => {
    await using app = await startNest(CallChat);
    const call = bidiStream(app.client, ChatService.method.join);
    call.write({ text: 'fail' });

    expect(await failureOf(collect(call))).toMatchObject({ code: Status.Internal });
  });

  it.each(['throw', 'null', 'throw later'])('fails where a listener throws: %s', async (text) => {
    await using app = await startNest(CallChat);
    const call = bidiStream(app.client, ChatService.method.join);
    call.end({ text });

    expect(await failureOf(collect(call))).toMatchObject({ code: Status.Internal });
  });

  it('is told of the cancellation', async () => {
    await using app = await startNest(CallChat);
    cancelled = Promise.withResolvers();
    const session = app.connect();
    const stream = rawStream(session, ChatService.method.join);
    stream.on('error', () => {});
    stream.write(frame(Buffer.from([0x12, 1, 0x61])));
    await new Promise((resolve) => stream.once('data', resolve));

    session.destroy();

    expect(await cancelled.promise).toBe('cancelled');
  });
});
