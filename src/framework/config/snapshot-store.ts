import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { readRegularFile, RegularFileError } from '../core/index.js';
import { ConfigError } from './config.errors.js';
import type { RemoteContent } from './config.driver.js';

/** The file that holds the last good content of a centre. */
export interface SnapshotStoreOptions {
  /** Path of the file; its folder is made where it is missing. */
  readonly file: string;
  /** What the content belongs to: servers apart, whatever makes the same data id mean something else. */
  readonly namespace: string;
}

/** What was read back. */
export interface Snapshot {
  readonly contents: readonly RemoteContent[];
  /** When it was written. */
  readonly at: Date;
}

const format = 'rookery-config-snapshot-1';
// All data ids of a service together; each may have 1 MiB.
const maxBytes = 67_108_864;

/**
 * The last good content of a centre, on disk for a start while the centre is down. Written to a new file, flushed and renamed
 * over the old one, so that there is always a whole one; readable for its owner only; with a checksum, because a disk may fail
 * where a rename does not. It holds secrets as the centre does.
 */
export class SnapshotStore {
  readonly #options: SnapshotStoreOptions;
  #writing: Promise<unknown> = Promise.resolve();

  constructor(options: SnapshotStoreOptions) {
    this.#options = options;
  }

  /**
   * Replaces the snapshot. Calls queue up, so that the last one wins.
   *
   * @throws ConfigError the disk is full, the folder cannot be written: the snapshot before is as it was
   */
  async write(contents: readonly RemoteContent[]): Promise<void> {
    const turn = this.#writing.then(() => this.#write(contents));
    this.#writing = turn.catch(() => undefined);
    return turn;
  }

  /**
   * @returns `undefined` when there is none
   * @throws ConfigError it cannot be read, is damaged, or belongs to another namespace; no content is quoted
   */
  async read(): Promise<Snapshot | undefined> {
    const { file, namespace } = this.#options;
    let text: string;
    try {
      text = (await readRegularFile(file, maxBytes)).toString();
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      if (error instanceof RegularFileError) throw ConfigError.of(file, `the snapshot ${error.message}`);
      throw ConfigError.of(file, `the snapshot cannot be read (${codeOf(error)})`);
    }
    const { head, body } = parts(text);
    if (head?.format !== format || head.checksum !== checksumOf(head, body)) {
      throw ConfigError.of(file, 'the snapshot is damaged (expected: the checksum that it states)');
    }
    if (head.namespace !== namespace) throw ConfigError.of(file, 'the snapshot is from another namespace');
    return { contents: JSON.parse(body) as RemoteContent[], at: new Date(head.at) };
  }

  async #write(contents: readonly RemoteContent[]): Promise<void> {
    const { file, namespace } = this.#options;
    const body = JSON.stringify(contents);
    const head = { format, namespace, at: new Date().toISOString() };
    const text = `${JSON.stringify({ ...head, checksum: checksumOf(head, body) })}\n${body}`;
    if (Buffer.byteLength(text) > maxBytes) throw ConfigError.of(file, `more than ${maxBytes} bytes of snapshot`);
    const temporary = `${file}.${process.pid}.tmp`;
    try {
      await mkdir(dirname(file), { recursive: true, mode: 0o700 });
      await writeFlushed(temporary, text);
      await rename(temporary, file);
      await flushFolder(dirname(file));
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => undefined);
      throw ConfigError.of(file, `the snapshot cannot be written (${codeOf(error)})`);
    }
  }
}

interface Head {
  readonly format: string;
  readonly namespace: string;
  readonly at: string;
}

function checksumOf({ format: name, namespace, at }: Head, body: string): string {
  return createHash('sha256')
    .update(JSON.stringify([name, namespace, at]))
    .update(body)
    .digest('hex');
}

function parts(text: string): { head: (Head & { checksum: string }) | undefined; body: string } {
  const end = text.indexOf('\n');
  try {
    return {
      head: JSON.parse(text.slice(0, Math.max(0, end))) as Head & { checksum: string },
      body: text.slice(end + 1),
    };
  } catch {
    return { head: undefined, body: '' };
  }
}

async function writeFlushed(file: string, text: string): Promise<void> {
  // A link that somebody put there is not followed.
  await rm(file, { force: true });
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
  const handle = await open(file, flags, 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

// The rename itself is on disk when the folder is. Some file systems cannot do it, and need it not.
async function flushFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync().catch(() => undefined);
  } finally {
    await handle.close();
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown';
}
