import { AnswerBody } from './answer-body.js';
import type { ByteAccount } from '../wire/index.js';
import { type AnswerHead, answerHead, answerHeadWith, Opening } from './answer-head.js';
import { Http1HeaderError } from './http1.errors.js';
import type { Http1Field, Http1Fields, Http1Peer, Http1Stream, Http1StreamListener } from './http1-stream.js';
import type { Writer } from './writer.js';

/** Why a stream is gone, for `onClose`. */
export const CloseCode = { ended: 0, malformed: 1, failed: 2, gone: 8, noRoom: 11 } as const;

/** What a stream needs of its connection. */
export interface StreamHost {
  /** The other end of the connection. */
  readonly remote: Http1Peer;
  readonly account: ByteAccount;
  readonly writer: Writer;
  readonly writeHighWaterBytes: number;
  /**
   * The head of the answer is about to go out.
   *
   * @param isClosing  the connection is to close after it
   * @param isAll      nothing of it comes later
   * @returns the last lines of the head, with the empty one
   */
  beginAnswer(stream: Stream, isClosing: boolean, isAll: boolean): string;
  /** Bytes of the request are wanted. */
  onWanted(): void;
  /** The whole answer has been given to the writer. */
  onAnswered(stream: Stream): void;
  /** Closes the stream and the connection. */
  breakOff(stream: Stream, code: number): void;
  /** A listener threw. */
  report(error: unknown, stream: Stream): void;
}

export class Stream implements Http1Stream {
  readonly id: number;
  peer: Http1Peer;
  readonly maxFieldsBytes: number = Number.POSITIVE_INFINITY;
  trailers: readonly string[] | undefined;
  isClosed = false;
  isAnswered = false;
  /** All of the request has come. */
  isRequestEnded = false;
  hasResponded = false;
  /** Its consumer wants no bytes now. */
  isPaused = false;
  /** `100 Continue` has been sent. */
  isContinued = false;

  readonly #host: StreamHost;
  /** Of the request: its method is HEAD, its version 1.x. */
  readonly #isHead: boolean;
  readonly #minorVersion: number;
  #listener: Http1StreamListener | undefined;
  #isEndDelivered = false;
  readonly #body: AnswerBody;
  /** `end` has been called. */
  #isEnding = false;
  #trailers = '';
  #wantsDrain = false;
  #closeCode: number = CloseCode.ended;

  constructor(host: StreamHost, id: number, isHead: boolean, minorVersion: number) {
    this.#host = host;
    this.peer = host.remote;
    this.#body = new AnswerBody(host.writer, host.account);
    this.id = id;
    this.#isHead = isHead;
    this.#minorVersion = minorVersion;
  }

  get account(): ByteAccount {
    return this.#host.account;
  }

  /** Nobody takes bytes now. */
  get isHeld(): boolean {
    return this.#listener === undefined || this.isPaused;
  }

  listen(listener: Http1StreamListener): void {
    this.#listener = listener;
    if (this.isClosed) this.#tellClosed();
    else this.#want();
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
    if (!this.isClosed) this.#want();
  }

