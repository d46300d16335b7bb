import { Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import { Database } from '../database/index.js';
import type { LogEntry, StoredLogEntry } from './log-entry.js';

/** The place of an entry in the order of the list: time, then id. */
export type LogPosition = readonly [seconds: bigint, nanos: bigint, id: bigint];

// Entries that one statement removes: on SQLite other requests wait for it.
const discardBatch = 5000;

/**
 * The tables `log_uploads` and `log_entries`. Entries are written as they come and seen once their upload is committed,
 * so that an upload of any length is neither held in memory nor in one long transaction.
 */
@Injectable()
export class LogsRepository {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Begins an upload, as yet without entries. @returns its id */
  async begin(startedAtMs: number): Promise<string> {
    const { id } = await this.#database.db
      .insertInto('log_uploads')
      .values({ started_at_ms: startedAtMs, committed: 0 })
      .returning(sql<string>`cast(id as text)`.as('id'))
      .executeTakeFirstOrThrow();
    return id;
  }

  /** Adds entries to an upload, 1 to 2000 at a time. */
  async append(uploadId: string, entries: readonly LogEntry[]): Promise<void> {
    await this.#database.db
      .insertInto('log_entries')
      .values(
        entries.map(({ source, level, message, time }) => ({
          upload_id: uploadId,
          source,
          level,
          message,
          time_seconds: time.seconds,
          time_nanos: time.nanos,
        })),
      )
      .execute();
  }

  /** Makes all entries of an upload visible, at once. */
  async commit(uploadId: string): Promise<void> {
    await this.#database.db.updateTable('log_uploads').set({ committed: 1 }).where('id', '=', uploadId).execute();
  }

  /** Removes an upload that was not committed. */
  async discard(uploadId: string): Promise<void> {
    const { db } = this.#database;
    for (;;) {
      const some = db.selectFrom('log_entries').select('id').where('upload_id', '=', uploadId).limit(discardBatch);
      const { numDeletedRows } = await db.deleteFrom('log_entries').where('id', 'in', some).executeTakeFirst();
      if (numDeletedRows < BigInt(discardBatch)) break;
    }
    await db.deleteFrom('log_uploads').where('id', '=', uploadId).where('committed', '=', 0).execute();
  }

  /** Uploads that began before `startedBeforeMs` and were neither committed nor discarded: their process has died. */
  async abandoned(startedBeforeMs: number): Promise<string[]> {
    const rows = await this.#database.db
      .selectFrom('log_uploads')
      .select(sql<string>`cast(id as text)`.as('id'))
      .where('committed', '=', 0)
      .where('started_at_ms', '<', startedBeforeMs.toString())
      .execute();
    return rows.map(({ id }) => id);
  }

  /** Up to `limit` entries that come after `after`, the newest first; of one source, if one is given. */
  async page(after: LogPosition | undefined, limit: number, source: string | undefined): Promise<StoredLogEntry[]> {
    let query = this.#database.db
      .selectFrom('log_entries as entry')
      .select([
        sql<string>`cast(entry.id as text)`.as('id'),
        'entry.source',
        'entry.level',
        'entry.message',
        sql<string>`cast(entry.time_seconds as text)`.as('seconds'),
        'entry.time_nanos',
      ])
      // Not a join: the entries are to be read in the order of their index.
      .where((where) =>
        where.exists(
          where
            .selectFrom('log_uploads as upload')
            .select('upload.committed')
            .whereRef('upload.id', '=', 'entry.upload_id')
            .where('upload.committed', '=', 1),
        ),
      )
      .orderBy('entry.time_seconds', 'desc')
      .orderBy('entry.time_nanos', 'desc')
      .orderBy('entry.id', 'desc')
      .limit(limit);
    if (source !== undefined) query = query.where('entry.source', '=', source);
    if (after !== undefined) {
      const [seconds, nanos, id] = after;
      query = query.where(
        sql<boolean>`(entry.time_seconds, entry.time_nanos, entry.id) < (${seconds}, ${nanos}, ${id})`,
      );
    }
    const rows = await query.execute();
    return rows.map(({ id, source: from, level, message, seconds, time_nanos: nanos }) => ({
      id: BigInt(id),
      source: from,
      level,
      message,
      time: { seconds: BigInt(seconds), nanos },
    }));
  }
}
