import { coarseNow } from '../wire/index.js';
import { ErrorCode } from './error-code.js';
import { Flag, FrameType, readUint31, readUint32 } from './frame.js';
import type { FrameSink } from './frame-reader.js';
import { HeaderHandler } from './header-handler.js';
import { Http2ConnectionError } from './http2.errors.js';
import { unknownLength } from './request-head.js';
import type { Session } from './session.js';

/** What a connection does with frames that are its own concern. */
export interface ConnectionFrames {
  onPeerSettings(): void;
  onSettingsAck(): void;
  onPingAck(bytes: Buffer, at: number): void;
  onPeerGoaway(): void;
}

/** Checks each frame by the rules of its type, RFC 9113 section 6, and hands it to whom it concerns. */
export class FrameHandler implements FrameSink {
  readonly headers: HeaderHandler;
  readonly #session: Session;
  readonly #connection: ConnectionFrames;
  #hasSettings = false;
  // Of the DATA or HEADERS frame under way, without padding.
  #start = 0;
  #end = 0;

  constructor(session: Session, connection: ConnectionFrames) {
    this.#session = session;
    this.#connection = connection;
    this.headers = new HeaderHandler(session);
  }

  onFrame(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    if (this.headers.openId !== 0 && type !== FrameType.continuation) {
      throw protocolError('a frame between HEADERS and their CONTINUATION');
    }
    if (!this.#hasSettings) {
      if (type !== FrameType.settings || (flags & Flag.ack) !== 0)
        throw protocolError('the first frame is not SETTINGS');
      this.#hasSettings = true;
    }
    if (type === FrameType.data) this.#onData(flags, streamId, bytes, start, end);
    else if (type === FrameType.headers) this.#onHeaders(flags, streamId, bytes, start, end);
    else if (type === FrameType.windowUpdate) this.#onWindowUpdate(streamId, bytes, start, end);
    else this.#onRareFrame(type, flags, streamId, bytes, start, end);
  }

