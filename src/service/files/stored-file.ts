import type { FileHandle } from 'node:fs/promises';
import { FileChangedError } from './files.errors.js';

/** Size of the parts in which files are read and sent, in bytes. */
const chunkBytes = 65_536;

/** What is known of a file without reading it. */
export interface FileState {
  readonly size: number;
  readonly modifiedNs: bigint;
  /** Tells a file from another one that took its name. */
  readonly inode: bigint;
}

/** A file that has been opened. It stays the same file whatever becomes of its name. */
export class StoredFile {
  readonly #handle: FileHandle;
  #closing: Promise<void> | undefined;

  constructor(
    readonly name: string,
    readonly state: FileState,
    handle: FileHandle,
  ) {
    this.#handle = handle;
  }

  get size(): number {
    return this.state.size;
  }

  /** A strong entity tag, in quotes: other bytes, other tag. */
  get etag(): string {
    const { size, modifiedNs, inode } = this.state;
    return `"${size.toString(16)}-${modifiedNs.toString(16)}-${inode.toString(16)}"`;
  }

  get modifiedMs(): number {
    return Number(this.state.modifiedNs / 1_000_000n);
  }

  /**
   * Reads from `start` up to `end`, in parts of 64 KiB, each when it is pulled.
   *
   * @throws FileChangedError the file has become shorter
   */
  async *read(start: number, end: number): AsyncGenerator<Buffer, void, undefined> {
    for (let at = start; at < end; ) {
      const wanted = Math.min(chunkBytes, end - at);
      // A buffer each: the one before may still be on its way.
      const { buffer, bytesRead } = await this.#handle.read(Buffer.allocUnsafeSlow(wanted), 0, wanted, at);
      if (bytesRead === 0) throw new FileChangedError(this.name);
      yield buffer.subarray(0, bytesRead);
      at += bytesRead;
    }
  }

  /** @throws FileChangedError it was written to since it was opened */
  async assertUnchanged(): Promise<void> {
    const { size, mtimeNs } = await this.#handle.stat({ bigint: true });
    if (Number(size) !== this.size || mtimeNs !== this.state.modifiedNs) throw new FileChangedError(this.name);
  }

  /** May be called twice. */
  close(): Promise<void> {
    this.#closing ??= this.#handle.close();
    return this.#closing;
  }
}
