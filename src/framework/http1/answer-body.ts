import { type AnswerHead, unknownLength } from './answer-head.js';
import type { ByteAccount } from '../wire/index.js';
import type { Writer } from './writer.js';

/** How a body is delimited: RFC 9112 section 6. */
const Framing = { none: 0, length: 1, chunks: 2, close: 3 } as const;

// What the socket is given at a time: it says nothing of the parts of a write, and a peer that takes this much in five
// minutes is alive.
const pieceBytes = 262_144;

/** The body of one answer on its way to the socket. What is more than the socket likes waits here. */
export class AnswerBody {
  readonly #writer: Writer;
  readonly #account: ByteAccount;
  #framing: number = Framing.none;
  /** By `content-length`, to come. */
  #bytesLeft = 0;
  #queue: Uint8Array[] | undefined;
  #queuedBytes = 0;

  constructor(writer: Writer, account: ByteAccount) {
    this.#writer = writer;
    this.#account = account;
  }

  /** There is none, whatever is written. */
  get isNone(): boolean {
    return this.#framing === Framing.none;
  }

  get isQueued(): boolean {
    return this.#queuedBytes > 0;
  }

  /** It is not as long as was said. */
  get isShort(): boolean {
    return this.#framing === Framing.length && this.#bytesLeft > 0;
  }

  /** Its end is that of the connection. */
  get endsConnection(): boolean {
    return this.#framing === Framing.close;
  }

  get waitingBytes(): number {
    return this.#queuedBytes + this.#writer.waitingBytes;
  }

  /**
   * Decides how the body is delimited: RFC 9110 section 6.4.1, RFC 9112 section 6.3.
   *
   * @param isAll  there is none where the headers do not say otherwise
   * @returns the line that says so
   */
  begin(head: AnswerHead, isHead: boolean, minorVersion: number, isAll: boolean): string {
    const { contentLength, status } = head;
    const hasLength = contentLength !== unknownLength && !head.isInChunks;
    const lengthLine = hasLength ? `content-length: ${contentLength}\r\n` : '';
    if (status === 204) return '';
    if (isHead || status === 304) return lengthLine;
    if (status === 205) return 'content-length: 0\r\n';
    if (hasLength || isAll) {
      this.#framing = Framing.length;
      this.#bytesLeft = hasLength ? contentLength : 0;
      return hasLength ? lengthLine : 'content-length: 0\r\n';
    }
    this.#framing = minorVersion === 1 ? Framing.chunks : Framing.close;
    return minorVersion === 1 ? 'transfer-encoding: chunked\r\n' : '';
  }

  /** More than was said would be taken for the beginning of the next answer. */
  takes(data: Uint8Array): boolean {
    return this.#framing !== Framing.length || data.length <= this.#bytesLeft;
  }

  /** Returns whether the bytes have been copied; `undefined`: there is no room for them. */
  send(data: Uint8Array): boolean | undefined {
    if (this.#framing === Framing.length) this.#bytesLeft -= data.length;
    if (this.#queuedBytes === 0 && data.length <= pieceBytes) return this.#pass(data);
    if (!this.#account.tryCharge(data.length)) return undefined;
    (this.#queue ??= []).push(data);
    this.#queuedBytes += data.length;
    this.pump();
    return false;
  }

  /** Gives to the writer what the socket can take. */
  pump(): void {
    const queue = this.#queue;
    while (queue?.[0] !== undefined && !this.#writer.isBlocked) {
      const first = queue[0];
      const piece = first.length <= pieceBytes ? first : first.subarray(0, pieceBytes);
      if (piece === first) queue.shift();
      else queue[0] = first.subarray(pieceBytes);
      this.#queuedBytes -= piece.length;
      this.#account.charge(-piece.length);
      this.#pass(piece);
    }
  }

  /** The last bytes; `trailers` are whole lines. */
  end(trailers: string): void {
    if (this.#framing === Framing.chunks) this.#writer.text(trailers === '' ? '0\r\n\r\n' : `0\r\n${trailers}\r\n`);
  }

  #pass(data: Uint8Array): boolean {
    const writer = this.#writer;
    if (this.#framing !== Framing.chunks) return writer.bytes(data);
    writer.text(`${data.length.toString(16)}\r\n`);
    const isCopied = writer.bytes(data);
    writer.text('\r\n');
    return isCopied;
  }
}
