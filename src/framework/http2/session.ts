import type { Socket } from 'node:net';
import { type ByteAccount, coarseNow, takeBytes } from '../wire/index.js';
import { ErrorCode } from './error-code.js';
import type { Http2ConnectionHandler } from './connection-handler.js';
import { checkIncrement, ReceiveWindow } from './flow-control.js';
import { defaultWindowBytes, Flag, largestStreamId, largestWindowBytes } from './frame.js';
import { FrameWriter } from './frame-writer.js';
import { type HeaderField, HpackDecoder, HpackEncoder } from './hpack/index.js';
import { judgeField } from './field-rules.js';
import type { Http2Counters } from './http2.counters.js';
import { FieldsWriter } from './fields-writer.js';
import { Http2ConnectionError } from './http2.errors.js';
import type { Http2ConnectionOptions } from './http2.options.js';
import type { Http2Fields, Http2Peer } from './http2-stream.js';
import { Limits } from './limits.js';
import { Outbox } from './outbox.js';
import { ResetMemory } from './reset-memory.js';
import { encodeSettings, PeerSettings, Setting } from './settings.js';
import { Stream, type StreamHost } from './stream.js';
import { UnreadRequests } from './unread-requests.js';

// The most an encoder keeps, whatever the peer allows: a table entry of ours costs a few hundred bytes of heap.
const encoderTableBytes = 4096;
/** Of a response, for which there is always room: it may say that there is none. */
const alwaysBytes = 4096;

/** State of one connection that streams and frames work on: RFC 9113 section 5. */
export class Session implements StreamHost {
  readonly options: Http2ConnectionOptions;
  readonly handler: Http2ConnectionHandler;
  readonly counters: Http2Counters;
  readonly account: ByteAccount;
  readonly limits: Limits;
  readonly peer = new PeerSettings();
  readonly writer: FrameWriter;
  readonly outbox: Outbox;
  readonly decoder: HpackDecoder;
  readonly encoder = new HpackEncoder({ maxTableBytes: encoderTableBytes });
  readonly #fields = new FieldsWriter(this);
  readonly streams = new Map<number, Stream>();
  readonly remote: Http2Peer;
  readonly writeHighWaterBytes: number;
  /** The highest stream of the peer. */
  lastStreamId = 0;
  /** Streams above are not served: RFC 9113 section 6.8. */
  lastServedId = largestStreamId;
  isClosed = false;
  /** Since when there is no stream, by `coarseNow`. */
  idleSinceMs = coarseNow();
  /** Called when the last stream is gone. */
  onIdle: (() => void) | undefined;
  readonly #window: ReceiveWindow;
  /** Not taken by their consumers; up to `maxWaitingBytes` of them, the window of the connection is open again all the same. */
  #waitingBytes = 0;
  readonly #resets = new ResetMemory();
  readonly #unread = new UnreadRequests((stream) => this.resetStream(stream, ErrorCode.noError));

  constructor(
    socket: Socket,
    options: Http2ConnectionOptions,
    handler: Http2ConnectionHandler,
    counters: Http2Counters,
    account: ByteAccount,
  ) {
    this.account = account;
    this.options = options;
    this.handler = handler;
    this.counters = counters;
    this.limits = new Limits(options, counters);
    this.writer = new FrameWriter(socket, account);
    this.outbox = new Outbox(this.writer, this.peer, this.limits);
    const maxListBytes = Math.max(options.maxReadHeaderListBytes, options.maxHeaderListBytes);
    this.decoder = new HpackDecoder({ maxTableBytes: options.headerTableBytes, maxListBytes, judgeField });
    this.remote = handler.peer ?? { address: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 };
    this.writeHighWaterBytes = options.writeHighWaterBytes;
    this.#window = new ReceiveWindow(options.connectionWindowBytes);
  }

