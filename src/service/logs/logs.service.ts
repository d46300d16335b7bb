import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { Config } from 'rookery/config';
import { currentSignal, type Live, RookeryError } from 'rookery/core';
import { ValidationError } from 'rookery/pipeline';
import type { ListEntriesResponseSchema, UploadSummarySchema } from '../../gen/log/service/v1/log_pb.js';
import { detached } from '../database/index.js';
import { int64, pageSizeOf, pageTokenAfter, PagingConfig, positiveInt64, readPageToken } from '../paging/index.js';
import type { Instant, LogEntry } from './log-entry.js';
import { LogsConfig } from './logs.config.js';
import { LogUploadTooLargeError } from './logs.errors.js';
import { type LogPosition, LogsRepository } from './logs.repository.js';
import { UploadTally } from './upload-tally.js';

/** An entry as a caller sends it; the time of arrival counts when it says none. */
export interface SentLogEntry extends Omit<LogEntry, 'time'> {
  readonly time?: Instant | undefined;
}

// No upload lasts longer: a stream may take an hour.
const abandonedAfterMs = 86_400_000;

// Seconds, nanoseconds and id of a LogPosition.
const positionRanges = [int64, { min: 0n, max: 999_999_999n }, positiveInt64];

/** Takes in the log entries of clients, and lists them. */
@Injectable()
export class LogsService implements OnModuleInit {
  readonly #logs: LogsRepository;
  readonly #config: Live<LogsConfig>;
  readonly #paging: Live<PagingConfig>;

  constructor(
    logs: LogsRepository,
    @Config(LogsConfig) config: Live<LogsConfig>,
    @Config(PagingConfig) paging: Live<PagingConfig>,
  ) {
    this.#logs = logs;
    this.#config = config;
    this.#paging = paging;
  }

  /** Clears away what processes left that died during an upload. */
  async onModuleInit(): Promise<void> {
    for (const id of await this.#logs.abandoned(Date.now() - abandonedAfterMs)) await this.#logs.discard(id);
  }

  /**
   * Stores all entries or, if one is wrong or the caller goes, none.
   *
   * @throws ValidationError with paths such as `[3].level`
   * @throws LogUploadTooLargeError
   */
  async upload(entries: AsyncIterable<SentLogEntry>): Promise<MessageInitShape<typeof UploadSummarySchema>> {
    const signal = currentSignal();
    const uploadId = await this.#logs.begin(Date.now());
    try {
      const tally = await this.#store(uploadId, entries);
      // A stream that was cut off may end as one that is complete.
      signal.throwIfAborted();
      await this.#logs.commit(uploadId);
      return tally.summary();
    } catch (error) {
      await this.#discard(uploadId);
      throw error;
    }
  }

  /** @throws ValidationError the page token is not one of ours */
  async list(
    pageSize: number,
    pageToken: string,
    source: string,
  ): Promise<MessageInitShape<typeof ListEntriesResponseSchema>> {
    const list = `logs\0${source}`;
    const after = readPageToken(list, pageToken, positionRanges) as LogPosition | undefined;
    const limit = pageSizeOf(pageSize, this.#paging.value);
    // One more than asked for tells whether there is a next page.
    const found = await this.#logs.page(after, limit + 1, source === '' ? undefined : source);
    const entries = found.slice(0, limit);
    const last = entries.at(-1);
    const hasMore = found.length > limit && last !== undefined;
    const nextPageToken = hasMore ? pageTokenAfter(list, [last.time.seconds, BigInt(last.time.nanos), last.id]) : '';
    return { entries: entries.map(({ id: _, ...entry }) => entry), nextPageToken };
  }

  async #store(uploadId: string, entries: AsyncIterable<SentLogEntry>): Promise<UploadTally> {
    const { maxEntriesPerUpload, batchSize } = this.#config.value;
    const tally = new UploadTally();
    let batch: LogEntry[] = [];
    for await (const sent of numberingViolations(entries)) {
      if (tally.accepted === maxEntriesPerUpload) throw new LogUploadTooLargeError(maxEntriesPerUpload);
      const entry = { ...sent, time: sent.time ?? timestampFromMs(Date.now()) };
      tally.add(entry);
      batch.push(entry);
      if (batch.length < batchSize) continue;
      await this.#logs.append(uploadId, batch);
      batch = [];
    }
    if (batch.length > 0) await this.#logs.append(uploadId, batch);
    return tally;
  }

  // The caller's deadline does not count here. What cannot be removed now stays invisible, and goes at a later start.
  async #discard(uploadId: string): Promise<void> {
    try {
      await detached(() => this.#logs.discard(uploadId));
    } catch (error) {
      new Logger(LogsService.name).warn(`upload ${uploadId} could not be removed: ${String(error)}`);
    }
  }
}

// Each message is checked by itself; which one it was is known here.
async function* numberingViolations<T>(messages: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
  let index = 0;
  try {
    for await (const message of messages) {
      yield message;
      index += 1;
    }
  } catch (error) {
    if (!RookeryError.is(error) || error.violations.length === 0) throw error;
    throw new ValidationError(
      error.violations.map(({ field, rule, message }) => ({
        field: `[${index}].${field}`,
        rule,
        message: message.startsWith(field) ? `[${index}].${message}` : message,
      })),
    );
  }
}
