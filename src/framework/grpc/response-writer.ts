import type { DescMessage, MessageInitShape } from '@bufbuild/protobuf';
import { compress, type Encoding } from './compression.js';
import { frameOf, prefixBytes } from './frame.js';
import { SlowReaderError } from './grpc.errors.js';
import type { GrpcOptions } from './grpc.options.js';
import type { Http2Fields } from '../http2/index.js';
import type { BoundMethod } from './method-table.js';
import type { ServerStream } from './server-stream.js';

type Output = Pick<BoundMethod<never>, 'output'>;

// `frame` is missing while the message is being compressed.
interface Pending {
  frame: Uint8Array | undefined;
  readonly bytes: number;
}

/**
 * The messages of one answer, in order. What the stream does not take at once waits here, within a bound; a producer that
 * can wait asks `drained()` first.
 */
export class ResponseWriter {
  readonly #stream: ServerStream;
  readonly #output: Output;
  readonly #options: GrpcOptions;
  readonly #encoding: Encoding | undefined;
  #queue: Pending[] = [];
  #queuedBytes = 0;
  #isBlocked = false;
  #isClosed = false;
  #trailers: Http2Fields | undefined;
  #drained: PromiseWithResolvers<void> | undefined;

  constructor(stream: ServerStream, output: Output, options: GrpcOptions, encoding: Encoding | undefined) {
    this.#stream = stream;
    this.#output = output;
    this.#options = options;
    this.#encoding = encoding;
  }

  /** Whether something has not been taken by the stream yet. */
  get isPending(): boolean {
    return this.#isBlocked || this.#queue.length > 0;
  }

  /**
   * Sends `value`, anything `create()` takes for the output message.
   *
   * @throws ResponseTooLargeError
   * @throws SlowReaderError too much is waiting already
   */
  write(value: unknown): void {
    if (this.#isClosed) return;
    const frame = encode(this.#output, value, this.#options.maxSendBytes);
    if (this.#encoding !== undefined && frame.length - prefixBytes >= this.#options.compressionMinBytes) {
      this.#enqueueCompressed(this.#encoding, frame);
      return;
    }
    if (this.isPending) this.#enqueue({ frame, bytes: frame.length });
    else this.#isBlocked = !this.#stream.write(frame);
  }

  /** Resolves when the stream takes more; `undefined` while it does. */
  drained(): Promise<void> | undefined {
    if (!this.isPending || this.#isClosed) return undefined;
    this.#drained ??= Promise.withResolvers<void>();
    return this.#drained.promise;
  }

  /** Sends the trailers after everything that waits. */
  finish(trailers: Http2Fields): void {
    this.#trailers = trailers;
    this.#flush();
  }

  onDrain(): void {
    this.#isBlocked = false;
    this.#flush();
  }

  /** Drops what waits; nothing more is sent but trailers. */
  discard(): void {
    this.#isClosed = true;
    this.#queue = [];
    this.#count(-this.#queuedBytes);
    this.#release();
  }

  #enqueueCompressed(encoding: Encoding, plain: Uint8Array): void {
    const pending: Pending = { frame: undefined, bytes: plain.length };
    this.#enqueue(pending);
    const settle = (frame: Uint8Array): void => {
      pending.frame = frame;
      if (!this.#isClosed) this.#flush();
    };
    // Compression fails for want of memory at most; the message then goes as it is.
    compress(encoding, plain.subarray(prefixBytes)).then(
      (data) => settle(frameOf(data, true)),
      () => settle(plain),
    );
  }

  #enqueue(pending: Pending): void {
    if (
      this.#queue.length >= this.#options.maxQueuedMessages ||
      this.#queuedBytes + pending.bytes > this.#options.maxQueuedBytes
    ) {
      // One message always has room, however small the bound.
      if (this.#queue.length > 0) throw new SlowReaderError(this.#queue.length, this.#queuedBytes);
    }
    const hasRoom = this.#stream.account.tryCharge(pending.bytes);
    if (!hasRoom) throw new SlowReaderError(this.#queue.length, this.#queuedBytes);
    this.#queue.push(pending);
    this.#queuedBytes += pending.bytes;
  }

  #flush(): void {
    for (let head = this.#queue[0]; head?.frame !== undefined && !this.#isBlocked; head = this.#queue[0]) {
      this.#queue.shift();
      this.#count(-head.bytes);
      this.#isBlocked = !this.#stream.write(head.frame);
    }
    if (this.#queue.length > 0) return;
    if (this.#trailers !== undefined) {
      this.#isClosed = true;
      this.#stream.end(this.#trailers);
      this.#trailers = undefined;
      this.#release();
    } else if (!this.#isBlocked) this.#release();
  }

  #count(bytes: number): void {
    this.#queuedBytes += bytes;
    this.#stream.account.charge(bytes);
  }

  #release(): void {
    this.#drained?.resolve();
    this.#drained = undefined;
  }
}

/**
 * Encodes a handler's result, with its prefix. Nothing at all is the empty message.
 *
 * @throws ResponseTooLargeError
 * @throws Error the value does not fit the message type
 */
export function encode({ output }: Output, value: unknown, maxBytes: number): Uint8Array<ArrayBuffer> {
  if (typeof value !== 'object' && value !== undefined)
    throw new TypeError(`result of type ${typeof value} (expected: ${output.desc.typeName})`);
  return output.encodeFrame((value ?? undefined) as MessageInitShape<DescMessage> | undefined, maxBytes);
}
