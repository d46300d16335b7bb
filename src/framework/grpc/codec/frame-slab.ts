/** Frames stand one behind the other in buffers of this size: a buffer for each costs more than its message. */
const slabBytes = 32 * 1024;

/** A message that is larger has a buffer of its own, so that keeping a small one keeps little else. */
const largeBytes = slabBytes / 4;

/** Where messages are written. What has been taken is never written again. */
export class FrameSlab {
  #slab: Buffer = Buffer.alloc(0);
  #used = 0;
  #isOpen = false;

  /** The buffer that is written to, until the next call of `reserve`. */
  bytes: Buffer = this.#slab;

  /** Whether a message is being written. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /**
   * Begins a message.
   *
   * @param bytes how long it will probably be
   * @returns the position to write at
   */
  open(bytes: number): number {
    this.#isOpen = true;
    if (bytes > largeBytes) {
      this.bytes = Buffer.allocUnsafeSlow(bytes);
      return 0;
    }
    if (this.#used + bytes > this.#slab.length) {
      this.#slab = Buffer.allocUnsafeSlow(slabBytes);
      this.#used = 0;
    }
    this.bytes = this.#slab;
    return this.#used;
  }

  /** The buffer, with at least `bytes` behind `pos`: it may be another one than before, with the same content. */
  reserve(pos: number, bytes: number): Buffer {
    return pos + bytes <= this.bytes.length ? this.bytes : this.#grow(pos, bytes);
  }

  /** Ends the message: a view of [start, end). */
  take(start: number, end: number): Uint8Array<ArrayBuffer> {
    const { bytes } = this;
    if (end - start <= largeBytes && bytes.length <= 2 * slabBytes) {
      this.#slab = bytes;
      this.#used = end;
    }
    return new Uint8Array(bytes.buffer as ArrayBuffer, start, end - start);
  }

  /** To be called after `open`, whether there was a message or an error. */
  close(): void {
    this.#isOpen = false;
    this.bytes = this.#slab;
  }

  #grow(pos: number, bytes: number): Buffer {
    const needed = pos + bytes;
    // At the end of a slab a little more is enough; a message that outgrows a whole one gets room to double.
    const larger = Buffer.allocUnsafeSlow(needed <= 2 * slabBytes ? 2 * slabBytes : 2 * needed);
    this.bytes.copy(larger, 0, 0, pos);
    this.bytes = larger;
    return larger;
  }
}
