/** Payloads below are worth copying together: a view of 100 bytes costs as much as the bytes, and may hold 64 KiB. */
const smallBytes = 4096;

const compactAfter = 32;

/**
 * Bytes that wait, in order, in as few pieces as they came in or fewer.
 *
 * What came in a small part of a large chunk is copied, so that the memory held is in proportion to the bytes that wait:
 * flow control counts those.
 */
export class ByteQueue {
  /** Bytes that wait. */
  bytes = 0;
  #pieces: Uint8Array[] = [];
  #first = 0;
  #firstOffset = 0;
  /** The last piece, if it is ours and has room. */
  #tail: Buffer | undefined;
  #tailFilled = 0;

  push(chunk: Uint8Array, start: number, end: number): void {
    const length = end - start;
    this.bytes += length;
    if (length < smallBytes) {
      this.#append(chunk, start, end);
      return;
    }
    this.#closeTail();
    const isMostOfIt = length * 4 >= chunk.buffer.byteLength;
    const piece = chunk.subarray(start, end);
    this.#pieces.push(isMostOfIt ? piece : Buffer.from(piece));
  }

  /** The first piece as it is; empty if there is none. */
  peek(): Uint8Array | undefined {
    if (this.#first >= this.#pieces.length) this.#closeTail();
    const piece = this.#pieces[this.#first];
    return this.#firstOffset === 0 ? piece : piece?.subarray(this.#firstOffset);
  }

  /** Throws away bytes of the first piece. */
  drop(bytes: number): void {
    this.bytes -= bytes;
    this.#firstOffset += bytes;
    if (this.#firstOffset < (this.#pieces[this.#first]?.length ?? 0)) return;
    this.#firstOffset = 0;
    this.#first += 1;
    if (this.#first === this.#pieces.length) {
      this.#pieces = [];
      this.#first = 0;
    } else if (this.#first >= compactAfter) {
      this.#pieces.splice(0, this.#first);
      this.#first = 0;
    }
  }

  #append(chunk: Uint8Array, start: number, end: number): void {
    let at = start;
    while (at < end) {
      this.#tail ??= Buffer.allocUnsafeSlow(this.bytes > smallBytes ? 4 * smallBytes : smallBytes);
      const length = Math.min(end - at, this.#tail.length - this.#tailFilled);
      this.#tail.set(chunk.subarray(at, at + length), this.#tailFilled);
      this.#tailFilled += length;
      at += length;
      if (this.#tailFilled === this.#tail.length) this.#closeTail();
    }
  }

  #closeTail(): void {
    if (this.#tail !== undefined && this.#tailFilled > 0) this.#pieces.push(this.#tail.subarray(0, this.#tailFilled));
    this.#tail = undefined;
    this.#tailFilled = 0;
  }
}
