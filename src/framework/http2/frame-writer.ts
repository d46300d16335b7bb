import type { Socket } from 'node:net';
import {
  atTurnEnd,
  type ByteAccount,
  CountedBytes,
  giveWriteBuffer,
  noAccount,
  takeWriteBuffer,
  type TurnEnd,
  writeBufferBytes,
} from '../wire/index.js';
import { Flag, frameHeaderBytes, FrameType, writeUint32 } from './frame.js';

/**
 * From here on a payload is passed to the socket as it is. Below, copying is cheaper than one more buffer in the write:
 * with 8192, bodies of 16 and 64 KiB in frames of 16 KiB cost 1.1 and 1.3 times as much CPU.
 */
export const noCopyBytes = 32_768;

/** Full buffers kept for reuse while the socket still has them; a slow peer's output beyond is left to the garbage collector. */
const keptInFlight = 8;

const longestWhy = 100;

const noBuffer = Buffer.alloc(0);

/**
 * Writes frames (RFC 9113 sections 4.1 and 6) into one buffer; what one turn of the event loop brings leaves in one write of the socket.
 *
 * A buffer goes back to the pool when the socket has passed all of it to the kernel (`writableLength` is 0), and is not
 * written into again before.
 */
export class FrameWriter implements TurnEnd {
  readonly #socket: Socket;
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
  /** The socket holds more than it likes; body bytes wait until `onSocketDrain`. */
  isBlocked = false;

  constructor(socket: Socket, account: ByteAccount = noAccount) {
    this.#socket = socket;
    this.#waiting = new CountedBytes(account);
  }

  /** The buffer to write into, after `reserve`. */
  get buffer(): Buffer {
    return this.#buffer;
  }

  /** Makes room for `bytes`, and returns the place in `buffer` where they go. */
  reserve(bytes: number): number {
    this.schedule();
    if (this.#buffer.length - this.#filled < bytes) this.#nextBuffer(bytes);
    return this.#filled;
  }

  schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    atTurnEnd(this);
  }

  /** The frame whose payload was written at `reserve(9 + length) + 9`. */
  commit(length: number, type: number, flags: number, streamId: number): void {
    this.#filled = this.#header(this.#filled, length, type, flags, streamId) + length;
  }

  /** Header of a DATA frame; `length` bytes of `payload` follow. */
  dataHeader(length: number, flags: number, streamId: number): void {
    const at = this.reserve(frameHeaderBytes + (length < noCopyBytes ? length : 0));
    this.#filled = this.#header(at, length, FrameType.data, flags, streamId);
  }

  /** A part of the payload of the DATA frame begun. The bytes are not copied if they are many. */
  payload(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    if (length >= noCopyBytes) {
      this.#pass(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end));
      return;
    }
    const at = this.reserve(length);
    if (start === 0 && length === bytes.length) this.#buffer.set(bytes, at);
    else this.#buffer.set(bytes.subarray(start, end), at);
    this.#filled = at + length;
  }

  /** A header block that is there already, in as many frames as the peer's limit asks for: section 4.3. */
  headerBlock(block: Uint8Array, streamId: number, endStream: boolean, maxFrameBytes: number): void {
    let type: number = FrameType.headers;
    let flags: number = endStream ? Flag.endStream : Flag.none;
    let at = 0;
    do {
      const end = Math.min(block.length, at + maxFrameBytes);
      if (end === block.length) flags |= Flag.endHeaders;
      const target = this.reserve(frameHeaderBytes + end - at);
      this.#buffer.set(end - at === block.length ? block : block.subarray(at, end), target + frameHeaderBytes);
      this.commit(end - at, type, flags, streamId);
      type = FrameType.continuation;
      flags = Flag.none;
      at = end;
    } while (at < block.length);
  }

  rstStream(streamId: number, code: number): void {
    const at = this.reserve(13);
    writeUint32(this.#buffer, at + frameHeaderBytes, code);
    this.commit(4, FrameType.rstStream, Flag.none, streamId);
  }

  windowUpdate(streamId: number, bytes: number): void {
    const at = this.reserve(13);
    writeUint32(this.#buffer, at + frameHeaderBytes, bytes);
    this.commit(4, FrameType.windowUpdate, Flag.none, streamId);
  }

  /** The eight bytes of `from` that begin at `start`. */
  ping(flags: number, from: Uint8Array, start: number): void {
    const at = this.reserve(17) + frameHeaderBytes;
    for (let i = 0; i < 8; i += 1) this.#buffer[at + i] = from[start + i] ?? 0;
    this.commit(8, FrameType.ping, flags, 0);
  }

  settings(flags: number, payload: Uint8Array): void {
    const at = this.reserve(frameHeaderBytes + payload.length);
    this.#buffer.set(payload, at + frameHeaderBytes);
    this.commit(payload.length, FrameType.settings, flags, 0);
  }

  /** @param why  for people, and for gRPC clients that look for `too_many_pings`; cut to 100 characters */
  goaway(lastStreamId: number, code: number, why = ''): void {
    const text = why.slice(0, longestWhy);
    const at = this.reserve(17 + text.length) + frameHeaderBytes;
    writeUint32(this.#buffer, at, lastStreamId);
    writeUint32(this.#buffer, at + 4, code);
    this.#buffer.write(text, at + 8, 'latin1');
    this.commit(8 + text.length, FrameType.goaway, Flag.none, 0);
  }

  onTurnEnd(): void {
    this.#isScheduled = false;
    this.flush();
  }

  onSocketDrain(): void {
    this.isBlocked = false;
    this.releaseIdle();
  }

  /** Gives to the socket what is there. */
  flush(): void {
    this.#passFilled();
    if (this.#isCorked) {
      this.#isCorked = false;
      this.#socket.uncork();
      this.isBlocked = this.#socket.writableNeedDrain;
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

  #header(at: number, length: number, type: number, flags: number, streamId: number): number {
    const buffer = this.#buffer;
    buffer[at] = length >>> 16;
    buffer[at + 1] = length >>> 8;
    buffer[at + 2] = length;
    buffer[at + 3] = type;
    buffer[at + 4] = flags;
    writeUint32(buffer, at + 5, streamId);
    return at + frameHeaderBytes;
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
    if (this.#isClosed) return;
    if (!this.#socket.write(part)) this.isBlocked = true;
  }

  /** All of a turn in one `writev`. */
  #pass(bytes: Uint8Array): void {
    if (this.#isClosed) return;
    if (!this.#isCorked) {
      this.#isCorked = true;
      this.#socket.cork();
    }
    this.#passFilled();
    if (!this.#socket.write(bytes)) this.isBlocked = true;
  }
}