  /** Our half of the preface: RFC 9113 section 3.4. */
  sendPreface(): void {
    const { options, writer } = this;
    const settings = encodeSettings([
      [Setting.headerTableSize, options.headerTableBytes],
      [Setting.maxConcurrentStreams, options.maxConcurrentStreams],
      [Setting.initialWindowSize, options.streamWindowBytes],
      [Setting.maxFrameSize, options.maxFrameBytes],
      [Setting.maxHeaderListSize, Math.max(options.maxReadHeaderListBytes, options.maxHeaderListBytes)],
    ]);
    writer.settings(Flag.none, settings);
    const more = options.connectionWindowBytes - defaultWindowBytes;
    if (more > 0) writer.windowUpdate(0, more);
  }

  sendFields(stream: Stream, fields: Http2Fields, endStream: boolean): boolean {
    return this.#fields.send(stream, fields, endStream);
  }

  sendFieldsWith(stream: Stream, fixed: readonly HeaderField[], fields: readonly HeaderField[]): boolean {
    return this.#fields.sendWith(stream, fixed, fields);
  }

  get maxFieldsBytes(): number {
    return this.peer.maxHeaderListBytes;
  }

  get isDataCopied(): boolean {
    return this.outbox.isCopied;
  }

  sendData(stream: Stream, data: Uint8Array, endStream: boolean): boolean {
    return this.outbox.send(stream, data, endStream);
  }

  sendEnd(streamId: number): void {
    this.limits.progress += 1;
    this.writer.dataHeader(0, Flag.endStream, streamId);
  }

  offer(stream: Stream): void {
    this.outbox.offer(stream);
  }

  /** Bytes of DATA frames have come, padding included: RFC 9113 section 6.9.1. */
  takeWindow(bytes: number): void {
    if (this.#window.take(bytes)) return;
    throw new Http2ConnectionError(ErrorCode.flowControlError, 'more data than the window of the connection');
  }

  giveBack(stream: Stream | undefined, bytes: number): void {
    if (bytes === 0 || this.isClosed) return;
    const waited = stream === undefined ? 0 : Math.min(bytes, stream.waitingBytes);
    if (waited > 0) {
      (stream as Stream).waitingBytes -= waited;
      this.account.charge(-waited);
    }
    // What is taken makes room for others that wait: it is lent to them.
    this.#openWindow(bytes + this.#addWaiting(-waited));
    if (stream === undefined || stream.isRequestEnded || stream.isAnswered || stream.isClosed) return;
    const ofStream = stream.window.giveBack(bytes);
    if (ofStream > 0) this.writer.windowUpdate(stream.id, ofStream);
  }

  /** Bytes have been put by for a consumer who is slower than the peer: others need not wait for that, while there is room. */
  onWaiting(stream: Stream, bytes: number): void {
    const hasRoom = takeBytes(this.account, bytes);
    stream.waitingBytes += bytes;
    this.#openWindow(this.#addWaiting(bytes));
    if (!hasRoom) this.#endOverBudget(stream);
  }

  onUnsent(stream: Stream, bytes: number): boolean {
    const hasRoom = takeBytes(this.account, bytes) || (stream.outgoing?.bytes ?? 0) <= alwaysBytes;
    if (!hasRoom) this.#endOverBudget(stream);
    return hasRoom;
  }

  #endOverBudget(stream: Stream): void {
    this.counters.streamsOverBudget += 1;
    this.resetStream(stream, ErrorCode.enhanceYourCalm);
  }

  /** Returns how many more of the bytes that wait are lent to the window of the connection. */
  #addWaiting(bytes: number): number {
    const { maxWaitingBytes } = this.options;
    const lentBefore = Math.min(this.#waitingBytes, maxWaitingBytes);
    this.#waitingBytes += bytes;
    return Math.min(this.#waitingBytes, maxWaitingBytes) - lentBefore;
  }

  #openWindow(bytes: number): void {
    const increment = this.#window.giveBack(bytes);
    if (increment > 0) this.writer.windowUpdate(0, increment);
  }

  open(stream: Stream): void {
    this.counters.streamsOpened += 1;
    this.limits.progress += 1;
    this.streams.set(stream.id, stream);
  }

