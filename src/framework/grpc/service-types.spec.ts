import type { Observable } from 'rxjs';
import { describe, expectTypeOf, it } from 'vitest';
import { ChatService } from '../../gen/chat/service/v1/chat_pb.js';
import { LogService } from '../../gen/log/service/v1/log_pb.js';
import {
  type CreateUserRequestSchema,
  type User,
  type UserChange,
  type UserChangeSchema,
  UserService,
} from '../../gen/user/service/v1/user_pb.js';
import { GrpcService } from './rpc.decorator.js';
import type { InputOf } from './service-types.js';

describe('InputOf', () => {
  it('is the fields of a message, without the marks of protobuf-es', () => {
    expectTypeOf<InputOf<typeof CreateUserRequestSchema>>().toEqualTypeOf<{
      displayName: string;
      email: string;
      role: string;
      age?: number | undefined;
    }>();
  });

  it('goes all the way down', () => {
    type Fields = InputOf<typeof UserChangeSchema>;

    expectTypeOf<Fields>().not.toHaveProperty('$typeName');
    expectTypeOf<NonNullable<Fields['user']>>().not.toHaveProperty('$typeName');
    expectTypeOf<NonNullable<NonNullable<Fields['user']>['createdAt']>>().toEqualTypeOf<{
      seconds: bigint;
      nanos: number;
    }>();
  });
});

describe('GrpcService', () => {
  it('takes classes whose methods fit', () => {
    class Users {
      getUser(_input: { id: string }): Promise<User> {
        throw new Error('never called');
      }
      createUser(_input: { displayName: string; email: string; role: 'developer' | 'viewer'; age?: number }): {
        id: string;
      } {
        return { id: '1' };
      }
      async deleteUser(_input: { id: string }): Promise<void> {}
      async *watchUsers(_input: { includeExisting: boolean }): AsyncIterable<UserChange> {}
      notAnRpc(_any: number): void {}
    }
    class Chat {
      join(_messages: AsyncIterable<{ text: string }>): Observable<{ text: string }> {
        throw new Error('never called');
      }
    }

    expectTypeOf(GrpcService(UserService)).toBeCallableWith(Users);
    expectTypeOf(GrpcService(ChatService)).toBeCallableWith(Chat);
  });

  // The compiler's findings are the assertions.
  // oxlint-disable-next-line vitest/expect-expect
  it('refuses a method that takes, or gives, something else', () => {
    class WrongInput {
      getUser(_input: { id: number }): User {
        throw new Error('never called');
      }
    }
    class WrongOutput {
      getUser(_input: { id: string }): { id: number } {
        return { id: 1 };
      }
    }
    class NotAStream {
      async watchUsers(): Promise<UserChange> {
        throw new Error('never called');
      }
    }
    class OneMessage {
      async upload(_entry: { message: string }): Promise<object> {
        return {};
      }
    }
    class Nothing {
      getUser(_input: { id: string }): void {}
    }

    // @ts-expect-error -- id is a string
    GrpcService(UserService)(WrongInput);
    // @ts-expect-error -- id is a string
    GrpcService(UserService)(WrongOutput);
    // @ts-expect-error -- a stream is asked for
    GrpcService(UserService)(NotAStream);
    // @ts-expect-error -- a stream of entries is given
    GrpcService(LogService)(OneMessage);
    // @ts-expect-error -- only an empty message may be nothing
    GrpcService(UserService)(Nothing);
  });
});
