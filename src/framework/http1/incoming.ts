import { ChunkReader } from './chunk-reader.js';
import { coarseNow, CountedBytes, TurnShare, type Waiting } from '../wire/index.js';
import { HeadReader, notYet } from './head-reader.js';
import type { Http1ConnectionOptions } from './http1.options.js';
import type { IncomingHost } from './incoming-host.js';
import { refusal } from './refusal.js';
import { type Http1RequestHead, fieldsIn, headSoFar, inChunks, RequestHead, requestHead } from './request-head.js';
import type { Stream } from './stream.js';
import { UnreadBody } from './unread-body.js';

const littleBytes = 4096;

const State = { head: 0, body: 1, chunks: 2, trailers: 3, stopped: 4 } as const;

/**
 * Makes requests of the bytes of a connection, one at a time: the next one is begun when the one before has been answered
 * (RFC 9112 section 9.3.2). What cannot be taken yet stays as it is, two reads of the socket at most, and then the socket is
 * not read any more.
 */
export class Incoming implements Waiting {
  readonly #options: Http1ConnectionOptions;
  readonly #host: IncomingHost;
  readonly #heads = new HeadReader();
  #chunks: ChunkReader | undefined;
  #state: number = State.head;
  /** Gets the body. */
  #stream: Stream | UnreadBody | undefined;
  /** Of a body with a known length, still to come. */
  #bytesLeft = 0;
  /** What has come and has not been taken, from `#at` on. */
  #rest: Buffer | undefined;
  #at = 0;
  #more: Buffer[] = [];
  readonly #untaken: CountedBytes;
  /** The rest is not whole. */
  #needsMore = false;
  #isReading = false;
  readonly #share: TurnShare;
  /** It is the turn of other connections. */
  #isWaiting = false;
  /** The socket is not read. */
  isHolding = false;
  /** Nothing has come since the request began. */
  #isNew = false;
  /** Something of the body has come. */
  isBodyBegun = false;
  /** Since when a head or a body has been coming in, by `coarseNow`; 0: none is. */
  sinceMs = 0;

  constructor(options: Http1ConnectionOptions, host: IncomingHost) {
    this.#options = options;
    this.#host = host;
    this.#untaken = new CountedBytes(host.account);
    this.#share = new TurnShare(this, host.account);
    this.#heads.begin(options.maxHeaderBytes, options.maxHeaderFields);
  }

  /** A head has begun, and is not whole. */
  get isInHead(): boolean {
    return this.#state === State.head && this.#heads.isInside;
  }

  /** What has come of a head that is not whole. */
  headSoFar(): Partial<Http1RequestHead> {
    return this.isInHead && this.#rest !== undefined ? headSoFar(this.#heads, this.#rest, this.#at) : {};
  }

  /** A request has begun to come, or waits, that no response has been given to. Not what is left of an answered one's body. */
  get isReceiving(): boolean {
    return !this.isInBody && (this.sinceMs > 0 || this.hasMore);
  }

  /** A body has begun, and is not whole. */
  get isInBody(): boolean {
    return this.#state !== State.head && this.#state !== State.stopped;
  }

  /** More than a line end lies here that nobody has been told of. */
  get hasMore(): boolean {
    return this.#rest !== undefined && (!this.#needsMore || this.isInHead);
  }

