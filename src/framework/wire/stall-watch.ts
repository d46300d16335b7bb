/** What a socket tells of the bytes that it was given. */
export interface SentBytes {
  /** Bytes that it has not passed to the kernel; those of a write count until all of the write is passed on. */
  readonly writableLength: number;
  /** All bytes that it was ever given. */
  readonly bytesWritten: number;
}

// Of a net.Socket: the handle knows how much of a write is left. Node's own `socket.setTimeout()` looks at the same number:
// https://github.com/nodejs/node/blob/v24.0.0/lib/net.js#L573
interface HasHandle {
  readonly _handle?: { readonly writeQueueSize?: number } | null;
}

/**
 * Tells how long a socket with waiting bytes has passed none of them on. As many may wait as at the last look, and be others:
 * a peer that reads slowly but steadily is no dead one.
 */
export class StallWatch {
  readonly #socket: SentBytes & HasHandle;
  #passedBytes = -1;
  #queuedBytes = 0;
  #sinceMs = 0;
  /** Bytes that waited at the last look. */
  waitingBytes = 0;

  constructor(socket: SentBytes) {
    this.#socket = socket;
  }

  /** Returns for how many ms none was passed on, 0 where none waits. */
  look(nowMs: number): number {
    const { writableLength, bytesWritten, _handle: handle } = this.#socket;
    this.waitingBytes = writableLength;
    const passedBytes = bytesWritten - writableLength;
    const queuedBytes = handle?.writeQueueSize ?? 0;
    const isSame = passedBytes === this.#passedBytes && queuedBytes === this.#queuedBytes;
    if (writableLength === 0 || !isSame) this.#sinceMs = nowMs;
    this.#passedBytes = passedBytes;
    this.#queuedBytes = queuedBytes;
    return nowMs - this.#sinceMs;
  }
}
