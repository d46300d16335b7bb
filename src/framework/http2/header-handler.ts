import { coarseNow } from '../wire/index.js';
import { ErrorCode } from './error-code.js';
import { Flag } from './frame.js';
import { type HeaderField, HpackError, precompute } from './hpack/index.js';
import { Http2ConnectionError } from './http2.errors.js';
import { FieldCollector, type Http2RequestHead } from './request-head.js';
import type { Session } from './session.js';
import { Stream } from './stream.js';

// Decoding is never interrupted: one serves all connections.
const collector = new FieldCollector();

const tooLargeFields: readonly HeaderField[] = [{ name: ':status', value: '431' }];
const tooLarge = precompute(tooLargeFields);
const badRequest = precompute([{ name: ':status', value: '400' }]);

/** HEADERS and CONTINUATION: RFC 9113 sections 4.3, 6.2, 6.10, 8.1. */
export class HeaderHandler {
  readonly #session: Session;
  /** The stream whose header block is not all there; 0: none. */
  openId = 0;
  /** Since when, by `coarseNow`. */
  openSinceMs = 0;
  #flags = 0;
  #dependsOnItself = false;
  #parts: Buffer[] = [];
  #bytes = 0;

  constructor(session: Session) {
    this.#session = session;
  }

  /** A HEADERS frame without padding and priority. */
  onHeaders(
    streamId: number,
    flags: number,
    dependsOnItself: boolean,
    bytes: Buffer,
    start: number,
    end: number,
  ): void {
    if ((flags & Flag.endHeaders) !== 0) {
      this.#onBlock(streamId, flags, dependsOnItself, bytes, start, end);
      return;
    }
    this.openId = streamId;
    this.openSinceMs = coarseNow();
    this.#flags = flags;
    this.#dependsOnItself = dependsOnItself;
    this.#add(bytes, start, end);
  }

  onContinuation(streamId: number, flags: number, bytes: Buffer, start: number, end: number): void {
    if (streamId !== this.openId) {
      throw new Http2ConnectionError(ErrorCode.protocolError, 'CONTINUATION without HEADERS before it');
    }
    this.#add(bytes, start, end);
    if ((flags & Flag.endHeaders) === 0) return;
    const block = Buffer.concat(this.#parts);
    this.#parts = [];
    this.#bytes = 0;
    this.openId = 0;
    this.#onBlock(streamId, this.#flags, this.#dependsOnItself, block, 0, block.length);
  }

  // CVE-2024-27316 and its kin: neither bytes nor frames without end.
  #add(bytes: Buffer, start: number, end: number): void {
    const { maxContinuations, maxHeaderBlockBytes } = this.#session.options;
    this.#bytes += end - start;
    if (this.#bytes > maxHeaderBlockBytes || this.#parts.length > maxContinuations) {
      throw this.#session.limits.cut('continuation');
    }
    // A copy: a view would hold the whole chunk that it came in.
    this.#parts.push(Buffer.from(bytes.subarray(start, end)));
  }

