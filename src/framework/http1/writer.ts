import type { Socket } from 'node:net';
import {
  atTurnEnd,
  type ByteAccount,
  CountedBytes,
  giveWriteBuffer,
  takeWriteBuffer,
  type TurnEnd,
  writeBufferBytes,
} from '../wire/index.js';

/** From here on bytes are passed to the socket as they are; below, copying is cheaper than one more buffer in the write. */
const noCopyBytes = 32_768;

/** Full buffers kept for reuse while the socket still has them; a slow peer's output beyond is left to the garbage collector. */
const keptInFlight = 8;

const noBuffer = Buffer.alloc(0);

/** Told when a turn's output has been given to the socket. */
export interface WriterHost {
  onFlushed(): void;
}

/**
 * Gathers output in one buffer; what one turn of the event loop brings leaves in one write of the socket.
 *
 * A buffer goes back to the pool when the socket has passed all of it to the kernel (`writableLength` is 0), and is not
 * written into again before.
 */
export class Writer implements TurnEnd {
  readonly #socket: Socket;
  readonly #host: WriterHost;
  readonly #waiting: CountedBytes;
  #buffer: Buffer = noBuffer;
  /** Of the buffer: given to the socket, and filled. */
  #sent = 0;
  #filled = 0;
  /** Full, and not yet all passed on by the socket. */
  #inFlight: Buffer[] = [];
  #isCorked = false;
  #isScheduled = false;
  #isClosed = false;

  constructor(socket: Socket, host: WriterHost, account: ByteAccount) {
    this.#socket = socket;
    this.#waiting = new CountedBytes(account);
    this.#host = host;
  }

  /** Output that the kernel has not taken. */
  get waitingBytes(): number {
    return this.#socket.writableLength + this.#filled - this.#sent;
  }

  /** The socket has more than it likes; 'drain' follows. */
  get isBlocked(): boolean {
    return this.#socket.writableNeedDrain;
  }

  /** One byte for each character. */
  text(text: string): void {
    const at = this.#reserve(text.length);
    this.#buffer.write(text, at, 'latin1');
    this.#filled = at + text.length;
  }

  /** Returns whether they have been copied. */
  bytes(bytes: Uint8Array): boolean {
    const { length } = bytes;
    if (length >= noCopyBytes) {
      this.#pass(bytes);
      return false;
    }
    const at = this.#reserve(length);
    this.#buffer.set(bytes, at);
    this.#filled = at + length;
    return true;
  }

  onTurnEnd(): void {
    this.#isScheduled = false;
    this.flush();
    this.#host.onFlushed();
  }

  /** Gives to the socket what is there. */
  flush(): void {
    this.#passFilled();
    if (this.#isCorked) {
      this.#isCorked = false;
      this.#socket.uncork();
    }
    this.releaseIdle();
  }

  /** What is there goes out; nothing after it does. */
  close(): void {
    this.flush();
    this.#isClosed = true;
  }

  /** The buffers go back when the socket has passed them on. */
  releaseIdle(): void {
    const { writableLength } = this.#socket;
    this.#waiting.set(writableLength);
    if (this.#buffer === noBuffer || this.#isCorked || writableLength > 0) return;
    if (this.#inFlight.length > 0) {
      for (const buffer of this.#inFlight) giveWriteBuffer(buffer);
      this.#inFlight = [];
    }
    if (this.#sent < this.#filled) return;
    giveWriteBuffer(this.#buffer);
    this.#buffer = noBuffer;
    this.#sent = 0;
    this.#filled = 0;
  }

  /** Returns the place in the buffer where `bytes` go. */
  #reserve(bytes: number): number {
    if (!this.#isScheduled) {
      this.#isScheduled = true;
      atTurnEnd(this);
    }
    if (this.#buffer.length - this.#filled < bytes) this.#nextBuffer(bytes);
    return this.#filled;
  }

  #nextBuffer(bytes: number): void {
    this.#passFilled();
    this.releaseIdle();
    if (this.#buffer !== noBuffer && this.#inFlight.length < keptInFlight) this.#inFlight.push(this.#buffer);
    this.#buffer = bytes <= writeBufferBytes ? takeWriteBuffer() : Buffer.allocUnsafeSlow(bytes);
    this.#sent = 0;
    this.#filled = 0;
  }

  #passFilled(): void {
    if (this.#sent === this.#filled) return;
    const part = this.#buffer.subarray(this.#sent, this.#filled);
    this.#sent = this.#filled;
    if (!this.#isClosed) this.#socket.write(part);
  }

  /** All of a turn in one `writev`. */
  #pass(bytes: Uint8Array): void {
    if (this.#isClosed) return;
    this.#reserve(0);
    if (!this.#isCorked) {
      this.#isCorked = true;
      this.#socket.cork();
    }
    this.#passFilled();
    this.#socket.write(bytes);
  }
}
