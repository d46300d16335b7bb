import { Controller } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { startGrpcApp } from '../../../test/support/grpc-app.js';
import { bidiStream, clientStream, collect, serverStream, unary } from '../../../test/support/grpc-calls.js';
import { ChatService, JoinResponse_Kind } from '../../gen/chat/service/v1/chat_pb.js';
import { LogService } from '../../gen/log/service/v1/log_pb.js';
import { UserChange_Kind, UserService } from '../../gen/user/service/v1/user_pb.js';
import { currentContext } from '../core/index.js';
import { GrpcService, Rpc } from './rpc.decorator.js';

@Controller()
@GrpcService(UserService)
class Users {
  @Rpc()
  async getUser(input: { id: string }) {
    return { id: input.id, displayName: `user ${input.id}`, email: currentContext()?.operation ?? '' };
  }

  @Rpc()
  async deleteUser(): Promise<void> {}

  @Rpc()
  async *watchUsers() {
    for (const id of ['1', '2', '3']) yield { kind: UserChange_Kind.UPSERTED, user: { id } };
  }
}

@Controller()
@GrpcService(LogService)
class Logs {
  @Rpc()
  async upload(entries: AsyncIterable<{ message: string }>) {
    let accepted = 0n;
    for await (const entry of entries) accepted += BigInt(entry.message.length);
    return { accepted };
  }
}

@Controller()
@GrpcService(ChatService)
class Chat {
  @Rpc()
  async *join(messages: AsyncIterable<{ room: string; text: string }>) {
    for await (const { room, text } of messages)
      yield { kind: JoinResponse_Kind.MESSAGE, room, text: text.toUpperCase() };
  }
}

describe('the four modes, with handlers of @Rpc()', () => {
  it('answers a unary call', async () => {
    await using app = await startGrpcApp({ controllers: [Users] });

    const { value, headers } = await unary(app.client, UserService.method.getUser, { id: '7' });

    expect(value).toMatchObject({ id: '7', displayName: 'user 7', email: 'user.service.v1.UserService/GetUser' });
    expect(headers.get('x-request-id')[0]).toMatch(/^[0-9a-f]{32}$/);
  });

  it('answers with the empty message for nothing', async () => {
    await using app = await startGrpcApp({ controllers: [Users] });

    const { value } = await unary(app.client, UserService.method.deleteUser, { id: '7' });

    expect(value.$typeName).toBe('google.protobuf.Empty');
  });

  it('streams what a generator yields', async () => {
    await using app = await startGrpcApp({ controllers: [Users] });

    const changes = await collect(serverStream(app.client, UserService.method.watchUsers, {}));

    expect(changes.map(({ user }) => user?.id)).toEqual(['1', '2', '3']);
  });

  it('reads a stream and answers once', async () => {
    await using app = await startGrpcApp({ controllers: [Logs] });
    const { call, answer } = clientStream(app.client, LogService.method.upload);

    for (const message of ['a', 'bc', 'def']) call.write({ message });
    call.end();

    expect((await answer).accepted).toBe(6n);
  });

  it('answers a stream by a stream, message by message', async () => {
    await using app = await startGrpcApp({ controllers: [Chat] });
    const call = bidiStream(app.client, ChatService.method.join);
    const answers = call[Symbol.asyncIterator]();

    call.write({ room: 'r', text: 'one' });
    expect((await answers.next()).value).toMatchObject({ text: 'ONE' });
    call.write({ room: 'r', text: 'two' });
    expect((await answers.next()).value).toMatchObject({ text: 'TWO' });
    call.end();

    expect((await answers.next()).done).toBe(true);
  });
});