  inform(fields: Http1Fields): void {
    const head = answerHead(fields, Opening.interim);
    if (this.isClosed || this.hasResponded || this.#minorVersion === 0) return;
    if (head.status === 100) this.isContinued = true;
    this.#host.writer.text(`${head.text}\r\n`);
  }

  respond(fields: Http1Fields): void {
    if (!this.isClosed && !this.hasResponded) this.#begin(answerHead(fields, Opening.final), false);
  }

  respondWith(fixed: readonly Http1Field[], fields: readonly Http1Field[]): void {
    if (!this.isClosed && !this.hasResponded) this.#begin(answerHeadWith(fixed, fields), false);
  }

  respondOnly(fields: Http1Fields): void {
    if (this.isClosed || this.hasResponded) return;
    this.#begin(answerHead(fields, Opening.final), true);
    this.end();
  }

  write(data: Uint8Array): boolean {
    if (this.#cannotSend() || data.length === 0) return true;
    this.#send(data);
    if (this.isClosed || this.#body.waitingBytes < this.#host.writeHighWaterBytes) return true;
    this.#wantsDrain = true;
    return false;
  }

  end(trailers?: Http1Fields, data?: Uint8Array): boolean {
    const lines = trailers !== undefined && trailers.length > 0 ? answerHead(trailers, Opening.trailers).text : '';
    if (this.#cannotSend()) return true;
    this.#wantsDrain = false;
    const isCopied = data === undefined || data.length === 0 || this.#send(data);
    this.#isEnding = true;
    this.#trailers = lines;
    if (!this.isClosed && !this.#body.isQueued) this.#finish();
    return isCopied;
  }

  reset(code: number): void {
    if (!this.isClosed) this.#host.breakOff(this, code);
  }

  /** More output can be taken. */
  onWritable(): void {
    if (this.#body.isQueued) {
      this.#body.pump();
      if (this.#body.isQueued) return;
      if (this.#isEnding) this.#finish();
    }
    if (!this.#wantsDrain || this.#host.writer.isBlocked) return;
    this.#wantsDrain = false;
    try {
      this.#listener?.onDrain();
    } catch (error) {
      this.#host.report(error, this);
    }
  }

  /** A part of the body. */
  onData(bytes: Buffer, start: number, end: number): void {
    try {
      this.#listener?.onData(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end));
    } catch (error) {
      this.#host.report(error, this);
    }
  }

  /** All of the request has come. */
  onEnd(): void {
    this.isRequestEnded = true;
    if (!this.isHeld) this.#deliverEnd();
  }

  /** The process stops waiting. Returns whether the response comes to an orderly end. */
  shutDown(): boolean {
    if (this.isClosed || this.#isEnding) return true;
    return this.#listener?.onShutdown?.() ?? false;
  }

  /** The stream is over. */
  close(code: number): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#closeCode = code;
    if (this.#listener !== undefined) this.#tellClosed();
  }

  #want(): void {
    if (this.isHeld) return;
    if (!this.isRequestEnded) this.#host.onWanted();
    else if (!this.#isEndDelivered) this.#deliverEnd();
  }

  #deliverEnd(): void {
    if (this.#isEndDelivered || this.isClosed) return;
    this.#isEndDelivered = true;
    try {
      this.#listener?.onEnd();
    } catch (error) {
      this.#host.report(error, this);
    }
  }

  #tellClosed(): void {
    try {
      this.#listener?.onClose(this.#closeCode);
    } catch (error) {
      this.#host.report(error, this);
    }
  }

  #cannotSend(): boolean {
    if (this.isClosed || this.#isEnding) return true;
    if (!this.hasResponded) throw new Http1HeaderError('a body needs response headers before it (call respond first)');
    return false;
  }

  #begin(head: AnswerHead, isAll: boolean): void {
    const lengthLine = this.#body.begin(head, this.#isHead, this.#minorVersion, isAll);
    this.hasResponded = true;
    const lastLines = this.#host.beginAnswer(this, head.isClosing || this.#body.endsConnection, isAll);
    this.#host.writer.text(head.text + lengthLine + lastLines);
  }

  /** Returns whether the bytes have been copied. */
  #send(data: Uint8Array): boolean {
    const body = this.#body;
    if (body.isNone) return true;
    const takes = body.takes(data);
    const isCopied = takes ? body.send(data) : undefined;
    if (isCopied === undefined) this.#host.breakOff(this, takes ? CloseCode.noRoom : CloseCode.failed);
    return isCopied ?? true;
  }

  /** All of the body has been given to the writer. */
  #finish(): void {
    if (this.#body.isShort) {
      this.#host.breakOff(this, CloseCode.failed);
      return;
    }
    this.#body.end(this.#trailers);
    this.isAnswered = true;
    this.#host.onAnswered(this);
  }
}