  #onBlock(id: number, flags: number, dependsOnItself: boolean, bytes: Buffer, start: number, end: number): void {
    const session = this.#session;
    const endStream = (flags & Flag.endStream) !== 0;
    const stream = session.streams.get(id);
    if (stream !== undefined) {
      this.#onTrailers(stream, endStream, bytes, start, end);
    } else if (id <= session.lastStreamId) {
      this.#onClosed(id, endStream, bytes, start, end);
    } else {
      session.lastStreamId = id;
      const isWhole = this.#decode(false, bytes, start, end);
      if (id <= session.lastServedId) this.#onRequest(id, endStream, isWhole, dependsOnItself);
    }
  }

  /** False: the fields are too many. */
  #decode(isTrailers: boolean, bytes: Buffer, start: number, end: number): boolean {
    const { decoder, options } = this.#session;
    collector.begin(isTrailers);
    try {
      return (
        decoder.decode(bytes, start, end, collector.onField) === 'ok' &&
        decoder.listBytes <= options.maxHeaderListBytes &&
        collector.fieldCount <= options.maxHeaderFields
      );
    } catch (error) {
      if (!(error instanceof HpackError)) throw error;
      throw new Http2ConnectionError(ErrorCode.compressionError, error.message, { cause: error });
    }
  }

  #onRequest(id: number, endStream: boolean, isWhole: boolean, dependsOnItself: boolean): void {
    const session = this.#session;
    const { counters, options } = session;
    if (session.streams.size >= options.maxConcurrentStreams) {
      counters.streamsRefused += 1;
      session.refuse(id, ErrorCode.refusedStream, endStream);
      return;
    }
    const head = dependsOnItself ? undefined : collector.takeHead(endStream, isWhole);
    if (head === undefined) {
      counters.requestsMalformed += 1;
      session.refuse(id, ErrorCode.protocolError, endStream);
      return;
    }
    const { streamWindowBytes } = options;
    const stream = new Stream(session, id, streamWindowBytes, session.peer.windowBytes, collector.contentLength);
    session.open(stream);
    stream.isRequestEnded = endStream;
    const isServed = isWhole && isServedScheme(head);
    try {
      if (isServed) session.handler.onStream(stream, head);
      else if (isWhole) this.#refuseScheme(stream);
      else this.#refuse(stream, head);
    } catch (error) {
      session.report(error, stream);
    }
    // An answer of ours to what costs the peer little.
    if (!isServed) session.limits.onStreamError(coarseNow());
  }

  #refuseScheme(stream: Stream): void {
    this.#session.counters.requestsMalformed += 1;
    stream.isRefused = true;
    stream.respondOnly(badRequest);
  }

  #refuse(stream: Stream, head: Http2RequestHead): void {
    const { counters, handler } = this.#session;
    counters.headerListsTooLarge += 1;
    stream.isRefused = true;
    if (handler.onHeadersTooLarge === undefined) stream.respondOnly(tooLarge);
    else handler.onHeadersTooLarge(stream, head);
  }

  #onTrailers(stream: Stream, endStream: boolean, bytes: Buffer, start: number, end: number): void {
    const session = this.#session;
    const isWhole = this.#decode(true, bytes, start, end);
    if (stream.isRequestEnded) {
      session.streamError(stream.id, ErrorCode.streamClosed);
    } else if (!isWhole) {
      session.counters.headerListsTooLarge += 1;
      session.streamError(stream.id, ErrorCode.enhanceYourCalm);
    } else if (!endStream || collector.malformed !== '' || stream.bodyBytesLeft > 0) {
      session.counters.requestsMalformed += 1;
      session.streamError(stream.id, ErrorCode.protocolError);
    } else {
      stream.trailers = collector.takeTrailers();
      stream.onEnd();
      if (stream.isAnswered && !stream.isClosed) session.complete(stream);
    }
  }

  // The block is decoded in any case: it is part of the state of the connection.
  #onClosed(id: number, endStream: boolean, bytes: Buffer, start: number, end: number): void {
    const session = this.#session;
    this.#decode(true, bytes, start, end);
    if (!session.wasReset(id))
      throw new Http2ConnectionError(ErrorCode.streamClosed, `HEADERS for closed stream ${id}`);
    if (endStream) session.forgetReset(id);
    // The peer need not have seen our reset, which said nothing of this: another one may be sent, RFC 9113 section 5.1.
    if (collector.malformed !== '') session.streamError(id, ErrorCode.protocolError);
  }
}

/** Others are well-formed, for gateways to them, which nobody here is: RFC 9113 section 8.3.1. CONNECT has none. */
function isServedScheme({ scheme, method }: Http2RequestHead): boolean {
  return scheme === 'http' || scheme === 'https' || method === 'CONNECT';
}
