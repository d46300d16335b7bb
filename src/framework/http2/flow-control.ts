import { ErrorCode } from './error-code.js';
import { largestWindowBytes } from './frame.js';

/**
 * What the peer may still send, on the connection or on one stream: RFC 9113 section 5.2.
 *
 * Room is given back when the consumer has taken the bytes, and gathered until half of the window is due, so that a window
 * costs two WINDOW_UPDATE frames.
 */
export class ReceiveWindow {
  readonly #threshold: number;
  #left: number;
  #due = 0;

  constructor(bytes: number) {
    this.#left = bytes;
    this.#threshold = bytes >>> 1;
  }

  /** Bytes have come. False: the peer had no right to send so many. */
  take(bytes: number): boolean {
    this.#left -= bytes;
    return this.#left >= 0;
  }

  /** The consumer has taken bytes. Returns the increment to announce now, or 0. */
  giveBack(bytes: number): number {
    this.#due += bytes;
    if (this.#due < this.#threshold) return 0;
    const increment = this.#due;
    this.#due = 0;
    this.#left += increment;
    return increment;
  }
}

/** No more than `largestWindowBytes` may be left to send: RFC 9113 section 6.9.1. Returns an error code, or `noError`. */
export function checkIncrement(windowBytes: number, increment: number): number {
  if (increment === 0) return ErrorCode.protocolError;
  return windowBytes + increment > largestWindowBytes ? ErrorCode.flowControlError : ErrorCode.noError;
}