  onAnswered(stream: Stream): void {
    stream.isAnswered = true;
    if (stream.isRequestEnded) this.complete(stream);
    else this.#unread.add(stream);
  }

  /** Both sides have sent END_STREAM. */
  complete(stream: Stream): void {
    if (!stream.isRefused) this.limits.answers += 1;
    this.remove(stream, ErrorCode.noError);
  }

  /** The stream is gone for the connection, by what either side has sent. */
  remove(stream: Stream, code: number): void {
    this.streams.delete(stream.id);
    stream.close(code);
    if (this.streams.size > 0) return;
    this.idleSinceMs = coarseNow();
    this.onIdle?.();
  }

  resetStream(stream: Stream, code: number): void {
    if (this.isClosed) return;
    this.#sendReset(stream.id, code);
    if (!stream.isRequestEnded) this.#resets.add(stream.id);
    this.remove(stream, code);
  }

  /**
   * The peer broke a rule on one stream: RFC 9113 section 5.4.2.
   *
   * @throws Http2ConnectionError  it does so too often
   */
  streamError(streamId: number, code: number): void {
    const stream = this.streams.get(streamId);
    if (stream === undefined) this.#sendReset(streamId, code);
    else this.resetStream(stream, code);
    this.limits.onStreamError(coarseNow());
  }

  /** A request that never became a stream; what follows of it is dropped. */
  refuse(streamId: number, code: number, isRequestEnded: boolean): void {
    if (!isRequestEnded) this.#resets.add(streamId);
    this.streamError(streamId, code);
  }

  /** Frames of a closed stream are in order, because the peer need not know that we have reset it: RFC 9113 section 5.1. */
  wasReset(streamId: number): boolean {
    return streamId > this.lastServedId || this.#resets.has(streamId);
  }

  /** Nothing more comes on a stream that we have reset. */
  forgetReset(streamId: number): void {
    this.#resets.delete(streamId);
  }

  /** SETTINGS of the peer: RFC 9113 sections 6.5.3 and 6.9.2. */
  applySettings(bytes: Uint8Array, start: number, end: number): void {
    const { peer } = this;
    const { windowBytes: before } = peer;
    peer.apply(bytes, start, end, this.encoder);
    this.writer.settings(Flag.ack, bytes.subarray(0, 0));
    const change = peer.windowBytes - before;
    if (change !== 0) this.#changeWindows(change);
  }

  openStreamWindow(stream: Stream, increment: number): void {
    const code = checkIncrement(stream.sendWindowBytes, increment);
    if (code !== ErrorCode.noError) {
      this.streamError(stream.id, code);
      return;
    }
    stream.sendWindowBytes += increment;
    if (stream.outgoing !== undefined && stream.outgoing.bytes > 0) this.outbox.offer(stream);
  }

  report(error: unknown, stream: Stream): void {
    stream.reset(ErrorCode.internalError);
    const { handler } = this;
    if (handler.onError !== undefined) {
      handler.onError(error, stream);
      return;
    }
    // As an exception of any listener would; thrown here, it would tear the frame reader.
    queueMicrotask(() => {
      throw error;
    });
  }

  /** All streams end, with the connection. */
  closeStreams(code: number): void {
    this.isClosed = true;
    for (const stream of this.streams.values()) stream.close(code);
    this.streams.clear();
    this.#unread.clear();
    this.#resets.clear();
  }

  #changeWindows(change: number): void {
    for (const stream of this.streams.values()) {
      stream.sendWindowBytes += change;
      if (stream.sendWindowBytes > largestWindowBytes) {
        throw new Http2ConnectionError(
          ErrorCode.flowControlError,
          `INITIAL_WINDOW_SIZE: window of stream ${stream.id}`,
        );
      }
    }
    if (change < 0) return;
    for (const stream of this.streams.values()) {
      if (stream.outgoing !== undefined && stream.outgoing.bytes > 0) this.outbox.offer(stream);
    }
  }

  #sendReset(streamId: number, code: number): void {
    this.counters.streamsResetByUs += 1;
    this.writer.rstStream(streamId, code);
  }
}
