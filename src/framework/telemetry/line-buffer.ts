// What a pipe takes at once on Linux: more in one piece saves nothing.
const pieceChars = 65_536;

/**
 * Finished lines on their way out, in order and bounded. Lines are joined as text and encoded together, which costs a
 * fraction of encoding each. A piece that finds no room is dropped as a whole; what is kept is never dropped.
 */
export class LineBuffer {
  /** Memory it may take, in bytes; the text that is being joined comes on top, 64 KiB or one line. */
  maxBytes: number;
  readonly #pieces: Buffer[] = [];
  #text = '';
  #lines = 0;
  #bytes = 0;
  /** Bytes of the first piece that are out. */
  #taken = 0;
  #dropped = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  /** Bytes that wait. */
  get bytes(): number {
    return this.#bytes - this.#taken + this.#text.length;
  }

  get isEmpty(): boolean {
    return this.#pieces.length === 0 && this.#text === '';
  }

  /** Lines dropped since the start. */
  get droppedLines(): number {
    return this.#dropped;
  }

  /** Whether another piece would be kept. */
  get hasRoom(): boolean {
    return this.#bytes + pieceChars <= this.maxBytes;
  }

  append(line: string): void {
    this.#text += line;
    this.#lines += 1;
    if (this.#text.length >= pieceChars) this.#encode();
  }

  /** The oldest bytes; `undefined` when it is empty. They stay until `release()`. */
  first(): Buffer | undefined {
    if (this.#pieces.length === 0 && this.#text !== '') this.#encode();
    const [piece] = this.#pieces;
    return this.#taken === 0 ? piece : piece?.subarray(this.#taken);
  }

  /** Releases the oldest `bytes`, which are part of the first piece. */
  release(bytes: number): void {
    const [piece] = this.#pieces;
    this.#taken += bytes;
    if (piece === undefined || this.#taken < piece.length) return;
    this.#pieces.shift();
    this.#taken = 0;
    this.#bytes -= piece.length;
  }

  #encode(): void {
    const bytes = Buffer.from(this.#text);
    if (this.#bytes + bytes.length > this.maxBytes) this.#dropped += this.#lines;
    else {
      this.#pieces.push(bytes);
      this.#bytes += bytes.length;
    }
    this.#text = '';
    this.#lines = 0;
  }
}
