import type { ColumnType, GeneratedAlways } from 'kysely';

/**
 * An int64 column. Both databases take it as text; they return it differently, so that queries select it as
 * `cast(… as text)`, qualify it in `order by`, and never lose digits above 2^53.
 */
export type Int64 = ColumnType<string, string | bigint | number, string | bigint | number>;

/** Table `users`. */
export interface UsersTable {
  readonly id: GeneratedAlways<string>;
  readonly display_name: string;
  readonly email: string;
  /** The email in the form in which it is compared; unique. */
  readonly email_key: string;
  readonly role: string;
  readonly age: number | null;
  readonly created_at_ms: Int64;
}

/** Table `log_uploads`: one row per upload. The entries of one that is not committed are invisible. */
export interface LogUploadsTable {
  readonly id: GeneratedAlways<string>;
  readonly started_at_ms: Int64;
  /** 0 or 1: SQLite has no boolean. */
  readonly committed: number;
}

/** Table `log_entries`. */
export interface LogEntriesTable {
  readonly id: GeneratedAlways<string>;
  readonly upload_id: Int64;
  readonly source: string;
  readonly level: string;
  readonly message: string;
  readonly time_seconds: Int64;
  readonly time_nanos: number;
}

/** All tables. */
export interface Schema {
  readonly users: UsersTable;
  readonly log_uploads: LogUploadsTable;
  readonly log_entries: LogEntriesTable;
}
