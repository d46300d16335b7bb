import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Deadline, RequestContext, runInContext } from 'rookery/core';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Database, DatabaseConfig } from '../../src/service/database/index.js';
import { type TestPostgres, testPostgres } from '../support/postgres.js';
import { logsRepositoryContract } from './logs-repository.contract.js';
import { usersRepositoryContract } from './users-repository.contract.js';

const configFor = (url: string, changes: Partial<DatabaseConfig> = {}): DatabaseConfig => ({
  ...new DatabaseConfig(),
  url,
  ...changes,
});

describe('SQLite in memory', () => {
  const open = (): Promise<Database> => Database.open(configFor('sqlite::memory:'));
  usersRepositoryContract(open);
  logsRepositoryContract(open);
});

describe('SQLite in a file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rookery-contract-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const open = (): Promise<Database> => Database.open(configFor(`sqlite:${join(folder, 'rookery.db')}`));
  usersRepositoryContract(open);
  logsRepositoryContract(open);
});

describe('PostgreSQL', () => {
  let server: TestPostgres;
  beforeAll(async () => {
    server = await testPostgres();
  }, 300_000);
  afterAll(() => server.close());

  const openNew = async (changes: Partial<DatabaseConfig> = {}): Promise<Database> =>
    Database.open(configFor(await server.createDatabase(), changes));
  usersRepositoryContract(openNew);
  logsRepositoryContract(openNew);

  function requestContext(deadline: Deadline): RequestContext {
    return new RequestContext({ face: 'grpc', operation: '', peer: '', header: () => undefined, deadline });
  }

  it('lets instances that start together share the migrations', async () => {
    const url = await server.createDatabase();

    const databases = await Promise.all([1, 2, 3, 4, 5].map(() => Database.open(configFor(url))));

    const [first] = databases;
    const done = await first?.db
      .selectFrom('kysely_migration' as 'users')
      .select('name' as 'id')
      .execute();
    expect(done).toEqual([{ name: '0001_users' }, { name: '0002_logs' }]);
    for (const database of databases) await database.close();
  });

  it('gives up in time when another instance never ends its migrations', async () => {
    const url = await server.createDatabase();
    const other = await Database.open(configFor(url));

    await other.db.connection().execute(async (connection) => {
      // The lock that Kysely's migrator takes.
      await sql`select pg_advisory_lock(3853314791062309107)`.execute(connection);
      await expect(Database.open(configFor(url, { migrationTimeoutMs: 300 }))).rejects.toThrow(
        /^database postgres:.*(took longer than 300 ms|timeout)/,
      );
    });
    await other.close();
  });

  it('stops waiting for a statement when the deadline passes, and has a connection for the next', async () => {
    const database = await openNew({ poolSize: 1 });
    const deadline = new Deadline(100);

    const slow = runInContext(requestContext(deadline), () => sql`select pg_sleep(30)`.execute(database.db));

    await expect(slow).rejects.toMatchObject({ reason: 'DEADLINE_EXCEEDED' });
    await expect(database.check()).resolves.toBeUndefined();
    await database.close();
  });

  it('stops waiting for a connection when the caller goes', async () => {
    const database = await openNew({ poolSize: 1 });
    const held = Promise.withResolvers<void>();
    const holding = database.db.connection().execute(() => held.promise);
    const deadline = new Deadline(60_000);

    const waiting = runInContext(requestContext(deadline), () => database.check());
    deadline.cancel();

    await expect(waiting).rejects.toMatchObject({ reason: 'CANCELLED' });
    held.resolve();
    await holding;
    await expect(database.check()).resolves.toBeUndefined();
    await database.close();
  });

  it('rolls a transaction back whose statement was left behind', async () => {
    const database = await openNew();
    const deadline = new Deadline(150);

    const work = runInContext(requestContext(deadline), () =>
      database.db.transaction().execute(async (transaction) => {
        await transaction.insertInto('log_uploads').values({ started_at_ms: 1, committed: 0 }).execute();
        await sql`select pg_sleep(30)`.execute(transaction);
      }),
    );

    await expect(work).rejects.toMatchObject({ reason: 'DEADLINE_EXCEEDED' });
    expect(await database.db.selectFrom('log_uploads').select('id').execute()).toEqual([]);
    await database.close();
  });

  it('ends a statement that takes longer than the configuration allows', async () => {
    const database = await openNew({ statementTimeoutMs: 100 });

    await expect(sql`select pg_sleep(30)`.execute(database.db)).rejects.toMatchObject({ reason: 'DATABASE_TIMEOUT' });
    await database.close();
  });

  it('says UNAVAILABLE when its connections are cut, and goes on with new ones', async () => {
    const database = await openNew({ poolSize: 1 });

    const cut = sql`select pg_terminate_backend(pg_backend_pid())`.execute(database.db);

    await expect(cut).rejects.toMatchObject({ reason: 'DATABASE_UNAVAILABLE' });
    await expect(database.check()).resolves.toBeUndefined();
    await database.close();
  });

  it('cannot be opened with a wrong password, and says so without it', async () => {
    const url = Object.assign(new URL(server.url), { password: 'wr0ng' });

    const opening = Database.open(configFor(url.href));

    await expect(opening).rejects.toThrow(
      /^database postgres:\/\/127\.0\.0\.1:\d+\/postgres: password authentication failed/,
    );
    await expect(opening).rejects.not.toThrow(/wr0ng/);
  });

  it('cannot be opened where nobody listens', async () => {
    const probe = createServer().listen(0, '127.0.0.1');
    await once(probe, 'listening');
    const { port } = probe.address() as { port: number };
    probe.close();

    await expect(Database.open(configFor(`postgres://me:s3cret@127.0.0.1:${port}/shop`))).rejects.toThrow(
      new RegExp(`^database postgres://127\\.0\\.0\\.1:${port}/shop: connect ECONNREFUSED`),
    );
  });

  it('cannot be opened in time where somebody listens and says nothing', async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as { port: number };

    const opening = Database.open(configFor(`postgres://me:s3cret@127.0.0.1:${port}/shop`, { connectTimeoutMs: 200 }));

    await expect(opening).rejects.toThrow(/^database postgres:.*timeout/);
    for (const socket of sockets) socket.destroy();
    silent.close();
  });
});
