import http2 from 'node:http2';
import type { Socket } from 'node:net';
import type { Live } from '../core/index.js';
import type { LimitOptions } from '../pipeline/index.js';
import type { Connection, ConnectionKeeper } from './connections.js';
import { type EarlyGoaway, sendEarlyGoaway } from './early-goaway.js';
import type { ServerOptions } from './server.options.js';

/** Gets every request of every HTTP/2 connection. */
export type StreamHandler = (
  stream: http2.ServerHttp2Stream,
  headers: http2.IncomingHttpHeaders,
  flags: number,
  rawHeaders: readonly string[],
) => void;

const { NGHTTP2_ENHANCE_YOUR_CALM } = http2.constants;

// How far over the limit headers may be and still get an answer that says so.
const answeredHeaderFactor = 4;
// Time for the answers to two PINGs between the two GOAWAY frames; a dead peer has none.
const roundTripLimitMs = 1000;
// Time a peer has to close its side after ours is closed.
const closingTimeMs = 1000;

const ignore = (): void => {};

/**
 * Ends a connection whose header block has begun and does not end.
 *
 * node:http2 tells of a block when it is whole, but `lastProcStreamID` moves as soon as it begins. A stream that was
 * refused moves it as well, and is never told of either; so a PING is sent: its answer cannot come amid a block (RFC
 * 9113 section 4.3). Not seen from here: trailers and single frames that stop halfway. The deadlines of their requests
 * and the idle timeout bound those.
 */
class HeaderBlockWatch {
  readonly #session: http2.ServerHttp2Session;
  readonly #limitMs: number;
  #completeId = 0;
  #pendingId = 0;
  #pendingSinceMs = 0;

  constructor(session: http2.ServerHttp2Session, socket: Socket, limitMs: number) {
    this.#session = session;
    this.#limitMs = limitMs;
    const timer = setInterval(() => this.#check(performance.now()), limitMs / 4);
    socket.once('close', () => clearInterval(timer));
  }

  /** The header block of this stream is whole, and so are all before it. */
  complete(id: number): void {
    this.#completeId = Math.max(this.#completeId, id);
  }

  #check(nowMs: number): void {
    if (this.#session.destroyed) return;
    const id = this.#session.state.lastProcStreamID ?? 0;
    if (id <= this.#completeId) return;
    if (id === this.#pendingId) {
      if (nowMs - this.#pendingSinceMs < this.#limitMs) return;
      // Without an error Node takes the code for NO_ERROR.
      this.#session.destroy(new Error('a header block did not end in time'), NGHTTP2_ENHANCE_YOUR_CALM);
      return;
    }
    this.#pendingId = id;
    this.#pendingSinceMs = nowMs;
    this.#session.ping((error) => {
      if (error === null) this.complete(id);
    });
  }
}

/** One HTTP/2 connection: closes it when idle, and never under a request that is on its way. */
class Http2Connection implements ConnectionKeeper {
  readonly #session: http2.ServerHttp2Session;
  readonly #socket: Socket;
  readonly #timer: NodeJS.Timeout;
  readonly #headers: HeaderBlockWatch;
  readonly #openedAtMs = performance.now();
  readonly #onCount: (change: 1 | -1) => void;
  readonly #closeSession: () => void;
  #openStreams = 0;
  #hasServed = false;
  #isLeft = false;
  #goaway: EarlyGoaway | 'none' = 'none';
  #retiredAtMs = 0;

