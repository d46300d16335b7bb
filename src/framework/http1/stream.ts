import { type AnswerHead, answerHead, Opening, unknownLength } from './answer-head.js';
import { Http1HeaderError } from './http1.errors.js';
import type { Http1Fields, Http1Stream, Http1StreamListener } from './http1-stream.js';
import type { Writer } from './writer.js';

/** Why a stream is gone, for `onClose`. */
export const CloseCode = { ended: 0, malformed: 1, failed: 2, gone: 8 } as const;

/** How the body of an answer is delimited: RFC 9112 section 6. */
const Framing = { none: 0, length: 1, chunks: 2, close: 3 } as const;

/** What a stream needs of its connection. */
export interface StreamHost {
  readonly peerAddress: string;
  readonly peerPort: number;
  readonly writer: Writer;
  readonly writeHighWaterBytes: number;
  /**
   * The head of the answer is about to go out.
   *
   * @param isClosing  the connection is to close after it
   * @returns the last lines of the head, with the empty one
   */
  beginAnswer(stream: Stream, isClosing: boolean): string;
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
  trailers: readonly string[] | undefined;
  isClosed = false;
  isAnswered = false;
  /** All of the request has come. */
  isRequestEnded = false;
  hasResponded = false;
  /** `100 Continue` has been sent. */
  isContinued = false;

  readonly #host: StreamHost;
  /** Of the request: its method is HEAD, its version 1.x. */
  readonly #isHead: boolean;
  readonly #minorVersion: number;
  #listener: Http1StreamListener | undefined;
  #isPaused = false;
  #isEndDelivered = false;
  #framing: number = Framing.none;
  #bytesLeft = 0;
  /** `end` has been called. */
  #isEnding = false;
  #wantsDrain = false;
  #closeCode: number = CloseCode.ended;

  constructor(host: StreamHost, id: number, isHead: boolean, minorVersion: number) {
    this.#host = host;
    this.id = id;
    this.#isHead = isHead;
    this.#minorVersion = minorVersion;
  }

  get peerAddress(): string {
    return this.#host.peerAddress;
  }

  get peerPort(): number {
    return this.#host.peerPort;
  }

  /** Nobody takes bytes now. */
  get isHeld(): boolean {
    return this.#listener === undefined || this.#isPaused;
  }

  listen(listener: Http1StreamListener): void {
    this.#listener = listener;
    if (this.isClosed) this.#tellClosed();
    else this.#want();
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
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

  respondOnly(fields: Http1Fields): void {
    if (this.isClosed || this.hasResponded) return;
    this.#begin(answerHead(fields, Opening.final), true);
    this.end();
  }

  write(data: Uint8Array): boolean {
    if (this.#cannotSend() || data.length === 0 || this.#framing === Framing.none) return true;
    this.#send(data);
    if (this.#host.writer.waitingBytes < this.#host.writeHighWaterBytes) return true;
    this.#wantsDrain = true;
    return false;
  }

  end(trailers?: Http1Fields, data?: Uint8Array): boolean {
    const closing = trailers !== undefined && trailers.length > 0 ? answerHead(trailers, Opening.trailers).text : '';
    if (this.#cannotSend()) return true;
    this.#wantsDrain = false;
    let isCopied = true;
    if (data !== undefined && data.length > 0 && this.#framing !== Framing.none) isCopied = this.#send(data);
    this.#isEnding = true;
    if (this.isClosed) return isCopied;
    if (this.#framing === Framing.length && this.#bytesLeft > 0) {
      this.#host.breakOff(this, CloseCode.failed);
      return isCopied;
    }
    if (this.#framing === Framing.chunks) this.#host.writer.text(closing === '' ? '0\r\n\r\n' : `0\r\n${closing}\r\n`);
    this.isAnswered = true;
    this.#host.onAnswered(this);
    return isCopied;
  }

  reset(code: number): void {
    if (!this.isClosed) this.#host.breakOff(this, code);
  }

  /** More output can be taken. */
  onWritable(): void {
    if (!this.#wantsDrain) return;
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

  // RFC 9110 section 6.4.1, RFC 9112 section 6.3.
  #begin(head: AnswerHead, isAll: boolean): void {
    const { status, contentLength } = head;
    const hasLength = contentLength !== unknownLength && !head.isInChunks;
    let { text } = head;
    let isClosing = head.isClosing;
    if (this.#isHead || status === 204 || status === 304) {
      if (hasLength && status !== 204) text += `content-length: ${contentLength}\r\n`;
    } else if (isAll || hasLength || status === 205) {
      const isEmpty = status === 205 || !hasLength;
      this.#framing = status === 205 ? Framing.none : Framing.length;
      this.#bytesLeft = isEmpty ? 0 : contentLength;
      text += isEmpty ? 'content-length: 0\r\n' : `content-length: ${contentLength}\r\n`;
    } else if (this.#minorVersion === 1) {
      this.#framing = Framing.chunks;
      text += 'transfer-encoding: chunked\r\n';
    } else {
      this.#framing = Framing.close;
      isClosing = true;
    }
    this.hasResponded = true;
    this.#host.writer.text(text + this.#host.beginAnswer(this, isClosing));
  }

  /** Returns whether the bytes have been copied. */
  #send(data: Uint8Array): boolean {
    const { writer } = this.#host;
    if (this.#framing === Framing.length) {
      // More than was said would be taken for the beginning of the next answer.
      if (data.length > this.#bytesLeft) {
        this.#host.breakOff(this, CloseCode.failed);
        return true;
      }
      this.#bytesLeft -= data.length;
      return writer.bytes(data);
    }
    if (this.#framing === Framing.close) return writer.bytes(data);
    writer.text(`${data.length.toString(16)}\r\n`);
    const isCopied = writer.bytes(data);
    writer.text('\r\n');
    return isCopied;
  }
}
