// Imported, as the global is looked up by a getter each time.
import { Buffer } from 'node:buffer';
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  protoInt64,
  toBinary,
} from '@bufbuild/protobuf';
import { frameOf } from '../frame.js';
import { ResponseTooLargeError } from '../grpc.errors.js';
import { FrameSlab } from './frame-slab.js';
import { functionsOf, type MessageFunctions } from './message-functions.js';
import { withPath } from './value-path.js';
import { weigh } from './weigh.js';
import { closeBudget, type DecodeLimits, openBudget, unlimited } from './work-budget.js';

/** Length of what stands before each message: one byte of flags, four of length. */
const prefixBytes = 5;

/** Room that is asked for at least: a common message fits without growing. */
const minExpectedBytes = 1024;

/**
 * Reads and writes messages of one type as `fromBinary`, `create` and `toBinary` of protobuf-es do, in a fraction of the
 * time: the functions for a type are generated from its descriptor the first time they are called.
 *
 * What differs from protobuf-es 2.17: numbers that a closed enum does not have are kept also where other unknown fields
 * follow; `bytes` are plain `Uint8Array` whatever class the input has; what is no `Uint8Array` is refused for `bytes`
 * where protobuf-es would write something else, and what is no message (`Date`, arrays, `Map`, `Set`, promises, binary data,
 * async iterables) where it would write one without fields; so is a case that a oneof does not have, which it would drop.
 */
export interface MessageCodec<D extends DescMessage = DescMessage> {
  readonly desc: D;

  /**
   * Reads the message in [start, end). Its `bytes` and unknown fields are views of `bytes`, which must not be reused.
   *
   * @param limits           what it may take; by default as deep as `fromBinary` goes, and as large as it comes
   * @param maxUnknownFields how many fields that the type does not have are kept; the others are skipped. By default all
   * @throws TooManyElementsError
   * @throws MessageTooDeepError
   * @throws Error the bytes are not a message of this type: truncated, a bad tag, text that is not UTF-8
   */
  decode(
    bytes: Uint8Array,
    start?: number,
    end?: number,
    limits?: DecodeLimits,
    maxUnknownFields?: number,
  ): MessageShape<D>;

  /**
   * Writes a message, or what `create` makes one of.
   *
   * @throws Error a value does not fit its field, or a required field is missing; the message begins with where, such as
   *   `items[3].price: `
   */
  encode(value: MessageInitShape<D> | undefined): Uint8Array;

  /**
   * Writes the same behind the five bytes that begin an uncompressed message of gRPC.
   *
   * @param maxBytes the largest message, without its prefix
   * @throws ResponseTooLargeError
   * @throws Error as `encode`
   */
  encodeFrame(value: MessageInitShape<D> | undefined, maxBytes: number): Uint8Array<ArrayBuffer>;
}

const slab = new FrameSlab();

function tryEncode(desc: DescMessage, value: object, isInit: boolean): void {
  const out = new FrameSlab();
  functionsOf(desc).write(out, value, out.open(minExpectedBytes), isInit);
}

class GeneratedCodec<D extends DescMessage> implements MessageCodec<D> {
  readonly desc: D;
  readonly #functions: MessageFunctions;
  #expectedBytes = minExpectedBytes;

  constructor(desc: D) {
    this.desc = desc;
    this.#functions = functionsOf(desc);
    this.#functions.make();
  }

  decode(
    bytes: Uint8Array,
    start = 0,
    end = bytes.length,
    limits = unlimited,
    maxUnknownFields = Number.POSITIVE_INFINITY,
  ): MessageShape<D> {
    if (start < 0 || start > end || end > bytes.length)
      throw new RangeError(`[${start}, ${end}) (expected: within ${bytes.length} bytes)`);
    const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const message = this.#functions.make();
    openBudget(end - start, limits, maxUnknownFields);
    this.#functions.read(message, buffer, start, end, end, 1);
    closeBudget();
    return message as MessageShape<D>;
  }

  encode(value: MessageInitShape<D> | undefined): Uint8Array {
    return this.encodeFrame(value, Infinity).subarray(prefixBytes);
  }

  encodeFrame(value: MessageInitShape<D> | undefined, maxBytes: number): Uint8Array<ArrayBuffer> {
    // A getter of the value may encode something itself.
    const out = slab.isOpen ? new FrameSlab() : slab;
    const start = out.open(this.#expectedBytes);
    try {
      const end = this.#functions.write(out, this.#objectOf(value), start + prefixBytes, true);
      const size = end - start - prefixBytes;
      if (size > maxBytes) throw new ResponseTooLargeError(maxBytes, size);
      const b = out.bytes;
      b[start] = 0;
      b[start + 1] = size >>> 24;
      b[start + 2] = size >>> 16;
      b[start + 3] = size >>> 8;
      b[start + 4] = size;
      this.#expect(end - start);
      return out.take(start, end);
    } catch (error) {
      throw withPath(error, this.desc, value, tryEncode);
    } finally {
      out.close();
    }
  }

  #objectOf(value: unknown): object {
    if (value === undefined || value === null) return {};
    if (typeof value !== 'object') throw new TypeError(`${typeof value} (expected: ${this.desc.typeName})`);
    return value;
  }

  // Room for the next message: at once as much as for the last, and less only when many were smaller.
  #expect(bytes: number): void {
    const wanted = minExpectedBytes + bytes + (bytes >>> 3);
    const expected = this.#expectedBytes;
    this.#expectedBytes = wanted > expected ? wanted : expected - ((expected - wanted) >>> 4);
  }
}

/** protobuf-es itself, where functions may not be generated. */
class PlainCodec<D extends DescMessage> implements MessageCodec<D> {
  constructor(readonly desc: D) {}

  decode(
    bytes: Uint8Array,
    start = 0,
    end = bytes.length,
    limits = unlimited,
    maxUnknownFields = Number.POSITIVE_INFINITY,
  ): MessageShape<D> {
    const message = new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start);
    openBudget(message.length, limits, maxUnknownFields);
    weigh(this.desc, Buffer.from(message.buffer, message.byteOffset, message.length), 0, message.length);
    closeBudget();
    return fromBinary(this.desc, message, {
      readUnknownFields: maxUnknownFields > 0,
      recursionLimit: limits.maxMessageDepth,
    });
  }

  encode(value: MessageInitShape<D> | undefined): Uint8Array {
    return toBinary(this.desc, create(this.desc, value));
  }

  encodeFrame(value: MessageInitShape<D> | undefined, maxBytes: number): Uint8Array<ArrayBuffer> {
    const message = this.encode(value);
    if (message.length > maxBytes) throw new ResponseTooLargeError(maxBytes, message.length);
    return frameOf(message, false);
  }
}

const codecs = new WeakMap<DescMessage, MessageCodec>();

/**
 * The codec of a message type, the same one at each call. Where V8 may not generate code from strings
 * (`--disallow-code-generation-from-strings`), or protobuf-es has no BigInt (`BUF_BIGINT_DISABLE=1`), it is protobuf-es.
 */
export function codecOf<D extends DescMessage>(desc: D): MessageCodec<D> {
  let codec = codecs.get(desc) as MessageCodec<D> | undefined;
  if (codec === undefined) {
    codec = createCodec(desc);
    codecs.set(desc, codec);
  }
  return codec;
}

function createCodec<D extends DescMessage>(desc: D): MessageCodec<D> {
  if (!protoInt64.supported) return new PlainCodec(desc);
  try {
    return new GeneratedCodec(desc);
  } catch (error) {
    if (error instanceof EvalError) return new PlainCodec(desc);
    throw error;
  }
}
