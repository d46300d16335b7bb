import { type ColumnDefinitionBuilder, type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

/** The databases the service runs on. */
export type DatabaseKind = 'sqlite' | 'postgres';

/**
 * All steps from nothing to the present schema, by name and run in the order of their names. A step that has been
 * released is never changed: the next one mends it.
 */
export function migrationsFor(kind: DatabaseKind): Record<string, Migration> {
  const idType = kind === 'postgres' ? 'bigint' : 'integer';
  const idColumn = (column: ColumnDefinitionBuilder): ColumnDefinitionBuilder =>
    // SQLite without `autoincrement` would give the id of a removed last row again.
    kind === 'postgres' ? column.generatedAlwaysAsIdentity().primaryKey() : column.autoIncrement().primaryKey();

  return {
    '0001_users': {
      async up(db: Kysely<unknown>): Promise<void> {
        await db.schema
          .createTable('users')
          .addColumn('id', idType, idColumn)
          .addColumn('display_name', 'text', (column) => column.notNull())
          .addColumn('email', 'text', (column) => column.notNull())
          .addColumn('email_key', 'text', (column) => column.notNull())
          .addColumn('role', 'text', (column) => column.notNull())
          .addColumn('age', 'integer')
          .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
          .addUniqueConstraint('users_email_key', ['email_key'])
          .addCheckConstraint('users_role_known', sql`role in ('developer', 'operator', 'viewer')`)
          .addCheckConstraint('users_age_in_range', sql`age between 0 and 150`)
          .execute();
      },
    },
    '0002_logs': {
      async up(db: Kysely<unknown>): Promise<void> {
        await db.schema
          .createTable('log_uploads')
          .addColumn('id', idType, idColumn)
          .addColumn('started_at_ms', 'bigint', (column) => column.notNull())
          .addColumn('committed', 'integer', (column) => column.notNull().defaultTo(0))
          .execute();
        await db.schema
          .createTable('log_entries')
          .addColumn('id', idType, idColumn)
          .addColumn('upload_id', 'bigint', (column) =>
            column.notNull().references('log_uploads.id').onDelete('cascade'),
          )
          .addColumn('source', 'text', (column) => column.notNull())
          .addColumn('level', 'text', (column) => column.notNull())
          .addColumn('message', 'text', (column) => column.notNull())
          .addColumn('time_seconds', 'bigint', (column) => column.notNull())
          .addColumn('time_nanos', 'integer', (column) => column.notNull())
          .execute();
        await db.schema
          .createIndex('log_entries_time')
          .on('log_entries')
          .columns(['time_seconds', 'time_nanos', 'id'])
          .execute();
        await db.schema
          .createIndex('log_entries_source_time')
          .on('log_entries')
          .columns(['source', 'time_seconds', 'time_nanos', 'id'])
          .execute();
        await db.schema.createIndex('log_entries_upload').on('log_entries').column('upload_id').execute();
      },
    },
  };
}
