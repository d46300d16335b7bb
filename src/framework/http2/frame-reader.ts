import { ErrorCode } from './error-code.js';
import { clientPreface, frameHeaderBytes, FrameType, readUint31 } from './frame.js';
import { Http2ConnectionError } from './http2.errors.js';

/** Told of whole frames, in order. */
export interface FrameSink {
  /** The payload is `bytes[start, end)`; nobody writes into `bytes` any more, so views of it may be kept. */
  onFrame(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void;
}

const smallFrameBytes = 4096;

/** Room for a frame that has begun, as a multiple of what is there: a peer makes us hold little more than it sends. */
const growth = 4;

/**
 * Cuts the bytes of a client into frames: RFC 9113 sections 3.4 and 4.1.
 *
 * A frame that lies whole in a chunk is passed on where it lies; only one that is split over chunks is copied, once or twice.
 * A length above the limit is refused before anything of the frame is kept.
 */
export class FrameReader {
  readonly #sink: FrameSink;
  readonly #maxFrameBytes: number;
  #prefaceSeen = 0;
  /** The last frame began a request. */
  #isHeaders = false;
  #isStopped = false;
  /** The beginning of a frame, from its header on. */
  #partial: Buffer | undefined;
  #partialBytes = 0;

  constructor(sink: FrameSink, maxFrameBytes: number) {
    this.#sink = sink;
    this.#maxFrameBytes = maxFrameBytes;
  }

  /** A frame with header fields has begun and is not all there. */
  get isInsideHeaders(): boolean {
    if (this.#partial === undefined || this.#partialBytes < frameHeaderBytes) return false;
    const type = this.#partial[3];
    return type === FrameType.headers || type === FrameType.continuation;
  }

  /** Nothing is passed on any more, not even the rest of the chunk under way. */
  stop(): void {
    this.#isStopped = true;
    this.#partial = undefined;
  }

  /**
   * @param mayGoOn asked before each frame but the first, RST_STREAM, and a short DATA frame that follows its HEADERS
   * @returns how much of it has been taken
   * @throws Http2ConnectionError  the bytes are not those of an HTTP/2 client, or a frame is too long
   */
  push(chunk: Buffer, mayGoOn: () => boolean = always): number {
    let at = 0;
    if (this.#prefaceSeen < clientPreface.length) at = this.#readPreface(chunk);
    if (this.#partial !== undefined) at = this.#continuePartial(chunk, at);
    while (!this.#isStopped && chunk.length - at >= frameHeaderBytes) {
      const end = at + frameHeaderBytes + this.#lengthAt(chunk, at);
      if (end > chunk.length) break;
      if (at > 0 && !this.#isOfRequest(chunk, at, end) && !mayGoOn()) return at;
      this.#isHeaders = chunk[at + 3] === FrameType.headers;
      this.#emit(chunk, at, end);
      at = end;
    }
    if (at < chunk.length && !this.#isStopped) this.#keep(chunk, at);
    return chunk.length;
  }

  /** A few bytes of a body that has come with its headers, for which a request that is begun is not made to wait; or its cancellation. */
  #isOfRequest(bytes: Buffer, at: number, end: number): boolean {
    const type = bytes[at + 3];
    return type === FrameType.rstStream || (this.#isHeaders && type === FrameType.data && end - at <= smallFrameBytes);
  }

  #emit(bytes: Buffer, at: number, end: number): void {
    const streamId = readUint31(bytes, at + 5);
    this.#sink.onFrame(bytes[at + 3] ?? 0, bytes[at + 4] ?? 0, streamId, bytes, at + frameHeaderBytes, end);
  }

  #readPreface(chunk: Buffer): number {
    const end = Math.min(chunk.length, clientPreface.length - this.#prefaceSeen);
    if (clientPreface.compare(chunk, 0, end, this.#prefaceSeen, this.#prefaceSeen + end) !== 0) {
      throw new Http2ConnectionError(ErrorCode.protocolError, 'the connection does not begin with the HTTP/2 preface');
    }
    this.#prefaceSeen += end;
    return end;
  }

  #lengthAt(bytes: Buffer, at: number): number {
    const length = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    if (length > this.#maxFrameBytes) {
      const expected = `expected: <= ${this.#maxFrameBytes}`;
      throw new Http2ConnectionError(ErrorCode.frameSizeError, `frame length: ${length} (${expected})`);
    }
    return length;
  }

  #keep(chunk: Buffer, at: number): void {
    const rest = chunk.length - at;
    let room = frameHeaderBytes;
    if (rest >= frameHeaderBytes) room = Math.min(frameHeaderBytes + this.#lengthAt(chunk, at), rest * growth);
    this.#partial = Buffer.allocUnsafeSlow(room);
    this.#partialBytes = chunk.copy(this.#partial, 0, at);
  }

  /** Returns where the next frame begins. */
  #continuePartial(chunk: Buffer, from: number): number {
    const at = this.#fill(chunk, from, frameHeaderBytes);
    if (this.#partial === undefined || this.#partialBytes < frameHeaderBytes) return at;
    const wanted = frameHeaderBytes + this.#lengthAt(this.#partial, 0);
    const end = this.#fill(chunk, at, wanted);
    if (this.#partialBytes === wanted) {
      const frame = this.#partial;
      this.#partial = undefined;
      this.#isHeaders = frame[3] === FrameType.headers;
      this.#emit(frame, 0, wanted);
    }
    return end;
  }

  #fill(chunk: Buffer, at: number, wanted: number): number {
    const missing = wanted - this.#partialBytes;
    if (this.#partial === undefined || missing <= 0) return at;
    const end = Math.min(chunk.length, at + missing);
    const filled = this.#partialBytes + end - at;
    if (filled > this.#partial.length) {
      const larger = Buffer.allocUnsafeSlow(Math.min(wanted, filled * growth));
      this.#partial.copy(larger, 0, 0, this.#partialBytes);
      this.#partial = larger;
    }
    chunk.copy(this.#partial, this.#partialBytes, at, end);
    this.#partialBytes = filled;
    return end;
  }
}

function always(): boolean {
  return true;
}
