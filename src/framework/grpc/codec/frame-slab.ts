/** Frames stand one behind the other in buffers of this size: a buffer for each costs more than its message. */
const slabBytes = 64 * 1024;

/** A message that is larger has a buffer of its own, so that keeping a small one keeps little else. */
const largeBytes = slabBytes / 4;

/** Large buffers that wait to be used again: few, and none that would hold much for the sake of one message. */
const keptSpares = 4;
const largestSpareBytes = 512 * 1024;
const spares: Buffer[] = [];

/** Buffer of a large message, of at least `bytes`. */
function takeLarge(bytes: number): Buffer {
  if (bytes <= slabBytes) return Buffer.allocUnsafeSlow(bytes);
  for (let at = spares.length - 1; at >= 0; at -= 1) {
    const spare = spares[at] as Buffer;
    // Not one of many times the size, which would then be kept for little.
    if (spare.length < bytes || spare.length > 4 * bytes) continue;
    spares.splice(at, 1);
    return spare;
  }
  // In steps: a spare is then of use to the next message, which may be a little longer.
  return Buffer.allocUnsafeSlow(Math.ceil(bytes / largeBytes) * largeBytes);
}

/**
 * Gives the bytes of a frame back, which nobody looks at any more. Those of a large message will be written again: to
 * allocate them anew costs about as much as to write them.
 */
export function recycleFrame(frame: Uint8Array<ArrayBuffer>): void {
  const { buffer } = frame;
  // Smaller ones share their buffer with others.
  if (buffer.byteLength <= slabBytes || buffer.byteLength > largestSpareBytes || spares.length === keptSpares) return;
  spares.push(Buffer.from(buffer));
}

/** Where messages are written. What has been taken is never written again. */
export class FrameSlab {
  #slab: Buffer = Buffer.alloc(0);
  #used = 0;
  #start = 0;
  #isOwn = false;
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
      this.bytes = takeLarge(bytes);
      this.#isOwn = true;
      return (this.#start = 0);
    }
    if (this.#used + bytes > this.#slab.length) {
      this.#slab = Buffer.allocUnsafeSlow(slabBytes);
      this.#used = 0;
    }
    this.bytes = this.#slab;
    this.#isOwn = false;
    return (this.#start = this.#used);
  }

  /** The buffer, with at least `bytes` behind `pos`: it may be another one than before, with the same content. */
  reserve(pos: number, bytes: number): Buffer {
    return pos + bytes <= this.bytes.length ? this.bytes : this.#grow(pos, bytes);
  }

  /** Ends the message: a view of [start, end). */
  take(start: number, end: number): Uint8Array<ArrayBuffer> {
    const { bytes } = this;
    // A message that has outgrown the slab leaves no room that the next one would fit in.
    if (!this.#isOwn) this.#used = bytes === this.#slab ? end : this.#slab.length;
    return new Uint8Array(bytes.buffer as ArrayBuffer, start, end - start);
  }

  /** To be called after `open`, whether there was a message or an error. */
  close(): void {
    this.#isOpen = false;
    this.bytes = this.#slab;
  }

  #grow(pos: number, bytes: number): Buffer {
    // Twice the message, not twice the buffer: the message may be small, and stand at the end of a slab.
    const larger = takeLarge(pos + bytes + (pos - this.#start));
    this.bytes.copy(larger, this.#start, this.#start, pos);
    this.bytes = larger;
    return larger;
  }
}
