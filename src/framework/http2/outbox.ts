import { coarseNow } from '../wire/index.js';
import { ErrorCode } from './error-code.js';
import { checkIncrement } from './flow-control.js';
import { defaultWindowBytes, Flag } from './frame.js';
import { type FrameWriter, noCopyBytes } from './frame-writer.js';
import type { Limits } from './limits.js';
import type { PeerSettings } from './settings.js';
import type { Stream } from './stream.js';

/**
 * More than that goes to the socket part by part: what is given to it in one piece is not seen to move until all of it
 * is out, and a slow reader would look like a dead one. No frame is longer, so that none holds up the other streams.
 */
const atOnceBytes = 262_144;

/**
 * Sends the bodies of all streams within the windows of the peer: RFC 9113 sections 5.2 and 6.9.
 *
 * Who can send at once does; who cannot waits in a ring, in which each sends one frame in its turn.
 */
export class Outbox {
  readonly #writer: FrameWriter;
  readonly #peer: PeerSettings;
  readonly #limits: Limits;
  /** The window of the connection. */
  #windowBytes = defaultWindowBytes;
  #first: Stream | undefined;
  #last: Stream | undefined;
  /** Of the turn of the first stream in the ring; 0: it has not begun. */
  #turnLeftBytes = 0;
  #isPumping = false;
  /** Whether all that `send` took last has been copied. */
  isCopied = false;
  /** When a frame was sent last, by `coarseNow`. */
  sentAtMs = 0;

  constructor(writer: FrameWriter, peer: PeerSettings, limits: Limits) {
    this.#writer = writer;
    this.#peer = peer;
    this.#limits = limits;
  }

  /** Sends all of it, or returns false. */
  send(stream: Stream, bytes: Uint8Array, isLast: boolean): boolean {
    const { length } = bytes;
    if (this.#writer.isBlocked || this.#first !== undefined || length > atOnceBytes) return false;
    if (length > stream.sendWindowBytes || length > this.#windowBytes) return false;
    const { maxFrameBytes } = this.#peer;
    this.isCopied = Math.min(length, maxFrameBytes) < noCopyBytes;
    let at = 0;
    while (length - at > maxFrameBytes) {
      this.#frame(stream, bytes, at, at + maxFrameBytes, Flag.none);
      at += maxFrameBytes;
    }
    this.#frame(stream, bytes, at, length, isLast ? Flag.endStream : Flag.none);
    return true;
  }

  /** The stream has something to send, or its window has been opened. */
  offer(stream: Stream): void {
    if (!stream.isInRing && stream.sendWindowBytes > 0) this.#push(stream);
    this.pump();
  }

  /** The window of the connection has been opened. Returns an error code, or `noError`. */
  openWindow(increment: number): number {
    const code = checkIncrement(this.#windowBytes, increment);
    if (code !== ErrorCode.noError) return code;
    this.#windowBytes += increment;
    this.pump();
    return code;
  }

  /** Sends what can be sent. */
  pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    while (!this.#writer.isBlocked && this.#windowBytes > 0) {
      const stream = this.#shift();
      if (stream === undefined) break;
      this.#serve(stream);
    }
    this.#isPumping = false;
  }

  #serve(stream: Stream): void {
    const { outgoing } = stream;
    const turnBytes = this.#turnLeftBytes > 0 ? this.#turnLeftBytes : Math.min(this.#peer.maxFrameBytes, atOnceBytes);
    this.#turnLeftBytes = 0;
    if (outgoing === undefined || stream.sendWindowBytes <= 0) return;
    const length = Math.min(outgoing.bytes, stream.sendWindowBytes, this.#windowBytes, turnBytes);
    const isLast = stream.endsWithData && length === outgoing.bytes;
    this.#count(stream, length);
    this.#writer.dataHeader(length, isLast ? Flag.endStream : Flag.none, stream.id);
    for (let left = length; left > 0; ) {
      const piece = outgoing.peek();
      if (piece === undefined) break;
      const part = Math.min(left, piece.length);
      this.#writer.payload(piece, 0, part);
      outgoing.drop(part);
      left -= part;
    }
    // What follows may put the stream back into the ring itself.
    if (outgoing.bytes > 0 && stream.sendWindowBytes > 0) {
      if (this.#windowBytes === 0 && length < turnBytes) this.#pushFirst(stream, turnBytes - length);
      else this.#push(stream);
    }
    stream.onSent(isLast, length);
  }

  #frame(stream: Stream, bytes: Uint8Array, start: number, end: number, flags: number): void {
    this.#count(stream, end - start);
    this.#writer.dataHeader(end - start, flags, stream.id);
    if (end > start) this.#writer.payload(bytes, start, end);
  }

  #count(stream: Stream, length: number): void {
    this.#limits.progress += 1;
    this.sentAtMs = coarseNow();
    stream.sendWindowBytes -= length;
    this.#windowBytes -= length;
  }

  #push(stream: Stream): void {
    stream.isInRing = true;
    if (this.#last === undefined) this.#first = stream;
    else this.#last.nextInRing = stream;
    this.#last = stream;
  }

  /** The window of the connection has cut its turn short: a few bytes must not cost it a round. */
  #pushFirst(stream: Stream, turnLeftBytes: number): void {
    this.#turnLeftBytes = turnLeftBytes;
    stream.isInRing = true;
    stream.nextInRing = this.#first;
    this.#first = stream;
    this.#last ??= stream;
  }

  #shift(): Stream | undefined {
    const stream = this.#first;
    if (stream === undefined) return undefined;
    this.#first = stream.nextInRing;
    if (this.#first === undefined) this.#last = undefined;
    stream.nextInRing = undefined;
    stream.isInRing = false;
    return stream;
  }
}
