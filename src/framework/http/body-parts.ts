// As much as a body that comes in small pieces is copied into at a time; larger pieces are kept as they came.
const slabBytes = 16_384;
const smallBytes = 4096;

/**
 * Collects a body. Pieces of a few bytes, each of which would cost a view of some hundred bytes and hold the whole chunk
 * that it came in, are copied together.
 */
export class BodyParts {
  #length = 0;
  readonly #parts: Buffer[] = [];
  #slab: Buffer | undefined;
  /** Of the slab: where what is not among the parts begins, and ends. */
  #from = 0;
  #used = 0;

  /** Bytes so far. */
  get length(): number {
    return this.#length;
  }

  add(bytes: Buffer): void {
    this.#length += bytes.length;
    if (bytes.length >= smallBytes) {
      this.#close();
      this.#parts.push(bytes);
      return;
    }
    if (this.#slab === undefined || this.#used + bytes.length > slabBytes) {
      this.#close();
      this.#slab = Buffer.allocUnsafeSlow(slabBytes);
      this.#from = 0;
      this.#used = 0;
    }
    this.#used += bytes.copy(this.#slab, this.#used);
  }

  /** All of it, in memory of its own. */
  whole(): Buffer {
    this.#close();
    return Buffer.concat(this.#parts, this.#length);
  }

  #close(): void {
    if (this.#slab !== undefined && this.#used > this.#from) {
      this.#parts.push(this.#slab.subarray(this.#from, this.#used));
      this.#from = this.#used;
    }
  }
}