  #onRareFrame(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    if (type === FrameType.continuation) this.headers.onContinuation(streamId, flags, bytes, start, end);
    else if (type === FrameType.rstStream) this.#onRstStream(streamId, bytes, start, end);
    else if (type === FrameType.settings) this.#onSettings(flags, streamId, bytes, start, end);
    else if (type === FrameType.ping) this.#onPing(flags, streamId, bytes, start, end);
    else if (type === FrameType.priority) this.#onPriority(streamId, bytes, start, end);
    else if (type === FrameType.goaway) this.#onGoaway(streamId, end - start);
    else if (type === FrameType.pushPromise) throw protocolError('PUSH_PROMISE from a client');
    else this.#session.limits.onUnknownFrame(coarseNow());
  }

  #onData(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    const session = this.#session;
    this.#checkClientStream(streamId, 'DATA');
    const endStream = (flags & Flag.endStream) !== 0;
    session.takeWindow(end - start);
    this.#stripPadding(flags, bytes, start, end);
    const length = this.#end - this.#start;
    if (length === 0 && !endStream) session.limits.onEmptyData(coarseNow());
    else if (end - start > 2 * length + 1) session.limits.onPadding(coarseNow());
    const stream = session.streams.get(streamId);
    if (stream === undefined || stream.isRequestEnded) {
      session.giveBack(undefined, end - start);
      if (stream !== undefined || !session.wasReset(streamId)) session.streamError(streamId, ErrorCode.streamClosed);
      else if (endStream) session.forgetReset(streamId);
      return;
    }
    if (!stream.window.take(end - start)) {
      session.giveBack(undefined, end - start);
      session.streamError(streamId, ErrorCode.flowControlError);
      return;
    }
    if (stream.bodyBytesLeft !== unknownLength) {
      stream.bodyBytesLeft -= length;
      if (stream.bodyBytesLeft < 0 || (endStream && stream.bodyBytesLeft > 0)) {
        session.counters.requestsMalformed += 1;
        session.giveBack(undefined, end - start);
        session.streamError(streamId, ErrorCode.protocolError);
        return;
      }
    }
    // The consumer never sees the padding.
    session.giveBack(stream, end - start - length);
    if (length > 0) stream.onData(bytes, this.#start, this.#end);
    if (!endStream || stream.isClosed) return;
    stream.onEnd();
    if (stream.isAnswered && !stream.isClosed) session.complete(stream);
  }

  #onHeaders(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    if ((streamId & 1) === 0) throw protocolError(`HEADERS on stream ${streamId}`);
    this.#stripPadding(flags, bytes, start, end);
    let dependsOnItself = false;
    if ((flags & Flag.priority) !== 0) {
      if (this.#end - this.#start < 5) throw frameSizeError('HEADERS with priority', end - start);
      this.#session.limits.onPriority(coarseNow());
      dependsOnItself = readUint31(bytes, this.#start) === streamId;
      this.#start += 5;
    }
    this.headers.onHeaders(streamId, flags, dependsOnItself, bytes, this.#start, this.#end);
  }

  #onWindowUpdate(streamId: number, bytes: Buffer, start: number, end: number): void {
    const session = this.#session;
    if (end - start !== 4) throw frameSizeError('WINDOW_UPDATE', end - start);
    session.limits.onWindowUpdate(coarseNow());
    const increment = readUint31(bytes, start);
    if (streamId === 0) {
      const code = session.outbox.openWindow(increment);
      if (code !== ErrorCode.noError) throw new Http2ConnectionError(code, `WINDOW_UPDATE: increment ${increment}`);
      return;
    }
    this.#checkNotIdle(streamId, 'WINDOW_UPDATE');
    const stream = session.streams.get(streamId);
    if (stream !== undefined) session.openStreamWindow(stream, increment);
  }

  #onRstStream(streamId: number, bytes: Buffer, start: number, end: number): void {
    const session = this.#session;
    if (end - start !== 4) throw frameSizeError('RST_STREAM', end - start);
    this.#checkClientStream(streamId, 'RST_STREAM');
    const stream = session.streams.get(streamId);
    session.forgetReset(streamId);
    if (stream === undefined) return;
    const code = readUint32(bytes, start);
    // "No error" before the answer is out is no good end all the same: Node's clients cancel so.
    session.remove(stream, code === ErrorCode.noError && !stream.isAnswered ? ErrorCode.cancel : code);
    session.limits.onPeerReset(coarseNow());
  }

  #onSettings(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    if (streamId !== 0) throw protocolError('SETTINGS on a stream');
    if ((flags & Flag.ack) !== 0) {
      if (end !== start) throw frameSizeError('SETTINGS acknowledgement', end - start);
      this.#session.limits.onSettings(coarseNow());
      this.#connection.onSettingsAck();
      return;
    }
    if ((end - start) % 6 !== 0) throw frameSizeError('SETTINGS', end - start);
    this.#session.limits.onSettings(coarseNow());
    this.#session.applySettings(bytes, start, end);
    this.#connection.onPeerSettings();
  }

  #onPing(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    if (streamId !== 0) throw protocolError('PING on a stream');
    if (end - start !== 8) throw frameSizeError('PING', end - start);
    this.#session.limits.onPing(coarseNow());
    if ((flags & Flag.ack) !== 0) {
      this.#connection.onPingAck(bytes, start);
      return;
    }
    this.#session.limits.onKeepalive(coarseNow());
    this.#session.writer.ping(Flag.ack, bytes, start);
  }

  // RFC 7540 section 5.3: deprecated, and checked all the same.
  #onPriority(streamId: number, bytes: Buffer, start: number, end: number): void {
    if (streamId === 0) throw protocolError('PRIORITY on stream 0');
    this.#session.limits.onPriority(coarseNow());
    let code: number = ErrorCode.noError;
    if (end - start !== 5) code = ErrorCode.frameSizeError;
    else if (readUint31(bytes, start) === streamId) code = ErrorCode.protocolError;
    if (code === ErrorCode.noError) return;
    // A stream that is not open cannot be reset: section 6.4.
    if (!this.#session.streams.has(streamId)) throw new Http2ConnectionError(code, `PRIORITY of stream ${streamId}`);
    this.#session.streamError(streamId, code);
  }

  #onGoaway(streamId: number, length: number): void {
    if (streamId !== 0) throw protocolError('GOAWAY on a stream');
    if (length < 8) throw frameSizeError('GOAWAY', length);
    this.#connection.onPeerGoaway();
  }

  /** RFC 9113 section 6.1. */
  #stripPadding(flags: number, bytes: Buffer, start: number, end: number): void {
    this.#start = start;
    this.#end = end;
    if ((flags & Flag.padded) === 0) return;
    if (end === start) throw frameSizeError('padded frame', 0);
    const padding = bytes[start] ?? 0;
    if (padding >= end - start) throw protocolError(`padding: ${padding} of ${end - start} bytes`);
    this.#start = start + 1;
    this.#end = end - padding;
  }

  #checkClientStream(streamId: number, what: string): void {
    if (streamId === 0) throw protocolError(`${what} on stream 0`);
    this.#checkNotIdle(streamId, what);
  }

  #checkNotIdle(streamId: number, what: string): void {
    // Ours would have even numbers; we open none.
    if (streamId > this.#session.lastStreamId || (streamId & 1) === 0)
      throw protocolError(`${what} on idle stream ${streamId}`);
  }
}

function protocolError(message: string): Http2ConnectionError {
  return new Http2ConnectionError(ErrorCode.protocolError, message);
}

function frameSizeError(what: string, length: number): Http2ConnectionError {
  return new Http2ConnectionError(ErrorCode.frameSizeError, `${what}: length ${length}`);
}
