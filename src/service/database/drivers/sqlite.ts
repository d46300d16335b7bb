import { dirname } from 'node:path';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { setTimeout } from 'node:timers/promises';
import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type DialectAdapter,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  type SqliteDatabase,
  SqliteDialect,
  type SqliteDialectConfig,
  SqliteDriver,
  type SqliteStatement,
} from 'kysely';
import { makeFolder } from '../../folders/index.js';
import { DatabaseTimeoutError, UniqueViolation } from '../database.errors.js';
import { inMemory } from '../database-url.js';
import { queryDeadline } from '../detached.js';

// Of the queries of a service there are some dozens; the bound is for a text that is made anew each time.
const maxPreparedStatements = 256;

/** SQLite's extended result codes that are told apart, see https://www.sqlite.org/rescode.html. */
const resultCodes = { busy: 5, locked: 6, constraintPrimaryKey: 1555, constraintUnique: 2067 } as const;

/** Kysely on Node's own SQLite. The file's folder is made if need be. */
export function openSqlite(file: string, options: { readonly lockTimeoutMs: number }): Dialect {
  if (file !== inMemory) makeFolder(dirname(file));
  const database = new DatabaseSync(file, { timeout: options.lockTimeoutMs, enableForeignKeyConstraints: true });
  // WAL: readers and a writer do not hold each other up. NORMAL: a commit survives the process; after a loss of power
  // the last ones may be missing, the file stays whole.
  // From here on nobody waits inside SQLite, where the whole process would stand still: see PatientConnection.
  database.exec('pragma journal_mode = wal; pragma synchronous = normal; pragma busy_timeout = 0;');
  return new NodeSqliteDialect({ database: new NodeSqliteDatabase(database) }, database, options.lockTimeoutMs);
}

class NodeSqliteDialect extends SqliteDialect {
  readonly #config: SqliteDialectConfig;
  readonly #database: DatabaseSync;
  readonly #lockTimeoutMs: number;

  constructor(config: SqliteDialectConfig, database: DatabaseSync, lockTimeoutMs: number) {
    super(config);
    this.#config = config;
    this.#database = database;
    this.#lockTimeoutMs = lockTimeoutMs;
  }

  override createDriver(): Driver {
    return new PatientSqliteDriver(this.#config, this.#database, this.#lockTimeoutMs);
  }

  override createAdapter(): DialectAdapter {
    return new TransactionalDdlAdapter();
  }
}

/**
 * Transactions take the write lock when they begin: one that took it at its first write could fail there, as another
 * process may have written since it began to read. It also makes the transaction of the migrations their lock.
 */
class PatientSqliteDriver extends SqliteDriver {
  readonly #database: DatabaseSync;
  readonly #lockTimeoutMs: number;
  #connection: DatabaseConnection | undefined;

  constructor(config: SqliteDialectConfig, database: DatabaseSync, lockTimeoutMs: number) {
    super(config);
    this.#database = database;
    this.#lockTimeoutMs = lockTimeoutMs;
  }

  override async acquireConnection(): Promise<DatabaseConnection> {
    this.#connection ??= new PatientConnection(await super.acquireConnection(), this.#database, this.#lockTimeoutMs);
    return this.#connection;
  }

  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('begin immediate'));
  }
}

/**
 * Waits for the lock that another process holds, without stopping this one. What found the database locked has done
 * nothing, so it is tried again; inside a transaction the lock is held already.
 */
class PatientConnection implements DatabaseConnection {
  readonly #inner: DatabaseConnection;
  readonly #database: DatabaseSync;
  readonly #lockTimeoutMs: number;

  constructor(inner: DatabaseConnection, database: DatabaseSync, lockTimeoutMs: number) {
    this.#inner = inner;
    this.#database = database;
    this.#lockTimeoutMs = lockTimeoutMs;
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    const startedAtMs = performance.now();
    for (;;) {
      try {
        return await this.#inner.executeQuery<R>(query);
      } catch (error) {
        const isLocked = error instanceof DatabaseTimeoutError && !this.#database.isTransaction;
        if (!isLocked || performance.now() - startedAtMs >= this.#lockTimeoutMs) throw error;
        // Not in step with others who wait for the same lock.
        await setTimeout(1 + Math.random() * 10);
      }
    }
  }

  streamQuery<R>(query: CompiledQuery, chunkSize: number): AsyncIterableIterator<QueryResult<R>> {
    return this.#inner.streamQuery(query, chunkSize);
  }
}

class TransactionalDdlAdapter extends SqliteAdapter {
  // SQLite rolls back `create table` like anything else; Kysely is careful here for others.
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

class NodeSqliteDatabase implements SqliteDatabase {
  readonly #database: DatabaseSync;
  readonly #prepared = new Map<string, NodeSqliteStatement>();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  prepare(sql: string): SqliteStatement {
    this.#heedDeadline();
    const known = this.#prepared.get(sql);
    if (known !== undefined) return known;
    const statement = translating(() => new NodeSqliteStatement(this.#database.prepare(sql)));
    if (this.#prepared.size >= maxPreparedStatements) this.#prepared.clear();
    this.#prepared.set(sql, statement);
    return statement;
  }

  close(): void {
    this.#prepared.clear();
    this.#database.close();
  }

  // A statement cannot be interrupted, the queue of those before it takes the time. In a transaction the rest is
  // let through: `rollback` and `commit` too are statements.
  #heedDeadline(): void {
    const reason = queryDeadline()?.reason;
    if (reason !== undefined && !this.#database.isTransaction) throw reason;
  }
}

class NodeSqliteStatement implements SqliteStatement {
  readonly reader: boolean;
  readonly #statement: StatementSync;

  constructor(statement: StatementSync) {
    this.#statement = statement;
    this.reader = statement.columns().length > 0;
  }

  all(parameters: readonly unknown[]): unknown[] {
    return translating(() => this.#statement.all(...(parameters as SQLInputValue[])));
  }

  run(parameters: readonly unknown[]): { changes: number | bigint; lastInsertRowid: number | bigint } {
    return translating(() => this.#statement.run(...(parameters as SQLInputValue[])));
  }

  iterate(): IterableIterator<unknown> {
    // A statement that is prepared once can be read by one reader at a time only.
    throw new Error('streaming queries are not supported on SQLite: read pages');
  }
}

function translating<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw translated(error);
  }
}

function translated(error: unknown): unknown {
  if (!(error instanceof Error) || !('errcode' in error)) return error;
  const code = error.errcode as number;
  if (code === resultCodes.constraintUnique || code === resultCodes.constraintPrimaryKey) {
    return new UniqueViolation(constraintOf(error.message), { cause: error });
  }
  // The low byte is the plain code of an extended one, such as SQLITE_BUSY_SNAPSHOT.
  const plain = code & 0xff;
  return plain === resultCodes.busy || plain === resultCodes.locked
    ? new DatabaseTimeoutError({ cause: error })
    : error;
}

// "UNIQUE constraint failed: users.email_key" names table and columns, not the constraint.
function constraintOf(message: string): string {
  const columns = message.split(': ').at(-1)?.split(', ') ?? [];
  const table = columns[0]?.split('.')[0] ?? '';
  return [table, ...columns.map((column) => column.split('.').at(-1) ?? '')].join('_');
}
