import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Deadline, RequestContext, runInContext } from 'rookery/core';
import { afterEach, describe, expect, it } from 'vitest';
import { Database } from './database.js';
import { DatabaseConfig } from './database.config.js';
import { detached } from './detached.js';

const configFor = (url: string): DatabaseConfig => ({ ...new DatabaseConfig(), url });

describe('Database on SQLite', () => {
  const cleanups: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });

  async function folder(): Promise<string> {
    const path = await mkdtemp(join(tmpdir(), 'rookery-database-'));
    cleanups.push(() => rm(path, { recursive: true }));
    return path;
  }

  async function open(url: string): Promise<Database> {
    const database = await Database.open(configFor(url));
    cleanups.push(() => database.close());
    return database;
  }

  it('makes the folder of the file, and finds its data again', async () => {
    const url = `sqlite:${join(await folder(), 'deep/er/rookery.db')}`;
    const first = await open(url);
    await first.db.insertInto('log_uploads').values({ started_at_ms: 7, committed: 1 }).execute();
    await first.close();

    const second = await open(url);

    expect(await second.db.selectFrom('log_uploads').select('committed').execute()).toEqual([{ committed: 1 }]);
  });

  it('lets instances that start together share the migrations', async () => {
    const url = `sqlite:${join(await folder(), 'rookery.db')}`;

    const databases = await Promise.all([1, 2, 3, 4].map(() => open(url)));

    for (const database of databases) expect(await database.db.selectFrom('users').select('id').execute()).toEqual([]);
  });

  it('says in one line why it cannot be opened', async () => {
    const path = await folder();

    await expect(Database.open(configFor(`sqlite:${path}`))).rejects.toThrow(
      `database sqlite:${path}: unable to open database file`,
    );
  });

  it('says in one line why its folder cannot be made, also where the system takes none', async () => {
    await expect(Database.open(configFor('sqlite:/proc/nope/x'))).rejects.toThrow(
      /^database sqlite:\/proc\/nope\/x: ENOENT: .*mkdir '\/proc\/nope'$/,
    );
  });

  it('refuses a database that a newer program has changed', async () => {
    const url = `sqlite:${join(await folder(), 'rookery.db')}`;
    const newer = await open(url);
    await newer.db
      .insertInto('kysely_migration' as 'users')
      .values({ name: '9999_later', timestamp: '2030-01-01T00:00:00.000Z' } as never)
      .execute();

    await expect(Database.open(configFor(url))).rejects.toThrow(/previously executed migration 9999_later is missing/);
  });

  it('says which migration failed, and keeps nothing of it', async () => {
    const url = `sqlite:${join(await folder(), 'rookery.db')}`;
    const other = new DatabaseSync(url.slice('sqlite:'.length));
    other.exec('create table log_entries (mine text)');
    other.close();

    await expect(Database.open(configFor(url))).rejects.toThrow(
      /^database sqlite:.*: migration 0002_logs failed: table "log_entries" already exists/,
    );

    const after = new DatabaseSync(url.slice('sqlite:'.length));
    expect(after.prepare(`select name from sqlite_master where type = 'table' and name like 'log%'`).all()).toEqual([
      { name: 'log_entries' },
    ]);
    after.close();
  });

  it('starts no query for a request whose time is up, except detached ones', async () => {
    const database = await open('sqlite::memory:');
    const deadline = new Deadline(60_000);
    cleanups.push(async () => deadline.close());
    const context = new RequestContext({ face: 'grpc', operation: '', peer: '', header: () => undefined, deadline });
    deadline.cancel();

    await expect(runInContext(context, () => database.check())).rejects.toBe(deadline.reason);
    await expect(runInContext(context, () => detached(() => database.check()))).resolves.toBeUndefined();
  });

  it('rolls a transaction back whose request has gone meanwhile', async () => {
    const database = await open('sqlite::memory:');
    const deadline = new Deadline(60_000);
    cleanups.push(async () => deadline.close());
    const context = new RequestContext({ face: 'grpc', operation: '', peer: '', header: () => undefined, deadline });

    const work = runInContext(context, () =>
      database.db.transaction().execute(async (transaction) => {
        await transaction.insertInto('log_uploads').values({ started_at_ms: 1, committed: 0 }).execute();
        deadline.cancel();
        context.signal.throwIfAborted();
      }),
    );

    await expect(work).rejects.toMatchObject({ reason: 'CANCELLED' });
    expect(await database.db.selectFrom('log_uploads').select('id').execute()).toEqual([]);
  });

  it('is closed twice without complaint', async () => {
    const database = await open('sqlite::memory:');

    await database.close();
    await database.close();

    await expect(database.check()).rejects.toThrow('driver has already been destroyed');
  });
});
