import { constants } from 'node:fs';
import { open, opendir, rename, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Injectable } from '@nestjs/common';
import { Config } from 'rookery/config';
import type { Live } from 'rookery/core';
import { makeFolder } from '../folders/index.js';
import { isFileName } from './file-name.js';
import { FilesConfig } from './files.config.js';
import { FileNotFoundError } from './files.errors.js';
import { StoredFile } from './stored-file.js';

/** A file of the folder. */
export interface ListedFile {
  readonly name: string;
  readonly size: number;
}

// A folder for people, not a store: who needs more needs pages too.
const maxListedFiles = 10_000;

// O_NOFOLLOW: a link in the folder must not lead out of it. O_NONBLOCK: opening a pipe would wait for its writer.
const openFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** The folder whose files are offered: its plain files, without links, folders and hidden names. */
@Injectable()
export class FilesRepository {
  readonly #directory: string;

  constructor(@Config(FilesConfig) config: Live<FilesConfig>) {
    this.#directory = resolve(config.value.directory);
  }

  /** Makes the folder if need be. */
  prepare(): void {
    try {
      makeFolder(this.#directory);
    } catch (error) {
      throw new Error(`files.directory: cannot make ${this.#directory}: ${(error as Error).message}`, { cause: error });
    }
  }

  /** All files, ordered by name; 10 000 at most. */
  async list(): Promise<ListedFile[]> {
    const files: ListedFile[] = [];
    for await (const entry of await opendir(this.#directory)) {
      if (!entry.isFile() || !isFileName(entry.name)) continue;
      const size = await this.#sizeOf(entry.name);
      if (size !== undefined) files.push({ name: entry.name, size });
      if (files.length >= maxListedFiles) break;
    }
    return files.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  /**
   * Opens a file; close it.
   *
   * @throws FileNotFoundError
   */
  async open(name: string): Promise<StoredFile> {
    if (!isFileName(name)) throw new FileNotFoundError(name);
    const handle = await open(join(this.#directory, name), openFlags).catch((error: unknown) => {
      throw isAbsence(error) ? new FileNotFoundError(name, { cause: error }) : error;
    });
    try {
      const state = await handle.stat({ bigint: true });
      if (!state.isFile()) throw new FileNotFoundError(name);
      return new StoredFile(name, { size: Number(state.size), modifiedNs: state.mtimeNs, inode: state.ino }, handle);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Writes a file unless there is one of that name; readers never see a part of it. */
  async addIfMissing(name: string, content: () => Uint8Array): Promise<void> {
    if ((await this.#sizeOf(name)) !== undefined) return;
    const draft = join(this.#directory, `.${name}.${process.pid}`);
    await writeFile(draft, content());
    await rename(draft, join(this.#directory, name));
  }

  // `undefined` when it has gone meanwhile.
  async #sizeOf(name: string): Promise<number | undefined> {
    try {
      return (await stat(join(this.#directory, name))).size;
    } catch (error) {
      if (isAbsence(error)) return undefined;
      throw error;
    }
  }
}

// ELOOP: it is a link. ENXIO: it is a socket. EISDIR and ENOTDIR: it is, or lies in, something else than expected.
function isAbsence(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return (
    code !== undefined && ['ENOENT', 'ELOOP', 'ENXIO', 'EISDIR', 'ENOTDIR', 'ENAMETOOLONG', 'EMLINK'].includes(code)
  );
}
