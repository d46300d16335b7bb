import { Injectable, Module } from '@nestjs/common';
import { Config } from 'rookery/config';
import { type Live, ProbeRegistry } from 'rookery/core';
import { DatabaseConfig } from './database.config.js';
import { Database } from './database.js';

@Injectable()
class DatabaseOpener {
  readonly #config: Live<DatabaseConfig>;
  readonly #probes: ProbeRegistry;

  constructor(@Config(DatabaseConfig) config: Live<DatabaseConfig>, probes: ProbeRegistry) {
    this.#config = config;
    this.#probes = probes;
  }

  async open(): Promise<Database> {
    const database = await Database.open(this.#config.value);
    this.#probes.register({ name: 'database', kinds: ['ready'], check: () => database.check() });
    return database;
  }
}

/** Provides the `Database`, open and up to date: what asks for it can use it in its own start. */
@Module({
  providers: [
    DatabaseOpener,
    { provide: Database, useFactory: (opener: DatabaseOpener) => opener.open(), inject: [DatabaseOpener] },
  ],
  exports: [Database],
})
export class DatabaseModule {}
