import { IsInt, IsString, Max, Min } from 'class-validator';
import { ConfigPrefix, NeedsRestart, Secret } from 'rookery/core';

/** The section `database`. `DATABASE_URL` is short for `database.url`. */
@ConfigPrefix('database')
export class DatabaseConfig {
  /** `sqlite:<file>`, `sqlite::memory:` or `postgres://<user>:<password>@<host>:<port>/<database>`. */
  @IsString()
  @Secret()
  @NeedsRestart()
  readonly url: string = 'sqlite:.data/rookery.db';

  /** Most connections to PostgreSQL, 1 to 1000; SQLite has one. */
  @IsInt()
  @Min(1)
  @Max(1000)
  @NeedsRestart()
  readonly poolSize: number = 10;

  /** Time to get a connection, new or from the pool, in ms. */
  @IsInt()
  @Min(1)
  @NeedsRestart()
  readonly connectTimeoutMs: number = 5000;

  /** Time limit of one statement, in ms; the request's deadline may come earlier. PostgreSQL only. */
  @IsInt()
  @Min(1)
  @NeedsRestart()
  readonly statementTimeoutMs: number = 10_000;

  /** Time a statement waits for what others hold locked, in ms, up to a minute. */
  @IsInt()
  @Min(0)
  @Max(60_000)
  @NeedsRestart()
  readonly lockTimeoutMs: number = 5000;

  /** Time the migrations have at start, in ms, waiting for other instances included. */
  @IsInt()
  @Min(1)
  @NeedsRestart()
  readonly migrationTimeoutMs: number = 60_000;
}
