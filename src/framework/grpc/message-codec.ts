import {
  create,
  type DescMessage,
  fromBinary,
  type Message,
  type MessageInitShape,
  toBinary,
} from '@bufbuild/protobuf';
import { frameOf } from './frame.js';
import { ResponseTooLargeError } from './grpc.errors.js';

/** Messages of one type to bytes and back. */
export interface MessageCodec {
  /** Reads `bytes` from `start` to `end`. */
  decode(bytes: Uint8Array, start: number, end: number): Message;
  /**
   * What goes over the wire for `value`, anything `create()` takes: prefix and message.
   *
   * @throws ResponseTooLargeError
   */
  encodeFrame(value: object, maxBytes: number): Uint8Array;
}

export function codecOf(desc: DescMessage): MessageCodec {
  return {
    decode: (bytes, start, end) => fromBinary(desc, bytes.subarray(start, end)),
    encodeFrame: (value, maxBytes) => {
      const bytes = toBinary(desc, create(desc, value as MessageInitShape<DescMessage>));
      if (bytes.length > maxBytes) throw new ResponseTooLargeError(maxBytes, bytes.length);
      return frameOf(bytes, false);
    },
  };
}
