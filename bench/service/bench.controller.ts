import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { Controller, Get, Post } from '@nestjs/common';
import { GrpcService, Input, Public, raise, RookeryError, Rpc, Scopes, Status } from 'rookery';
import {
  BenchService,
  type ChunkSchema,
  type CreateUserResponseSchema,
  type UserSchema,
} from '../gen/bench/v1/bench_pb.js';
import { ChunkInput, CreateUserInput, GetUserInput, StreamInput } from './bench.dto.js';
import { findUser, kibibyte, makeUser } from './users.js';

class UserNotFoundError extends RookeryError {
  static override readonly reason = 'USER_NOT_FOUND';
  static override readonly status = Status.NotFound;

  constructor(id: string) {
    super(`user ${id} not found`);
  }
}

/** What is measured, on both faces. */
@Controller('api/v1')
@GrpcService(BenchService)
export class BenchController {
  @Get('users/:id')
  @Rpc()
  @Public()
  getUser(@Input() { id }: GetUserInput): MessageInitShape<typeof UserSchema> {
    return userMessage(id);
  }

  @Get('accounts/:id')
  @Rpc()
  @Scopes('users:read')
  getAccount(@Input() { id }: GetUserInput): MessageInitShape<typeof UserSchema> {
    return userMessage(id);
  }

  @Post('users')
  @Rpc()
  @Public()
  createUser(@Input() input: CreateUserInput): MessageInitShape<typeof CreateUserResponseSchema> {
    return makeUser(input);
  }

  @Rpc()
  @Public()
  async *stream(@Input() { count }: StreamInput): AsyncGenerator<MessageInitShape<typeof ChunkSchema>> {
    for (let sent = 0; sent < count; sent += 1) yield { payload: kibibyte };
  }

  @Rpc()
  @Public()
  echo(@Input() { payload }: ChunkInput): MessageInitShape<typeof ChunkSchema> {
    return { payload };
  }
}

function userMessage(id: string): MessageInitShape<typeof UserSchema> {
  const { createdAt, ...user } = findUser(id) ?? raise(new UserNotFoundError(id));
  return { ...user, createdAt: timestampFromDate(createdAt) };
}
