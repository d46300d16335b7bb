import { type ByteAccount, CountedBytes } from '../wire/index.js';

/** What has come over a connection and has not been read, as it is the turn of others. */
export class UnreadBytes {
  #chunks: Buffer[] = [];
  #bytes = 0;
  readonly #counted: CountedBytes;

  constructor(account: ByteAccount) {
    this.#counted = new CountedBytes(account);
  }

  get isEmpty(): boolean {
    return this.#chunks.length === 0;
  }

  /** Bytes. */
  get length(): number {
    return this.#bytes;
  }

  /** @param isFirst it was taken by `shift()` before, and is still to be read */
  add(chunk: Buffer, isFirst: boolean): void {
    if (isFirst) this.#chunks.unshift(chunk);
    else this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    this.#counted.set(this.#bytes);
  }

  shift(): Buffer | undefined {
    const chunk = this.#chunks.shift();
    if (chunk === undefined) return undefined;
    this.#bytes -= chunk.length;
    this.#counted.set(this.#bytes);
    return chunk;
  }

  clear(): void {
    this.#chunks = [];
    this.#bytes = 0;
    this.#counted.set(0);
  }
}
