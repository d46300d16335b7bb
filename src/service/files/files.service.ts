import { createHash, type Hash } from 'node:crypto';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { Injectable } from '@nestjs/common';
import { currentSignal } from 'rookery/core';
import type { DownloadResponseSchema, ListFilesResponseSchema } from '../../gen/file/service/v1/file_pb.js';
import { FileOffsetOutOfRangeError } from './files.errors.js';
import { FilesRepository } from './files.repository.js';
import { mediaTypeOf } from './media-type.js';
import type { StoredFile } from './stored-file.js';

type DownloadPart = MessageInitShape<typeof DownloadResponseSchema>;

// Checksums of 32 bytes: the bound is for a folder in which files come and go.
const maxKnownChecksums = 1000;

/** Lists files and sends them. */
@Injectable()
export class FilesService {
  readonly #files: FilesRepository;
  readonly #checksums = new Map<string, Uint8Array>();

  constructor(files: FilesRepository) {
    this.#files = files;
  }

  async list(): Promise<MessageInitShape<typeof ListFilesResponseSchema>> {
    const files = await this.#files.list();
    return { files: files.map(({ name, size }) => ({ name, size: BigInt(size), contentType: mediaTypeOf(name) })) };
  }

  /** @throws FileNotFoundError */
  open(name: string): Promise<StoredFile> {
    return this.#files.open(name);
  }

  /**
   * Sends a file from `offset` on, and at last the SHA-256 of the whole.
   *
   * @throws FileNotFoundError
   * @throws FileOffsetOutOfRangeError `offset` is behind the end
   * @throws FileChangedError somebody wrote to it meanwhile
   */
  download(name: string, offset: bigint): AsyncGenerator<DownloadPart, void, undefined> {
    // Taken here: the generator below may be run by others.
    return this.#download(name, offset, currentSignal());
  }

  async *#download(name: string, offset: bigint, signal: AbortSignal): AsyncGenerator<DownloadPart, void, undefined> {
    const file = await this.#files.open(name);
    try {
      if (offset > BigInt(file.size)) throw new FileOffsetOutOfRangeError(offset, file.size);
      const start = Number(offset);
      const totalSize = BigInt(file.size);
      const key = `${name}\0${file.etag}`;
      const known = this.#checksums.get(key);
      const hash = known === undefined ? await hashOf(file, start, signal) : undefined;
      let at = start;
      for await (const data of file.read(start, file.size)) {
        signal.throwIfAborted();
        hash?.update(data);
        yield { offset: BigInt(at), data, totalSize };
        at += data.length;
      }
      await file.assertUnchanged();
      const sha256 = known ?? this.#remember(key, hash?.digest() ?? new Uint8Array());
      yield { offset: totalSize, sha256, totalSize };
    } finally {
      await file.close();
    }
  }

  #remember(key: string, checksum: Uint8Array): Uint8Array {
    const [oldest] = this.#checksums.keys();
    if (this.#checksums.size >= maxKnownChecksums && oldest !== undefined) this.#checksums.delete(oldest);
    this.#checksums.set(key, checksum);
    return checksum;
  }
}

// The checksum is of the whole file: what the caller has already is read once more.
async function hashOf(file: StoredFile, end: number, signal: AbortSignal): Promise<Hash> {
  const hash = createHash('sha256');
  for await (const data of file.read(0, end)) {
    signal.throwIfAborted();
    hash.update(data);
  }
  return hash;
}