  /** Something else than the client keeps the request from coming in. The rest of an answered one is never excused. */
  get isHeld(): boolean {
    if (this.#rest === undefined || this.#stream instanceof UnreadBody) return false;
    return this.#isWaiting || this.#stream?.isHeld === true;
  }

  /** More is to come than would be read without need. */
  get isTooMuch(): boolean {
    return this.#state === State.body && this.#bytesLeft > this.#options.maxUnreadBytes;
  }

  push(chunk: Buffer): void {
    if (this.#state === State.stopped) return;
    this.#isNew = false;
    if (this.#rest === undefined) this.#rest = chunk;
    else if (this.#needsMore) this.#append(this.#rest, chunk);
    else this.#more.push(chunk);
    this.read();
  }

  /** Takes what can be taken. */
  read(): void {
    if (this.#isReading) return;
    this.#isReading = true;
    while (this.#rest !== undefined && this.#step(this.#rest));
    this.#isReading = false;
    this.#hold(this.#share.isBehind || this.#more.length > 0);
    const ofRest = this.#rest === undefined ? 0 : this.#rest.length - this.#at;
    this.#untaken.set(this.#more.length === 0 ? ofRest : this.#more.reduce((sum, { length }) => sum + length, ofRest));
  }

  /** The request has been answered; what is still to come of it is thrown away. */
  onAnswered(): void {
    this.#stream = this.isInBody ? new UnreadBody(this.#options.maxUnreadBytes, this.#host) : undefined;
    this.read();
  }

  /** A quarter of a second has passed. */
  onTick(): void {
    if (this.#stream instanceof UnreadBody && this.#stream.onTick()) this.read();
  }

  /** Nothing is read any more; what has come and what comes is thrown away. */
  stop(): void {
    this.#state = State.stopped;
    this.#stream = undefined;
    this.#rest = undefined;
    this.#more = [];
    this.#needsMore = false;
    this.sinceMs = 0;
    this.#untaken.set(0);
    this.#isWaiting = false;
    this.#share.close();
    this.#hold(false);
  }

  /** Returns whether there is anything to be done about what is left then. */
  #step(rest: Buffer): boolean {
    if (!this.#canGoOn()) return false;
    // What came together is not all done in one go.
    this.#isWaiting = !this.#isLittle(rest) && !this.#share.mayGoOn();
    if (this.#isWaiting) return false;
    if (this.#state === State.head) return this.#head(rest);
    if (this.#state === State.trailers) return this.#trailers(rest);
    return this.#state === State.body ? this.#body(rest) : this.#chunk(rest);
  }

  onTurn(): void {
    this.#isWaiting = false;
    this.read();
  }

  #canGoOn(): boolean {
    if (this.#state === State.head) return this.#host.isReady;
    return this.#state === State.trailers || (this.#state !== State.stopped && this.#stream?.isHeld !== true);
  }

  /** A request that is begun is not made to wait for the few bytes of its body that have come with it. */
  #isLittle(rest: Buffer): boolean {
    if (this.#state === State.head || !this.#isNew) return false;
    return (this.#state === State.body ? this.#bytesLeft : rest.length - this.#at) <= littleBytes;
  }

  #head(rest: Buffer): boolean {
    const heads = this.#heads;
    const start = this.#at;
    const end = heads.read(rest, start, rest.length);
    if (end === notYet && heads.refusal === undefined) {
      if (this.sinceMs === 0 && heads.isInside) this.sinceMs = coarseNow();
      return this.#wait(rest);
    }
    const head = heads.refusal ?? requestHead(heads, rest, start, end);
    if (!(head instanceof RequestHead)) {
      this.#host.onRefusal(head, headSoFar(heads, rest, start));
      return false;
    }
    heads.begin(this.#options.maxHeaderBytes, this.#options.maxHeaderFields);
    if (head.wantsUpgrade && this.#host.onUpgrade(head, Buffer.concat([rest.subarray(start), ...this.#more]))) {
      // Whoever has the socket now says when it is read.
      this.isHolding = false;
      this.stop();
      return false;
    }
    this.#advance(rest, end);
    this.#begin(head);
    return true;
  }

  #begin(head: RequestHead): void {
    const stream = this.#host.open(head);
    this.#isNew = true;
    this.isBodyBegun = false;
    if (head.bodyBytes === 0) {
      stream.isRequestEnded = true;
      this.sinceMs = 0;
    } else {
      this.sinceMs = coarseNow();
      this.#stream = stream;
      this.#bytesLeft = head.bodyBytes;
      this.#state = head.bodyBytes === inChunks ? State.chunks : State.body;
      if (head.bodyBytes === inChunks) this.#chunks = new ChunkReader(this.#options.maxChunkExtensionBytes);
    }
    this.#host.serve(stream, head);
  }

  #body(rest: Buffer): boolean {
    const start = this.#at;
    const end = Math.min(rest.length, start + this.#bytesLeft);
    this.#bytesLeft -= end - start;
    const isAll = this.#bytesLeft === 0;
    this.#advance(rest, end);
    this.#deliver(rest, start, end);
    if (isAll && this.#state === State.body) this.#endRequest();
    return true;
  }

  #chunk(rest: Buffer): boolean {
    const chunks = this.#chunks as ChunkReader;
    const end = chunks.read(rest, this.#at, rest.length);
    if (chunks.refusal !== undefined) {
      this.#host.onRefusal(chunks.refusal, {});
      return false;
    }
    if (chunks.isAtTrailers) {
      this.#state = State.trailers;
      this.#heads.beginTrailers(this.#options.maxTrailerBytes, this.#options.maxHeaderFields);
    }
    this.#advance(rest, end);
    if (chunks.dataEnd > chunks.dataStart) this.#deliver(rest, chunks.dataStart, chunks.dataEnd);
    return true;
  }

  #trailers(rest: Buffer): boolean {
    const heads = this.#heads;
    const start = this.#at;
    const end = heads.read(rest, start, rest.length);
    if (end === notYet && heads.refusal === undefined) return this.#wait(rest);
    // What says where messages end or whom they are for has been heeded before: RFC 9110 section 6.5.1.
    const isLate = heads.hasSpecial && refusal('malformed', 'trailers: a field that belongs into the headers');
    const wrong = heads.refusal ?? (isLate || undefined);
    if (wrong !== undefined) {
      this.#host.onRefusal(wrong, {});
      return false;
    }
    const fields = fieldsIn(heads, rest, start);
    if (this.#stream !== undefined && fields.length > 0) this.#stream.trailers = fields;
    this.#advance(rest, end);
    this.#endRequest();
    return true;
  }

  #deliver(bytes: Buffer, start: number, end: number): void {
    this.isBodyBegun = true;
    this.#stream?.onData(bytes, start, end);
  }

  #endRequest(): void {
    const stream = this.#stream;
    this.#stream = undefined;
    this.#chunks = undefined;
    this.#state = State.head;
    this.sinceMs = 0;
    this.#heads.begin(this.#options.maxHeaderBytes, this.#options.maxHeaderFields);
    stream?.onEnd();
  }

  /** What lies before `at` has been taken. */
  #advance(rest: Buffer, at: number): void {
    if (at < rest.length) {
      this.#at = at;
      return;
    }
    this.#at = 0;
    this.#rest = this.#more.length === 0 ? undefined : this.#more.shift();
  }

  /** The rest is too short. Returns whether there is more. */
  #wait(rest: Buffer): boolean {
    const next = this.#more.shift();
    this.#needsMore = next === undefined;
    if (next !== undefined) this.#append(rest, next);
    return next !== undefined;
  }

  #append(rest: Buffer, chunk: Buffer): void {
    this.#needsMore = false;
    this.#rest = Buffer.concat([rest.subarray(this.#at), chunk]);
    this.#at = 0;
  }

  #hold(isHeld: boolean): void {
    if (isHeld === this.isHolding) return;
    this.isHolding = isHeld;
    this.#host.holdSocket(isHeld);
  }
}
