import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Database } from '../../src/service/database/index.js';
import { LogsRepository } from '../../src/service/logs/logs.repository.js';
import type { LogEntry } from '../../src/service/logs/log-entry.js';

const entry = (message: string, seconds: bigint, nanos = 0, source = 'web'): LogEntry => ({
  source,
  level: 'info',
  message,
  time: { seconds, nanos },
});

/** What `LogsRepository` does on every database. */
export function logsRepositoryContract(open: () => Promise<Database>): void {
  describe('logs', () => {
    let database: Database;
    let logs: LogsRepository;
    beforeAll(async () => {
      database = await open();
      logs = new LogsRepository(database);
    });
    beforeEach(() => database.db.deleteFrom('log_uploads').execute());
    afterAll(() => database.close());

    async function messages(): Promise<string[]> {
      return (await logs.page(undefined, 100, undefined)).map(({ message }) => message);
    }

    it('shows the entries of an upload from its commit on, and not before', async () => {
      const id = await logs.begin(1);
      await logs.append(id, [entry('a', 1n), entry('b', 2n)]);
      expect(await messages()).toEqual([]);

      await logs.commit(id);

      expect(await messages()).toEqual(['b', 'a']);
    });

    it('keeps uploads that run at the same time apart', async () => {
      const [first, second] = [await logs.begin(1), await logs.begin(1)];
      await logs.append(first, [entry('kept', 1n)]);
      await logs.append(second, [entry('gone', 2n)]);
      await logs.append(first, [entry('kept too', 3n)]);

      await logs.discard(second);
      await logs.commit(first);

      expect(await messages()).toEqual(['kept too', 'kept']);
    });

    it('discards uploads of any length, and none that is committed', async () => {
      const large = await logs.begin(1);
      for (let batch = 0; batch < 6; batch += 1) {
        await logs.append(
          large,
          Array.from({ length: 1000 }, (_, index) => entry(`${batch}/${index}`, 1n)),
        );
      }
      const committed = await logs.begin(1);
      await logs.commit(committed);

      await logs.discard(large);

      expect(await database.db.selectFrom('log_entries').select('message').limit(1).execute()).toEqual([]);
      expect(await database.db.selectFrom('log_uploads').select('committed').execute()).toEqual([{ committed: 1 }]);
    });

    it('names what was abandoned before a moment', async () => {
      const old = await logs.begin(1000);
      await logs.begin(3000);
      await logs.commit(await logs.begin(1000));

      expect(await logs.abandoned(2000)).toEqual([old]);
    });

    it('keeps the nanosecond, from the year 1 to 9999', async () => {
      const id = await logs.begin(1);
      await logs.append(id, [entry('first', -62_135_596_800n, 1), entry('last', 253_402_300_799n, 999_999_999)]);
      await logs.commit(id);

      expect((await logs.page(undefined, 10, undefined)).map(({ time }) => time)).toEqual([
        { seconds: 253_402_300_799n, nanos: 999_999_999 },
        { seconds: -62_135_596_800n, nanos: 1 },
      ]);
    });

    it('pages the newest first without repeating or leaving out entries of the same time', async () => {
      const id = await logs.begin(1);
      const times = [5n, 5n, 5n, 4n, 6n, 5n, 5n];
      await logs.append(
        id,
        times.map((seconds, index) => entry(`${index}`, seconds, index === 5 ? 1 : 0)),
      );
      await logs.commit(id);

      const pages: string[][] = [];
      for (let page = await logs.page(undefined, 2, undefined); page.length > 0; ) {
        pages.push(page.map(({ message }) => message));
        const last = page[page.length - 1] ?? entry('', 0n);
        const lastId = 'id' in last && typeof last.id === 'bigint' ? last.id : 0n;
        const after = [last.time.seconds, BigInt(last.time.nanos), lastId] as const;
        page = await logs.page(after, 2, undefined);
      }

      expect(pages).toEqual([['4', '5'], ['6', '2'], ['1', '0'], ['3']]);
    });

    it('filters by source', async () => {
      const id = await logs.begin(1);
      await logs.append(id, [entry('a', 1n, 0, 'web'), entry('b', 2n, 0, 'db'), entry('c', 3n, 0, 'web')]);
      await logs.commit(id);

      expect((await logs.page(undefined, 10, 'web')).map(({ message }) => message)).toEqual(['c', 'a']);
      expect(await logs.page(undefined, 10, 'Web')).toEqual([]);
    });
  });
}
