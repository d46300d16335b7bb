import { RequestTooLargeError } from '../pipeline/index.js';
import { MalformedMessageError } from './grpc.errors.js';

/** Length of what stands before each message: one byte of flags, four of length. */
export const prefixBytes = 5;

const empty = new Uint8Array(0);

/** A message as it came over the wire: the bytes [start, end) of a packet, which are not copied. */
export interface WireMessage {
  readonly isCompressed: boolean;
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** Whether `packet` is one message of at most `maxBytes` and nothing else, as nearly every unary request is. */
export function isOneMessage(packet: Uint8Array, maxBytes: number): boolean {
  const size = packet.length - prefixBytes;
  return size >= 0 && size <= maxBytes && (packet[0] as number) <= 1 && sizeAt(packet, 1) === size;
}

/** The message of a packet that is one. */
export function messageIn(packet: Uint8Array): WireMessage {
  return { isCompressed: packet[0] === 1, bytes: packet, start: prefixBytes, end: packet.length };
}

function sizeAt(bytes: Uint8Array, at: number): number {
  const buffer = bytes as Record<number, number>;
  return (
    (((buffer[at] ?? 0) << 24) |
      ((buffer[at + 1] ?? 0) << 16) |
      ((buffer[at + 2] ?? 0) << 8) |
      (buffer[at + 3] ?? 0)) >>>
    0
  );
}

/**
 * Cuts a request body into messages, however the bytes are split over packets. A message's length is checked as soon as
 * its prefix is there, before its bytes are kept.
 *
 * @see https://github.com/grpc/grpc/blob/v1.71.0/doc/PROTOCOL-HTTP2.md#length-prefixed-message
 */
export class MessageReader {
  readonly #maxBytes: number;
  // Bytes [start, end) are unread. A chunk is kept as it came; only a message that spans chunks is put together.
  #buffer: Uint8Array = empty;
  #start = 0;
  #end = 0;
  #isOwn = false;

  /** @param maxBytes the largest message taken, without its prefix */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  push(chunk: Uint8Array): void {
    if (this.#start === this.#end) {
      this.#buffer = chunk;
      this.#start = 0;
      this.#end = chunk.length;
      this.#isOwn = false;
      return;
    }
    if (!this.#isOwn || this.#end + chunk.length > this.#buffer.length) this.#grow(chunk.length);
    this.#buffer.set(chunk, this.#end);
    this.#end += chunk.length;
  }

  /** Bytes that are left over. */
  get bytes(): number {
    return this.#end - this.#start;
  }

  /** Whether nothing is left over. */
  get isEmpty(): boolean {
    return this.#start === this.#end;
  }

  /**
   * The next whole message, or `undefined` while it is not complete. It stays valid.
   *
   * @throws RequestTooLargeError
   * @throws MalformedMessageError the flags are neither 0 nor 1
   */
  next(): WireMessage | undefined {
    if (this.#end - this.#start < prefixBytes) return undefined;
    const flags = this.#buffer[this.#start] as number;
    if (flags > 1) throw new MalformedMessageError(`message flags ${flags} (expected: 0 or 1)`);
    const size = sizeAt(this.#buffer, this.#start + 1);
    if (size > this.#maxBytes) throw new RequestTooLargeError(this.#maxBytes, `: ${size}`);
    const from = this.#start + prefixBytes;
    if (this.#end < from + size) return undefined;
    this.#start = from + size;
    return { isCompressed: flags === 1, bytes: this.#buffer, start: from, end: from + size };
  }

  // Four times what is there, so that many small packets are not copied over and over, and 64 KiB in frames of 16 KiB are
  // put together once; never all that a prefix announces, which costs the sender nothing. Bytes handed out stay where they are: a new buffer, never moved within the old.
  #grow(more: number): void {
    const have = this.#end - this.#start;
    const announced = have < prefixBytes ? 0 : prefixBytes + sizeAt(this.#buffer, this.#start + 1);
    const capacity = Math.max(have + more, Math.min(4 * (have + more), announced));
    const buffer = Buffer.allocUnsafeSlow(capacity);
    buffer.set(this.#buffer.subarray(this.#start, this.#end));
    this.#buffer = buffer;
    this.#start = 0;
    this.#end = have;
    this.#isOwn = true;
  }
}

/** Puts the prefix before a message. */
export function frameOf(message: Uint8Array, isCompressed: boolean): Buffer<ArrayBuffer> {
  const frame = Buffer.allocUnsafe(prefixBytes + message.length);
  frame[0] = isCompressed ? 1 : 0;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, prefixBytes);
  return frame;
}
