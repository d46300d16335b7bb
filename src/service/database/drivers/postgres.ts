import {
  type Dialect,
  type PostgresCursor,
  PostgresDialect,
  type PostgresPool,
  type PostgresPoolClient,
  type PostgresQueryResult,
} from 'kysely';
import pg from 'pg';
import { DatabaseTimeoutError, DatabaseUnavailableError, UniqueViolation } from '../database.errors.js';
import { queryDeadline } from '../detached.js';

/** Limits of the connections to PostgreSQL; times in ms. */
export interface PostgresOptions {
  readonly poolSize: number;
  readonly connectTimeoutMs: number;
  readonly statementTimeoutMs: number;
  readonly lockTimeoutMs: number;
  /** Told of a connection that broke while nobody used it; the pool replaces it. */
  readonly onIdleError: (error: Error) => void;
}

/** Kysely on a pool of connections to PostgreSQL. Connects at the first query. */
export function openPostgres(url: string, options: PostgresOptions): Dialect {
  const pool = new pg.Pool({
    connectionString: url,
    max: options.poolSize,
    connectionTimeoutMillis: options.connectTimeoutMs,
    statement_timeout: options.statementTimeoutMs,
    lock_timeout: options.lockTimeoutMs,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    application_name: 'rookery',
  });
  // Without a listener the error of an idle connection would end the process.
  pool.on('error', options.onIdleError);
  return new PostgresDialect({ pool: new DeadlinePool(pool) });
}

/**
 * Gives waiting up when the request's deadline passes or its caller goes: for a connection, and for a statement's
 * answer. A connection whose statement was left behind, or that broke, is closed when it comes back;
 * `statement_timeout` ends the statement on the server.
 */
class DeadlinePool implements PostgresPool {
  // Kysely reads them to open a second connection by which to cancel statements, which is not used here.
  readonly options = {};
  readonly #pool: pg.Pool;

  constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  async connect(): Promise<PostgresPoolClient> {
    try {
      const client = await untilDeadline(
        () => this.#pool.connect(),
        (late) => late.release(),
      );
      return new DeadlineClient(client);
    } catch (error) {
      throw translated(error);
    }
  }

  end(): Promise<void> {
    return this.#pool.end();
  }
}

class DeadlineClient implements PostgresPoolClient {
  readonly #client: pg.PoolClient;
  #isSpent = false;
  // The pool listens while nobody has the connection; without a listener a connection that breaks ends the process.
  readonly #onError = (): void => {
    this.#isSpent = true;
  };

  constructor(client: pg.PoolClient) {
    this.#client = client;
    client.on('error', this.#onError);
  }

  query<R>(text: string, parameters: readonly unknown[]): Promise<PostgresQueryResult<R>>;
  query<R>(cursor: PostgresCursor<R>): PostgresCursor<R>;
  query<R>(
    query: string | PostgresCursor<R>,
    parameters: readonly unknown[] = [],
  ): Promise<PostgresQueryResult<R>> | PostgresCursor<R> {
    if (typeof query !== 'string') throw new Error('streaming queries are not supported: read pages');
    return this.#query(query, parameters) as Promise<PostgresQueryResult<unknown>> as Promise<PostgresQueryResult<R>>;
  }

  release(destroy = false): void {
    const isOver = destroy || this.#isSpent;
    // One that is closed may report its end later still.
    if (!isOver) this.#client.off('error', this.#onError);
    this.#client.release(isOver);
  }

  async #query(text: string, parameters: readonly unknown[]): Promise<pg.QueryResult> {
    if (text === 'rollback' || text === 'commit') return this.#endTransaction(text);
    try {
      return await untilDeadline(
        () => this.#client.query(text, parameters as unknown[]),
        () => undefined,
        () => {
          this.#isSpent = true;
        },
      );
    } catch (error) {
      throw this.#translated(error);
    }
  }

  // A transaction is brought to its end whatever the deadline says. Closing a connection that was left behind in the
  // middle of a statement rolls back too, and does not wait for the statement.
  async #endTransaction(text: 'rollback' | 'commit'): Promise<pg.QueryResult> {
    if (this.#isSpent) return { command: 'ROLLBACK', rowCount: 0, rows: [], oid: 0, fields: [] };
    try {
      return await this.#client.query(text);
    } catch (error) {
      throw this.#translated(error);
    }
  }

  #translated(error: unknown): unknown {
    const known = translated(error);
    if (known instanceof DatabaseUnavailableError) this.#isSpent = true;
    return known;
  }
}

// `late` gets what comes when nobody waits for it any more.
async function untilDeadline<T>(start: () => Promise<T>, late: (value: T) => void, onLeave?: () => void): Promise<T> {
  const deadline = queryDeadline();
  if (deadline === undefined) return start();
  if (deadline.reason !== undefined) throw deadline.reason;
  const left = Promise.withResolvers<never>();
  const forget = deadline.onFire((reason) => left.reject(reason));
  const work = start();
  try {
    return await Promise.race([work, left.promise]);
  } catch (error) {
    if (error === deadline.reason) {
      onLeave?.();
      void work.then(late, () => undefined);
    }
    throw error;
  } finally {
    forget();
  }
}

// Classes and codes of https://www.postgresql.org/docs/15/errcodes-appendix.html
const timeoutCodes = new Set(['57014', '55P03']);
const unavailableCodes =
  /^(08...|57P0[123]|53300|ECONN(REFUSED|RESET)|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EPIPE|EHOSTUNREACH|ENOENT)$/;
// What the client reports of a connection that it lost or did not get has no code.
const unavailableMessages =
  /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error)/;

function translated(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { code, constraint } = error as { code?: unknown; constraint?: unknown };
  if (code === '23505') return new UniqueViolation(String(constraint), { cause: error });
  if (typeof code === 'string' && timeoutCodes.has(code)) return new DatabaseTimeoutError({ cause: error });
  const isUnavailable =
    typeof code === 'string' ? unavailableCodes.test(code) : unavailableMessages.test(error.message);
  return isUnavailable ? new DatabaseUnavailableError({ cause: error }) : error;
}
