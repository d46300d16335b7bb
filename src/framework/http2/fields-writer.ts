import { ErrorCode } from './error-code.js';
import { fieldOverheadBytes, listBytes } from './fields-of.js';
import { Flag, frameHeaderBytes, FrameType } from './frame.js';
import type { FrameWriter } from './frame-writer.js';
import type { HeaderField, HpackEncoder } from './hpack/index.js';
import type { Http2Counters } from './http2.counters.js';
import { Http2HeaderError } from './http2.errors.js';
import type { Http2Fields, Http2Stream } from './http2-stream.js';
import type { Limits } from './limits.js';
import type { PeerSettings } from './settings.js';
import type { Stream } from './stream.js';

/** What fields need of their connection. */
export interface FieldsHost {
  readonly handler: { onError?(error: unknown, stream: Http2Stream): void };
  readonly counters: Http2Counters;
  readonly limits: Limits;
  readonly peer: PeerSettings;
  readonly writer: FrameWriter;
  readonly encoder: HpackEncoder;
}

/** Size updates that `appendPrecomputed` puts in front of a block. */
const sizeUpdatesBytes = 12;

/** At most, for each octet of a block: one that stands for an entry of the static table, RFC 7541 appendix A. */
const listBytesPerOctet = 64;

/** Writes HEADERS frames, with CONTINUATION frames where it takes them: RFC 9113 sections 6.2 and 6.10. */
export class FieldsWriter {
  readonly #host: FieldsHost;

  constructor(host: FieldsHost) {
    this.#host = host;
  }

  /** False: the peer would not read them, and the stream is gone. */
  send(stream: Stream, fields: Http2Fields, endStream: boolean): boolean {
    const { encoder, writer, limits, peer } = this.#host;
    const isBlock = fields instanceof Uint8Array;
    const room = isBlock ? fields.length + sizeUpdatesBytes : encoder.maxEncodedBytes(fields);
    const mostListBytes = isBlock ? fields.length * listBytesPerOctet : room + fields.length * fieldOverheadBytes;
    if (mostListBytes > peer.maxHeaderListBytes && !this.#isReadByPeer(stream, fields)) return false;
    limits.progress += 1;
    const start = writer.reserve(frameHeaderBytes + room) + frameHeaderBytes;
    const { buffer } = writer;
    const end = isBlock ? encoder.appendPrecomputed(fields, buffer, start) : encoder.encode(fields, buffer, start);
    return this.#commit(stream.id, buffer, start, end, endStream);
  }

  /** The same, those of `fixed` first. */
  sendWith(stream: Stream, fixed: readonly HeaderField[], fields: readonly HeaderField[]): boolean {
    const { encoder, writer, limits, peer } = this.#host;
    const room = encoder.maxEncodedBytes(fields) + encoder.maxFixedBytes(fixed);
    const mostListBytes = room + (fixed.length + fields.length) * fieldOverheadBytes;
    if (mostListBytes > peer.maxHeaderListBytes && !this.#isReadByPeer(stream, [...fixed, ...fields])) return false;
    limits.progress += 1;
    const start = writer.reserve(frameHeaderBytes + room) + frameHeaderBytes;
    const { buffer } = writer;
    const end = encoder.encodeMore(fields, buffer, encoder.encodeFixed(fixed, buffer, start));
    return this.#commit(stream.id, buffer, start, end, false);
  }

  #commit(streamId: number, buffer: Buffer, start: number, end: number, endStream: boolean): boolean {
    const { writer, peer } = this.#host;
    if (end - start <= peer.maxFrameBytes) {
      const flags = endStream ? Flag.endHeaders | Flag.endStream : Flag.endHeaders;
      writer.commit(end - start, FrameType.headers, flags, streamId);
    } else {
      writer.headerBlock(Buffer.from(buffer.subarray(start, end)), streamId, endStream, peer.maxFrameBytes);
    }
    return true;
  }

  /** What the peer would not read is not sent: the stream ends, as that of grpc-go 1.85 does. */
  #isReadByPeer(stream: Stream, fields: Http2Fields): boolean {
    const { counters, handler, peer } = this.#host;
    const bytes = listBytes(fields);
    const { maxHeaderListBytes } = peer;
    if (bytes <= maxHeaderListBytes) return true;
    counters.answerFieldsTooLarge += 1;
    stream.reset(ErrorCode.internalError);
    const expected = `expected: <= ${maxHeaderListBytes}, the client's SETTINGS_MAX_HEADER_LIST_SIZE`;
    handler.onError?.(new Http2HeaderError(`header list of an answer: ${bytes} bytes (${expected})`), stream);
    return false;
  }
}
