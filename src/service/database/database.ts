import { Logger, type OnApplicationShutdown } from '@nestjs/common';
import { type Dialect, Kysely, sql } from 'kysely';
import { RookeryError } from 'rookery/core';
import type { DatabaseConfig } from './database.config.js';
import { type DatabaseAddress, parseDatabaseUrl } from './database-url.js';
import { openPostgres } from './drivers/postgres.js';
import { openSqlite } from './drivers/sqlite.js';
import { migrate } from './migrate.js';
import type { DatabaseKind } from './migrations.js';
import type { Schema } from './schema.js';

/**
 * The service's database, with the present schema. Queries heed the deadline of the request they are made for.
 *
 * @example
 * const row = await database.db.selectFrom('users').selectAll().where('id', '=', id).executeTakeFirst();
 */
export class Database implements OnApplicationShutdown {
  #isClosed = false;

  private constructor(
    readonly kind: DatabaseKind,
    readonly db: Kysely<Schema>,
  ) {}

  /**
   * Connects and runs the migrations that are missing.
   *
   * @throws Error with one line for the operator, without the password
   */
  static async open(config: DatabaseConfig): Promise<Database> {
    const address = parseDatabaseUrl(config.url);
    try {
      return await (address.kind === 'sqlite' ? openFile(address.file, config) : openServer(address.url, config));
    } catch (error) {
      throw new Error(`database ${address.display}: ${reasonOf(error)}`, { cause: error });
    }
  }

  /** Resolves when the database answers. */
  async check(): Promise<undefined> {
    await sql`select 1`.execute(this.db);
    return undefined;
  }

  /** Waits for running statements and closes all connections. May be called twice. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.db.destroy();
  }

  // Not earlier: in the hooks before this one calls are still running.
  onApplicationShutdown(): Promise<void> {
    return this.close();
  }

  /** @internal for `open`: private constructors are out of reach of the functions below. */
  static of(kind: DatabaseAddress['kind'], db: Kysely<Schema>): Database {
    return new Database(kind, db);
  }
}

async function openFile(file: string, config: DatabaseConfig): Promise<Database> {
  const db = kysely(openSqlite(file, config));
  await migrateOrClose(db, 'sqlite', config.migrationTimeoutMs);
  return Database.of('sqlite', db);
}

async function openServer(url: string, config: DatabaseConfig): Promise<Database> {
  const log = new Logger('Database');
  const onIdleError = (error: Error): void => log.warn(`an idle connection broke: ${error.message}`);
  // Migrations wait for other instances' and may take long: they get a connection with limits of their own.
  const limitMs = config.migrationTimeoutMs;
  const migrating = kysely(
    openPostgres(url, { ...config, poolSize: 1, statementTimeoutMs: limitMs, lockTimeoutMs: limitMs, onIdleError }),
  );
  await migrateOrClose(migrating, 'postgres', limitMs);
  await migrating.destroy();
  return Database.of('postgres', kysely(openPostgres(url, { ...config, onIdleError })));
}

async function migrateOrClose(db: Kysely<Schema>, kind: DatabaseKind, timeoutMs: number): Promise<void> {
  try {
    await migrate(db, kind, timeoutMs);
  } catch (error) {
    // Not awaited: a pool waits for its connections, and one of them may be why this failed.
    void db.destroy().catch(() => undefined);
    throw error;
  }
}

function kysely(dialect: Dialect): Kysely<Schema> {
  return new Kysely<Schema>({ dialect });
}

// The drivers' own words are the useful ones ("connect ECONNREFUSED …", "unable to open database file").
function reasonOf(error: unknown): string {
  const cause = RookeryError.is(error) ? error.cause : error;
  if (cause instanceof AggregateError) return cause.errors.map(reasonOf).join('; ');
  return cause instanceof Error ? cause.message : String(cause);
}
