import type { MessageInitShape } from '@bufbuild/protobuf';
import { Controller, Delete, Get, Patch, Post } from '@nestjs/common';
import { Public, Scopes } from 'rookery/auth';
import { GrpcService, Rpc } from 'rookery/grpc';
import { Input } from 'rookery/pipeline';
import { type ListUsersResponseSchema, type UserChangeSchema, UserService } from '../../gen/user/service/v1/user_pb.js';
import type { UserMessage } from './user-message.js';
import {
  CreateUserInput,
  DeleteUserInput,
  GetUserInput,
  ListUsersInput,
  UpdateUserInput,
  WatchUsersInput,
} from './users.dto.js';
import { UsersService } from './users.service.js';

/** Users and their changes. */
@Controller('api/v1/users')
@GrpcService(UserService)
export class UsersController {
  readonly #users: UsersService;

  constructor(users: UsersService) {
    this.#users = users;
  }

  @Get(':id')
  @Rpc()
  @Public()
  getUser(@Input() { id }: GetUserInput): Promise<UserMessage> {
    return this.#users.get(id);
  }

  @Get()
  @Rpc()
  @Public()
  listUsers(
    @Input() { pageSize, pageToken }: ListUsersInput,
  ): Promise<MessageInitShape<typeof ListUsersResponseSchema>> {
    return this.#users.list(pageSize, pageToken);
  }

  @Post()
  @Rpc()
  @Scopes('users:write')
  createUser(@Input() { displayName, email, role, age }: CreateUserInput): Promise<UserMessage> {
    return this.#users.create({ displayName, email, role, age });
  }

  @Patch(':id')
  @Rpc()
  @Scopes('users:write')
  updateUser(@Input() { id, ...update }: UpdateUserInput): Promise<UserMessage> {
    return this.#users.update(id, update);
  }

  @Delete(':id')
  @Rpc()
  @Scopes('users:write')
  deleteUser(@Input() { id }: DeleteUserInput): Promise<void> {
    return this.#users.remove(id);
  }

  @Rpc()
  @Public()
  watchUsers(@Input() { includeExisting }: WatchUsersInput): AsyncIterable<MessageInitShape<typeof UserChangeSchema>> {
    return this.#users.watch(includeExisting);
  }
}
