import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Database } from '../../src/service/database/index.js';
import { UsersRepository } from '../../src/service/users/users.repository.js';
import type { UserFields } from '../../src/service/users/user.js';

const alice: UserFields = { displayName: 'Alice', email: 'Alice@Example.com', role: 'developer', age: 34 };
const bob: UserFields = { displayName: 'Bob', email: 'bob@example.com', role: 'operator', age: undefined };

/** What `UsersRepository` does on every database. */
export function usersRepositoryContract(open: () => Promise<Database>): void {
  describe('users', () => {
    let database: Database;
    let users: UsersRepository;
    beforeAll(async () => {
      database = await open();
      users = new UsersRepository(database);
    });
    beforeEach(() => database.db.deleteFrom('users').execute());
    afterAll(() => database.close());

    it('gives back what was stored', async () => {
      const stored = await users.insert(alice, 1_700_000_000_123);

      expect(stored).toEqual({ ...alice, id: expect.stringMatching(/^[1-9]\d*$/), createdAtMs: 1_700_000_000_123 });
      expect(await users.find(stored.id)).toEqual(stored);
    });

    it('tells an absent age from 0', async () => {
      const { id } = await users.insert(bob, 1);
      const newborn = await users.insert({ ...alice, age: 0 }, 1);

      expect((await users.find(id))?.age).toBeUndefined();
      expect((await users.find(newborn.id))?.age).toBe(0);
    });

    it('finds nobody under an id that nobody has, up to the largest int64', async () => {
      for (const id of ['999999', '9223372036854775807']) {
        expect(await users.find(id)).toBeUndefined();
        expect(await users.update(id, { role: 'viewer' })).toBeUndefined();
        expect(await users.remove(id)).toBeUndefined();
      }
    });

    it('refuses an email that differs in letter case only', async () => {
      const first = await users.insert(alice, 1);
      const second = await users.insert(bob, 1);
      const taken = { reason: 'USER_EMAIL_TAKEN', message: 'email ALICE@example.com is taken' };

      await expect(users.insert({ ...bob, email: 'ALICE@example.com' }, 1)).rejects.toMatchObject(taken);
      await expect(users.update(second.id, { email: 'ALICE@example.com' })).rejects.toMatchObject(taken);
      expect(await users.update(first.id, { email: 'ALICE@example.com' })).toMatchObject({
        email: 'ALICE@example.com',
      });
    });

    it('makes one user of many who want the same email at the same time', async () => {
      const results = await Promise.allSettled(Array.from({ length: 10 }, () => users.insert(alice, 1)));

      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      expect(await users.page(0n, 100)).toHaveLength(1);
    });

    it('changes the named fields and no others', async () => {
      const { id } = await users.insert(alice, 5);

      expect(await users.update(id, { displayName: 'Al', age: undefined })).toEqual({
        ...alice,
        id,
        createdAtMs: 5,
        displayName: 'Al',
        age: undefined,
      });
      expect(await users.update(id, {})).toMatchObject({ displayName: 'Al' });
    });

    it('gives a removed user back once, and its id never again', async () => {
      const stored = await users.insert(alice, 1);

      expect(await users.remove(stored.id)).toEqual(stored);
      expect(await users.remove(stored.id)).toBeUndefined();
      expect(BigInt((await users.insert(alice, 1)).id)).toBeGreaterThan(BigInt(stored.id));
    });

    it('pages in the order of numbers, not of their digits', async () => {
      const ids: string[] = [];
      for (let index = 0; index < 12; index += 1)
        ids.push((await users.insert({ ...bob, email: `u${index}@example.com` }, 1)).id);

      const first = await users.page(0n, 7);
      const second = await users.page(BigInt(first.at(-1)?.id ?? 0), 7);

      expect([...first, ...second].map(({ id }) => id)).toEqual(ids);
      expect(await users.page(2n ** 63n - 1n, 7)).toEqual([]);
    });

    it('seeds an empty table once, however many do it', async () => {
      await Promise.all([1, 2, 3].map(() => users.seed([alice, bob], 1)));
      expect((await users.page(0n, 10)).map(({ displayName }) => displayName)).toEqual(['Alice', 'Bob']);

      await database.db.deleteFrom('users').where('email', '=', alice.email).execute();
      await users.seed([alice, bob], 1);
      expect(await users.page(0n, 10)).toHaveLength(1);
    });

    it('keeps text of any script as it is', async () => {
      const displayName = "Ærøskøbing 😀 مرحبا '; drop table users; --";
      const { id } = await users.insert({ ...alice, displayName }, 1);

      expect((await users.find(id))?.displayName).toBe(displayName);
    });
  });
}
