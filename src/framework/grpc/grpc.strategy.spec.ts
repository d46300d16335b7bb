import type { DescService } from '@bufbuild/protobuf';
import { Controller, Get, Scope, type Type } from '@nestjs/common';
import { GrpcMethod } from '@nestjs/microservices';
import { describe, expect, it } from 'vitest';
import { startGrpcApp } from '../../../test/support/grpc-app.js';
import { collect, serverStream, unary } from '../../../test/support/grpc-calls.js';
import { ChatService } from '../../gen/chat/service/v1/chat_pb.js';
import { LogService } from '../../gen/log/service/v1/log_pb.js';
import { UserService } from '../../gen/user/service/v1/user_pb.js';
import { metadataKeys } from '../core/index.js';
import { GrpcService, Rpc } from './rpc.decorator.js';

const { getUser, watchUsers } = UserService.method;
const services = [UserService, LogService, ChatService];

describe('what stops the start', () => {
  const failure = async (controller: Type, described: readonly DescService[] = services): Promise<string> => {
    try {
      await using _ = await startGrpcApp({ controllers: [controller], services: described });
    } catch (error) {
      return (error as Error).message;
    }
    return 'started';
  };

  it('a service that is not described', async () => {
    @Controller()
    class Unknown {
      @GrpcMethod('NoService', 'Get')
      get(): void {}
    }

    expect(await failure(Unknown)).toBe(
      "@GrpcMethod('NoService', 'Get'): service NoService is not described (expected: its descriptor among the services of GrpcStrategy)",
    );
  });

  it('a method that the service does not have', async () => {
    @Controller()
    class Unknown {
      @GrpcMethod('ChatService', 'Leave')
      leave(): void {}
    }

    expect(await failure(Unknown)).toBe(
      "@GrpcMethod('ChatService', 'Leave'): service chat.service.v1.ChatService has no such method (expected: one of Join)",
    );
  });

  it('the wrong kind of decorator', async () => {
    @Controller()
    class Wrong {
      @GrpcMethod('ChatService', 'Join')
      join(): void {}
    }

    expect(await failure(Wrong)).toBe(
      "@GrpcMethod('ChatService', 'Join'): chat.service.v1.ChatService/Join is bidi_streaming (expected: @GrpcStreamMethod or @GrpcStreamCall)",
    );
  });

  it('a short name that two services have', async () => {
    @Controller()
    class Short {
      @GrpcMethod('UserService', 'GetUser')
      get(): void {}
    }
    const other = { ...UserService, typeName: 'other.v1.UserService' } as unknown as DescService;

    expect(await failure(Short, [UserService, other])).toBe(
      "@GrpcMethod('UserService', 'GetUser'): service UserService is ambiguous, it may be user.service.v1.UserService and other.v1.UserService (expected: the full name)",
    );
  });

  it('two handlers for one method', async () => {
    @Controller()
    @GrpcService(UserService)
    class Twice {
      @Rpc()
      getUser(): object {
        return {};
      }
      @Rpc('GetUser')
      alsoGetUser(): object {
        return {};
      }
    }

    expect(await failure(Twice)).toBe('two handlers for user.service.v1.UserService/GetUser (expected: one)');
  });

  it('an @Rpc() that the service does not have, at the definition of the class', () => {
    expect(() => {
      @Controller()
      @GrpcService(ChatService as DescService)
      class Wrong {
        @Rpc()
        leave(): AsyncIterable<object> {
          throw new Error('never called');
        }
      }
      return new Wrong();
    }).toThrow('@Rpc() on Wrong.leave: chat.service.v1.ChatService has no RPC leave (expected: one of join)');
  });
});

describe('a request-scoped controller', () => {
  it('is made for each call', async () => {
    const made: object[] = [];
    @Controller({ scope: Scope.REQUEST })
    @GrpcService(UserService)
    class PerCall {
      constructor() {
        made.push(this);
      }
      @Rpc()
      getUser({ id }: { id: string }): object {
        return { id, displayName: String(made.indexOf(this)) };
      }
      @Rpc()
      async *watchUsers(): AsyncGenerator<object> {
        yield { user: { displayName: String(made.indexOf(this)) } };
      }
    }
    await using app = await startGrpcApp({ controllers: [PerCall] });

    const first = await unary(app.client, getUser, { id: '1' });
    const [second] = await collect(serverStream(app.client, watchUsers, {}));

    expect(first.value.displayName).not.toBe(second?.user?.displayName);
    expect(Number(second?.user?.displayName)).toBeGreaterThan(-1);
  });
});

describe("Nest's hooks", () => {
  const seen: string[] = [];
  @Controller()
  @GrpcService(UserService)
  class Noting {
    @Rpc()
    getUser(): object {
      seen.push('handler');
      return {};
    }
  }

  it('before each request run', async () => {
    seen.length = 0;
    await using app = await startGrpcApp({
      controllers: [Noting],
      prepare: (microservice) => {
        microservice.registerPreRequestHook((context, next) => {
          seen.push(`hook ${context.getType()} ${context.getHandler().name}`);
          return next();
        });
      },
    });

    await unary(app.client, getUser, {});

    expect(seen).toEqual(['hook rpc getUser', 'handler']);
  });

  it('around the processing run', async () => {
    seen.length = 0;
    await using app = await startGrpcApp({
      controllers: [Noting],
      prepare: (_, strategy) => {
        strategy.setOnProcessingStartHook((_transport, _context, done) => {
          seen.push('start');
          void done();
        });
        strategy.setOnProcessingEndHook(() => seen.push('end'));
      },
    });

    await unary(app.client, getUser, {});

    expect(seen).toEqual(['start', 'handler', 'end']);
  });
});

describe('@Rpc() beside an HTTP route', () => {
  it('keeps the metadata of both in any order', () => {
    @Controller()
    @GrpcService(UserService)
    class Both {
      @Get('a')
      @Rpc()
      getUser(): object {
        return {};
      }
      @Rpc()
      @Get('b')
      async *watchUsers(): AsyncGenerator<object> {}
    }

    for (const [method, path, desc] of [
      [Both.prototype.getUser, 'a', getUser],
      [Both.prototype.watchUsers, 'b', watchUsers],
    ] as const) {
      expect(Reflect.getMetadata('path', method)).toBe(path);
      expect(Reflect.getMetadata(metadataKeys.rpc, method)).toBe(desc);
    }
  });
});
