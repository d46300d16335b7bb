import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Config } from 'rookery/config';
import type { Live } from 'rookery/core';
import type { UserFields } from './user.js';
import { UsersConfig } from './users.config.js';
import { UsersRepository } from './users.repository.js';

const seeds: readonly UserFields[] = [
  { displayName: 'Alice', email: 'alice@example.com', role: 'developer', age: 34 },
  { displayName: 'Bob', email: 'bob@example.com', role: 'operator', age: undefined },
  { displayName: 'Carol', email: 'carol@example.com', role: 'viewer', age: 28 },
];

/** Gives an empty database three users, where `users.seed` says so. */
@Injectable()
export class UsersSeeder implements OnModuleInit {
  readonly #users: UsersRepository;
  readonly #config: Live<UsersConfig>;

  constructor(users: UsersRepository, @Config(UsersConfig) config: Live<UsersConfig>) {
    this.#users = users;
    this.#config = config;
  }

  async onModuleInit(): Promise<void> {
    if (this.#config.value.seed) await this.#users.seed(seeds, Date.now());
  }
}