  constructor(
    session: http2.ServerHttp2Session,
    socket: Socket,
    timing: { settingsMs: number; headersMs: number; idleMs: number },
    onCount: (change: 1 | -1) => void,
  ) {
    this.#session = session;
    this.#socket = socket;
    this.#onCount = onCount;
    // A client's SETTINGS follow its preface at once (RFC 9113 section 3.4). What comes later is timed by `#onIdle`.
    const settings = setTimeout(() => socket.destroy(), timing.settingsMs);
    session.once('remoteSettings', () => clearTimeout(settings));
    this.#timer = setTimeout(() => this.#onIdle(), timing.idleMs);
    this.#headers = new HeaderBlockWatch(session, socket, timing.headersMs);
    session.on('error', ignore);
    // A client's GOAWAY makes Node close the session under the requests right behind it: nghttp2, which is in many
    // clients, sends new streams after everything else. So closing is ours alone.
    this.#closeSession = session.close.bind(session);
    session.close = ignore;
    session.on('goaway', () => setImmediate(() => this.#onGoodbye()));
    socket.once('close', () => {
      clearTimeout(settings);
      clearTimeout(this.#timer);
    });
  }

  begin(stream: http2.ServerHttp2Stream): void {
    if (stream.id !== undefined) this.#headers.complete(stream.id);
    this.#openStreams += 1;
    this.#hasServed = true;
    this.#onCount(1);
    stream.on('close', this.#onStreamClose);
    // A stream that the peer resets says so by an error; what it means to the request is the face's business.
    stream.on('error', ignore);
  }

  announce(): void {
    this.#retire();
  }

  drainStep(nowMs: number, lingerMs: number): void {
    // Who has just connected waits for our SETTINGS before it sends a request.
    if (!this.#hasServed && nowMs - this.#openedAtMs < lingerMs) return;
    this.#retire();
    if (this.#goaway === 'wait' && nowMs - this.#retiredAtMs > roundTripLimitMs) this.#close();
  }

  readonly #onStreamClose = (): void => {
    this.#openStreams -= 1;
    this.#onCount(-1);
    if (this.#openStreams > 0) return;
    this.#timer.refresh();
    if (this.#isLeft) this.#close();
    else this.#closeSocketSoon();
  };

  // The client opens no more streams; those it has sent are here by now.
  #onGoodbye(): void {
    this.#isLeft = true;
    if (this.#openStreams === 0) this.#close();
  }

  #onIdle(): void {
    if (this.#openStreams > 0) return;
    this.#retire();
    // Nobody asks again, and a peer that reads nothing while no stream is open has gone.
    if (this.#goaway === 'wait') this.#close();
  }

  // Early GOAWAY; two PINGs, after whose answers no new stream can be on its way; final GOAWAY. The second one is for
  // clients that answer a PING before they send what they had ready (see `goaway` above). Called again while it waits.
  #retire(): void {
    if (this.#goaway === 'sent' || this.#session.closed || this.#session.destroyed) return;
    if (this.#goaway === 'none') this.#retiredAtMs = performance.now();
    this.#goaway = sendEarlyGoaway(this.#socket);
    if (this.#goaway === 'never') this.#close();
    if (this.#goaway !== 'sent') return;
    const timer = setTimeout(() => this.#close(), roundTripLimitMs);
    this.#socket.once('close', () => clearTimeout(timer));
    this.#ping(() => this.#ping(() => this.#close()));
  }

  // Goes on without an answer where no PING can be sent.
  #ping(onAnswer: () => void): void {
    if (this.#session.destroyed || !this.#session.ping(onAnswer)) onAnswer();
  }

  #close(): void {
    if (this.#session.closed || this.#session.destroyed) return;
    this.#closeSession();
    this.#closeSocketSoon();
  }

  #closeSocketSoon(): void {
    if (this.#openStreams > 0 || !this.#session.closed) return;
    const timer = setTimeout(() => this.#socket.destroy(), closingTimeMs);
    this.#socket.once('close', () => clearTimeout(timer));
  }
}

/** The HTTP/2 side of the port: one session of node:http2 for each connection, with this package's limits. */
export class Http2Connections {
  readonly #options: Live<ServerOptions>;
  readonly #limits: Live<LimitOptions>;
  readonly #onStream: StreamHandler;
  #openStreams = 0;

  constructor(options: Live<ServerOptions>, limits: Live<LimitOptions>, onStream: StreamHandler) {
    this.#options = options;
    this.#limits = limits;
    this.#onStream = onStream;
  }

  /** Streams open now. */
  get openStreams(): number {
    return this.#openStreams;
  }

  /** Serves a paused socket whose next bytes are the preface. */
  serve(connection: Connection, socket: Socket): void {
    const { http2: options } = this.#options.value;
    // The HTTP/1.1 server leaves sockets half open for its own sake; here it would keep those of gone clients.
    socket.allowHalfOpen = false;
    const session = http2.performServerHandshake(socket, this.#sessionOptions());
    session.setLocalWindowSize(options.connectionWindowBytes);
    const { firstByteTimeoutMs, headersTimeoutMs } = this.#limits.value;
    const timing = { settingsMs: firstByteTimeoutMs, headersMs: headersTimeoutMs, idleMs: options.idleTimeoutMs };
    const keeper = new Http2Connection(session, socket, timing, (change) => {
      this.#openStreams += change;
    });
    connection.become('http2', keeper);
    session.on(
      'stream',
      (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders, flags: number, rawHeaders: string[]) => {
        keeper.begin(stream);
        this.#onStream(stream, headers, flags, rawHeaders);
      },
    );
  }

  #sessionOptions(): http2.ServerOptions {
    const { http2: options } = this.#options.value;
    return {
      maxSessionMemory: options.maxSessionMemoryMiB,
      // Frames that break the protocol, and streams refused over the limit, before the connection is cut. Clients in
      // good faith send none of the first and few of the second, in the time before they have read our SETTINGS.
      maxSessionInvalidFrames: 100,
      maxSessionRejectedStreams: 100,
      // Rapid reset (CVE-2023-44487): streams a client may cancel at once, and each second after that.
      streamResetBurst: 1000,
      streamResetRate: 100,
      strictSingleValueFields: true,
      settings: {
        maxConcurrentStreams: options.maxConcurrentStreams,
        // Once this is acknowledged, Node resets streams with more, without an answer; `Http2Streams` holds to the limit
        // itself, which may be below what is announced (RFC 9113 section 6.5.2). What cannot be set: at more than 128
        // fields the stream is reset (`maxHeaderListPairs` bounds what HPACK unfolds before the acknowledgement), and at
        // 64 KiB in a field or 9 frames in a block, some 144 KiB, nghttp2 ends the whole connection.
        maxHeaderListSize: answeredHeaderFactor * this.#limits.value.maxHeaderBytes,
        initialWindowSize: options.streamWindowBytes,
      },
    };
  }
}
