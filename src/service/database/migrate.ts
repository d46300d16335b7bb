import type { Kysely } from 'kysely';
import { Migrator } from 'kysely/migration';
import { type DatabaseKind, migrationsFor } from './migrations.js';
import type { Schema } from './schema.js';

/**
 * Brings the schema to its present form. Instances that start together wait for each other: on PostgreSQL by an
 * advisory lock, on SQLite by the write lock that each transaction takes.
 *
 * @throws Error a step failed, in which case none of its work stays; `timeoutMs` passed; or the database is ahead of
 *   this program
 */
export async function migrate(db: Kysely<Schema>, kind: DatabaseKind, timeoutMs: number): Promise<void> {
  const migrator = new Migrator({ db, provider: { getMigrations: () => Promise.resolve(migrationsFor(kind)) } });
  const expired = Promise.withResolvers<never>();
  const timer = setTimeout(() => expired.reject(new Error(`migrations took longer than ${timeoutMs} ms`)), timeoutMs);
  try {
    const { error, results } = await Promise.race([migrator.migrateToLatest(), expired.promise]);
    if (error === undefined) return;
    const step = results?.find((result) => result.status === 'Error')?.migrationName;
    if (step !== undefined) throw new Error(`migration ${step} failed: ${messageOf(error)}`, { cause: error });
    throw error instanceof Error ? error : new Error(messageOf(error));
  } finally {
    clearTimeout(timer);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
