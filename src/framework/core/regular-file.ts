import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import { open } from 'node:fs/promises';

/** A path names something else than a regular file of the expected size; the message is what follows the path. */
export class RegularFileError extends Error {
  override readonly name = 'RegularFileError';
}

// A FIFO without a writer would hold up `open`, and a terminal would become the process's own.
const openFlags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;

/**
 * Reads a regular file whole. The file is opened, judged by its kind and size, and read through the same descriptor: a
 * device, a FIFO or a file that grows without end costs nothing.
 *
 * @param maxBytes largest file that is read, in bytes
 * @throws RegularFileError the path is no regular file, or one larger than `maxBytes`
 * @throws Error with the `code` of the system call that failed, such as ENOENT
 */
export async function readRegularFile(path: string, maxBytes: number): Promise<Buffer> {
  const handle = await open(path, openFlags);
  try {
    const content = new Content(await handle.stat(), maxBytes);
    while (content.take((await handle.read(content.room, 0, content.room.length, null)).bytesRead));
    return content.bytes;
  } finally {
    await handle.close();
  }
}

/** As `readRegularFile()`, for a start and for checks that cannot wait. */
export function readRegularFileSync(path: string, maxBytes: number): Buffer {
  const descriptor = openSync(path, openFlags);
  try {
    const content = new Content(fstatSync(descriptor), maxBytes);
    while (content.take(readSync(descriptor, content.room, 0, content.room.length, null)));
    return content.bytes;
  } finally {
    closeSync(descriptor);
  }
}

// Files of /proc and the like say that they are empty.
const firstReadBytes = 4096;

/** What has been read of a file. */
class Content {
  readonly #maxBytes: number;
  #buffer: Buffer;
  #length = 0;

  constructor(stats: Stats, maxBytes: number) {
    if (!stats.isFile()) throw new RegularFileError(`is ${kindOf(stats)} (expected: a regular file)`);
    this.#maxBytes = maxBytes;
    if (stats.size > maxBytes) throw this.#tooLarge(`${stats.size} bytes`);
    // One byte more than it has, to find its end.
    this.#buffer = Buffer.allocUnsafe(Math.max(stats.size, firstReadBytes) + 1);
  }

  /** Where the next read goes; never empty. */
  get room(): Buffer {
    return this.#buffer.subarray(this.#length);
  }

  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /** @returns whether there may be more */
  take(bytes: number): boolean {
    this.#length += bytes;
    if (this.#length > this.#maxBytes) throw this.#tooLarge(`more than ${this.#maxBytes} bytes`);
    if (this.#length === this.#buffer.length) this.#buffer = Buffer.concat([this.#buffer, Buffer.alloc(this.#length)]);
    return bytes > 0;
  }

  #tooLarge(found: string): RegularFileError {
    return new RegularFileError(`${found} (expected: at most ${this.#maxBytes})`);
  }
}

function kindOf(stats: Stats): string {
  if (stats.isDirectory()) return 'a folder';
  if (stats.isFIFO()) return 'a FIFO';
  return stats.isSocket() ? 'a socket' : 'a device';
}
