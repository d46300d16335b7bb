/** More streams are forgotten, oldest first. */
const remembered = 1000;

/**
 * Streams that we have reset and whose callers may not know it yet: what they still send is in order, RFC 9113 section
 * 5.1. To be on the safe side, all up to the highest that was forgotten count as such.
 */
export class ResetMemory {
  // Most connections never need one.
  #ids: Set<number> | undefined;
  #forgottenId = 0;

  has(streamId: number): boolean {
    return streamId <= this.#forgottenId || this.#ids?.has(streamId) === true;
  }

  add(streamId: number): void {
    const ids = (this.#ids ??= new Set());
    ids.add(streamId);
    if (ids.size <= remembered) return;
    for (const oldest of ids) {
      ids.delete(oldest);
      this.#forgottenId = Math.max(this.#forgottenId, oldest);
      break;
    }
  }

  /** Nothing more comes on it. */
  delete(streamId: number): void {
    this.#ids?.delete(streamId);
  }

  clear(): void {
    this.#ids = undefined;
  }
}
