import { constant, Deadline, LiveValue, RequestContext, runInContext } from 'rookery/core';
import { ValidationError } from 'rookery/pipeline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Database, DatabaseConfig } from '../database/index.js';
import { pageTokenAfter, PagingConfig } from '../paging/index.js';
import { LogsConfig } from './logs.config.js';
import { LogsRepository } from './logs.repository.js';
import { LogsService, type SentLogEntry } from './logs.service.js';

const entry = (message: string, seconds?: bigint, level = 'info'): SentLogEntry => ({
  source: 'web',
  level,
  message,
  time: seconds === undefined ? undefined : { seconds, nanos: 0 },
});

async function* streamOf<T>(...values: readonly T[]): AsyncGenerator<T> {
  yield* values;
}

describe('LogsService', () => {
  let database: Database;
  let logs: LogsService;
  const config = new LiveValue(new LogsConfig());

  beforeEach(async () => {
    database = await Database.open({ ...new DatabaseConfig(), url: 'sqlite::memory:' });
    config.publish({ ...new LogsConfig(), batchSize: 3 });
    logs = new LogsService(new LogsRepository(database), config, constant(new PagingConfig()));
  });
  afterEach(() => database.close());

  async function stored(): Promise<string[]> {
    return ((await logs.list(100, '', '')).entries ?? []).map(({ message }) => message ?? '');
  }

  async function rows(): Promise<number> {
    const entries = await database.db.selectFrom('log_entries').select('level').execute();
    const uploads = await database.db.selectFrom('log_uploads').select('committed').execute();
    return entries.length + uploads.length;
  }

  it('stores a stream of several batches and sums it up', async () => {
    const entries = [entry('a', 3n), entry('b', 1n, 'error'), entry('c', 5n), entry('d', 4n, 'error'), entry('e', 2n)];

    const summary = await logs.upload(streamOf(...entries));

    expect(summary).toEqual({
      accepted: 5n,
      acceptedByLevel: { info: 3n, error: 2n },
      firstTime: { seconds: 1n, nanos: 0 },
      lastTime: { seconds: 5n, nanos: 0 },
    });
    expect(await stored()).toEqual(['c', 'd', 'a', 'e', 'b']);
  });

  it('takes an empty stream', async () => {
    expect(await logs.upload(streamOf())).toEqual({ accepted: 0n, acceptedByLevel: {} });
  });

  it('dates an entry without a time at its arrival', async () => {
    const before = Math.floor(Date.now() / 1000);

    const { firstTime } = await logs.upload(streamOf(entry('now')));

    expect(Number(firstTime?.seconds)).toBeGreaterThanOrEqual(before);
  });

  it('stores nothing of a stream with a wrong entry, and says which it was', async () => {
    async function* stream(): AsyncGenerator<SentLogEntry> {
      for (let index = 0; index < 7; index += 1) yield entry(`${index}`, 1n);
      throw new ValidationError([{ field: 'level', rule: 'isIn', message: 'level must be one of …' }]);
    }

    await expect(logs.upload(stream())).rejects.toMatchObject({
      reason: 'VALIDATION_FAILED',
      violations: [{ field: '[7].level', rule: 'isIn', message: '[7].level must be one of …' }],
    });
    expect(await rows()).toBe(0);
  });

  it('stores nothing when the caller goes, also when the stream then looks complete', async () => {
    const deadline = new Deadline(60_000);
    const context = new RequestContext({ face: 'grpc', operation: '', peer: '', header: () => undefined, deadline });
    async function* stream(): AsyncGenerator<SentLogEntry> {
      for (let index = 0; index < 4; index += 1) yield entry(`${index}`, 1n);
      deadline.cancel();
    }

    await expect(runInContext(context, () => logs.upload(stream()))).rejects.toMatchObject({ reason: 'CANCELLED' });

    expect(await rows()).toBe(0);
  });

  it('refuses more entries than the limit, and stores none of them', async () => {
    config.publish({ maxEntriesPerUpload: 4, batchSize: 2 });
    expect(await logs.upload(streamOf(...Array.from({ length: 4 }, () => entry('x', 1n))))).toMatchObject({
      accepted: 4n,
    });

    const tooMany = logs.upload(streamOf(...Array.from({ length: 5 }, () => entry('y', 1n))));

    await expect(tooMany).rejects.toMatchObject({ reason: 'LOG_UPLOAD_TOO_LARGE' });
    expect(await stored()).toEqual(['x', 'x', 'x', 'x']);
  });

  it('keeps streams that come in turns apart', async () => {
    const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    async function* slow(): AsyncGenerator<SentLogEntry> {
      for (let index = 0; index < 4; index += 1) yield entry(`slow ${index}`, 1n);
      gates[0]?.resolve();
      await gates[1]?.promise;
      throw new Error('broken off');
    }
    const failing = logs.upload(slow());
    failing.catch(() => undefined);
    await gates[0]?.promise;

    await logs.upload(streamOf(entry('fast', 2n)));
    expect(await stored()).toEqual(['fast']);
    gates[1]?.resolve();

    await expect(failing).rejects.toThrow('broken off');
    expect(await stored()).toEqual(['fast']);
  });

  it('pages newest first, and refuses the token of another source', async () => {
    await logs.upload(streamOf(entry('a', 1n), entry('b', 2n), entry('c', 3n)));

    const first = await logs.list(2, '', '');
    const second = await logs.list(2, first.nextPageToken ?? '', '');

    expect([first.entries, second.entries].map((entries) => entries?.map(({ message }) => message))).toEqual([
      ['c', 'b'],
      ['a'],
    ]);
    expect(second.nextPageToken).toBe('');
    await expect(logs.list(2, first.nextPageToken ?? '', 'web')).rejects.toMatchObject({
      violations: [expect.objectContaining({ field: 'pageToken' })],
    });
  });

  it.each([
    ['seconds that int64 has no room for', [2n ** 63n, 0n, 1n]],
    ['seconds below int64', [-(2n ** 63n) - 1n, 0n, 1n]],
    ['more nanoseconds than a second has', [1n, 1_000_000_000n, 1n]],
    ['negative nanoseconds', [1n, -1n, 1n]],
    ['an id that int64 has no room for', [1n, 0n, 9_999_999_999_999_999_999n]],
    ['a negative id', [1n, 0n, -1n]],
  ])('refuses a page token forged with %s', async (_, position) => {
    await expect(logs.list(2, pageTokenAfter('logs\0', position), '')).rejects.toMatchObject({
      reason: 'VALIDATION_FAILED',
      violations: [expect.objectContaining({ field: 'pageToken' })],
    });
  });

  it('clears away at start what a process left that died during an upload a day ago', async () => {
    const repository = new LogsRepository(database);
    const dead = await repository.begin(Date.now() - 90_000_000);
    await repository.append(dead, [{ ...entry('x', 1n), time: { seconds: 1n, nanos: 0 } }]);
    const alive = await repository.begin(Date.now());

    await logs.onModuleInit();

    expect(await database.db.selectFrom('log_uploads').select('id').execute()).toHaveLength(1);
    expect(await repository.abandoned(Date.now() + 1)).toEqual([alive]);
  });
});
