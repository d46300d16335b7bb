import type { MessageInitShape } from '@bufbuild/protobuf';
import { Injectable } from '@nestjs/common';
import { Config } from 'rookery/config';
import { currentSignal, type Live, raise } from 'rookery/core';
import {
  type ListUsersResponseSchema,
  UserChange_Kind,
  type UserChangeSchema,
} from '../../gen/user/service/v1/user_pb.js';
import { pageSizeOf, pageTokenAfter, PagingConfig, positiveInt64, readPageToken } from '../paging/index.js';
import type { UserFields } from './user.js';
import { changesOf, type UserUpdate } from './user-changes.js';
import { type UserMessage, userMessageOf } from './user-message.js';
import { UserNotFoundError, UserWatchOverrunError } from './users.errors.js';
import { UsersHub } from './users-hub.js';
import { UsersRepository } from './users.repository.js';

type UserChangeMessage = MessageInitShape<typeof UserChangeSchema>;

// Pages in which a watch reads the users there are already.
const watchPageSize = 100;

/** What can be done with users; changes are told to watchers once they are committed. */
@Injectable()
export class UsersService {
  readonly #users: UsersRepository;
  readonly #hub: UsersHub;
  readonly #paging: Live<PagingConfig>;

  constructor(users: UsersRepository, hub: UsersHub, @Config(PagingConfig) paging: Live<PagingConfig>) {
    this.#users = users;
    this.#hub = hub;
    this.#paging = paging;
  }

  /** @throws UserNotFoundError */
  async get(id: string): Promise<UserMessage> {
    return userMessageOf((await this.#users.find(id)) ?? raise(new UserNotFoundError(id)));
  }

  /** @throws ValidationError the page token is not one of ours */
  async list(pageSize: number, pageToken: string): Promise<MessageInitShape<typeof ListUsersResponseSchema>> {
    const [after = 0n] = readPageToken('users', pageToken, [positiveInt64]) ?? [];
    const limit = pageSizeOf(pageSize, this.#paging.value);
    // One more than asked for tells whether there is a next page.
    const found = await this.#users.page(after, limit + 1);
    const users = found.slice(0, limit);
    const last = users.at(-1);
    const nextPageToken = found.length > limit && last !== undefined ? pageTokenAfter('users', [BigInt(last.id)]) : '';
    return { users: users.map(userMessageOf), nextPageToken };
  }

  /** @throws UserEmailTakenError */
  async create(fields: UserFields): Promise<UserMessage> {
    const user = await this.#users.insert(fields, Date.now());
    this.#hub.publish({ kind: 'upserted', user });
    return userMessageOf(user);
  }

  /** @throws UserNotFoundError, UserEmailTakenError, ValidationError for the mask */
  async update(id: string, update: UserUpdate): Promise<UserMessage> {
    const user = (await this.#users.update(id, changesOf(update))) ?? raise(new UserNotFoundError(id));
    this.#hub.publish({ kind: 'upserted', user });
    return userMessageOf(user);
  }

  /** @throws UserNotFoundError */
  async remove(id: string): Promise<void> {
    const user = (await this.#users.remove(id)) ?? raise(new UserNotFoundError(id));
    this.#hub.publish({ kind: 'deleted', user });
  }

  /**
   * Every change from now on, until the caller goes or the process drains; before them, if asked for, the users there
   * are. A user that changes meanwhile may be told twice, the last word is right.
   *
   * @throws UserWatchOverrunError the caller reads too slowly
   */
  watch(includeExisting: boolean): AsyncGenerator<UserChangeMessage, void, undefined> {
    // Taken here: the generator below may be run by others.
    return this.#watch(includeExisting, currentSignal());
  }

  async *#watch(includeExisting: boolean, signal: AbortSignal): AsyncGenerator<UserChangeMessage, void, undefined> {
    const queue = this.#hub.watch().closeOn(signal);
    try {
      if (includeExisting) yield* this.#existing(signal);
      for await (const { value, missed } of queue) {
        if (missed > 0) throw new UserWatchOverrunError(missed);
        const kind = value.kind === 'deleted' ? UserChange_Kind.DELETED : UserChange_Kind.UPSERTED;
        yield { kind, user: userMessageOf(value.user) };
      }
    } finally {
      this.#hub.leave(queue);
    }
  }

  async *#existing(signal: AbortSignal): AsyncGenerator<UserChangeMessage, void, undefined> {
    let after = 0n;
    while (!signal.aborted) {
      const users = await this.#users.page(after, watchPageSize);
      for (const user of users) yield { kind: UserChange_Kind.UPSERTED, user: userMessageOf(user) };
      if (users.length < watchPageSize) return;
      after = BigInt(users.at(-1)?.id ?? 0);
    }
  }
}
