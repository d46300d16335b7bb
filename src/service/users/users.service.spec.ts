import { Lifecycle, LiveValue } from 'rookery/core';
import { Deadline, RequestContext, runInContext } from 'rookery/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UserChange_Kind } from '../../gen/user/service/v1/user_pb.js';
import { Database, DatabaseConfig } from '../database/index.js';
import { pageTokenAfter, PagingConfig } from '../paging/index.js';
import type { UserFields } from './user.js';
import { UsersHub } from './users-hub.js';
import { UsersRepository } from './users.repository.js';
import { UsersService } from './users.service.js';

const fields = (name: string): UserFields => ({
  displayName: name,
  email: `${name}@example.com`,
  role: 'viewer',
  age: undefined,
});

async function all<T>(values: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const value of values) list.push(value);
  return list;
}

describe('UsersService', () => {
  let database: Database;
  let hub: UsersHub;
  let lifecycle: Lifecycle;
  let users: UsersService;
  const paging = new LiveValue<PagingConfig>(new PagingConfig());

  beforeEach(async () => {
    database = await Database.open({ ...new DatabaseConfig(), url: 'sqlite::memory:' });
    lifecycle = new Lifecycle();
    hub = new UsersHub(lifecycle);
    paging.publish(new PagingConfig());
    users = new UsersService(new UsersRepository(database), hub, paging);
  });
  afterEach(() => database.close());

  it('creates a user whom it then knows', async () => {
    const before = Date.now();

    const created = await users.create({ ...fields('ann'), age: 7 });

    expect(created).toMatchObject({ id: '1', displayName: 'ann', email: 'ann@example.com', role: 'viewer', age: 7 });
    expect(Number(created.createdAt?.seconds)).toBeGreaterThanOrEqual(Math.floor(before / 1000));
    expect(await users.get('1')).toEqual(created);
  });

  it('says which user is missing', async () => {
    const missing = { reason: 'USER_NOT_FOUND', message: 'user 9 not found', metadata: { id: '9' } };

    await expect(users.get('9')).rejects.toMatchObject(missing);
    await expect(users.update('9', { displayName: 'x' })).rejects.toMatchObject(missing);
    await expect(users.remove('9')).rejects.toMatchObject(missing);
  });

  it('lists page by page until there is no token', async () => {
    for (const name of ['a', 'b', 'c', 'd', 'e']) await users.create(fields(name));

    const pages: string[][] = [];
    let token = '';
    do {
      const page = await users.list(2, token);
      pages.push((page.users ?? []).map(({ displayName }) => displayName ?? ''));
      token = page.nextPageToken ?? '';
    } while (token !== '');

    expect(pages).toEqual([['a', 'b'], ['c', 'd'], ['e']]);
  });

  it('gives no token with a page that ends exactly at the last user', async () => {
    for (const name of ['a', 'b']) await users.create(fields(name));

    expect(await users.list(2, '')).toMatchObject({ nextPageToken: '' });
  });

  it.each([-1n, 0n, 2n ** 63n, 9_999_999_999_999_999_999n])(
    'refuses a page token forged with the id %s',
    async (id) => {
      await expect(users.list(2, pageTokenAfter('users', [id]))).rejects.toMatchObject({
        reason: 'VALIDATION_FAILED',
        violations: [expect.objectContaining({ field: 'pageToken' })],
      });
    },
  );

  it('holds pages to the maximum of the moment', async () => {
    for (const name of ['a', 'b', 'c']) await users.create(fields(name));

    expect((await users.list(1000, '')).users).toHaveLength(3);
    paging.publish({ maxPageSize: 2 });

    expect((await users.list(1000, '')).users).toHaveLength(2);
    expect((await users.list(0, '')).users).toHaveLength(2);
  });

  it('tells watchers of committed changes, in order, and of failed ones nothing', async () => {
    const watch = users.watch(false);
    const first = watch.next();
    await users.create(fields('ann'));
    await expect(users.create(fields('ann'))).rejects.toMatchObject({ reason: 'USER_EMAIL_TAKEN' });
    await users.update('1', { role: 'operator' });
    await users.remove('1');

    const changes = [await first, await watch.next(), await watch.next()].map(({ value }) => value ?? {});

    expect(changes).toMatchObject([
      { kind: UserChange_Kind.UPSERTED, user: { id: '1', role: 'viewer' } },
      { kind: UserChange_Kind.UPSERTED, user: { id: '1', role: 'operator' } },
      { kind: UserChange_Kind.DELETED, user: { id: '1', role: 'operator' } },
    ]);
    await watch.return();
    expect(hub.size).toBe(0);
  });

  it('shows a new watcher the users there are, more than a page of them', async () => {
    await database.db.transaction().execute(async (transaction) => {
      for (let index = 0; index < 250; index += 1) {
        const name = `u${index}`;
        const values = {
          display_name: name,
          email: name,
          email_key: name,
          role: 'viewer',
          age: null,
          created_at_ms: 1,
        };
        await transaction.insertInto('users').values(values).execute();
      }
    });
    lifecycle.signalDrain();

    const changes = await all(users.watch(true));

    expect(changes.map(({ user }) => user?.displayName)).toEqual(
      Array.from({ length: 250 }, (_, index) => `u${index}`),
    );
  });

  it('ends a watch when the caller goes', async () => {
    const deadline = new Deadline(60_000);
    const context = new RequestContext({ face: 'grpc', operation: '', peer: '', header: () => undefined, deadline });
    const watch = runInContext(context, () => users.watch(false));
    const next = watch.next();

    deadline.cancel();

    expect(await next).toEqual({ value: undefined, done: true });
    expect(hub.size).toBe(0);
  });

  it('ends all watches when the process drains', async () => {
    const waiting = [users.watch(false).next(), users.watch(false).next()];

    lifecycle.signalDrain();

    for (const result of await Promise.all(waiting)) expect(result.done).toBe(true);
  });

  it('fails a watcher that reads too slowly, rather than leave changes out', async () => {
    const watch = users.watch(false);
    const first = watch.next();
    await users.create(fields('ann'));
    await first;
    for (let index = 0; index < 1025; index += 1) {
      hub.publish({ kind: 'upserted', user: { ...fields('ann'), id: '1', createdAtMs: 1 } });
    }

    await expect(watch.next()).rejects.toMatchObject({ reason: 'USER_WATCH_OVERRUN', metadata: { missed: '1' } });
    expect(hub.size).toBe(0);
  });
});
