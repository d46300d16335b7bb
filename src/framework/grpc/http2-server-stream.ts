import { constants, type Http2Session, type ServerHttp2Stream } from 'node:http2';
import type { Http2Fields } from '../http2/index.js';
import type { ServerStream, StreamListener } from './server-stream.js';

interface Peer {
  readonly address: string;
  readonly port: number;
}

// `session.socket` is a proxy, costly to ask; the answer is the same for all streams of a session.
const peers = new WeakMap<Http2Session, Peer>();

function peerOf(session: Http2Session | undefined): Peer {
  if (session === undefined || session.destroyed) return { address: '', port: 0 };
  let peer = peers.get(session);
  if (peer === undefined) {
    peer = { address: session.socket.remoteAddress ?? '', port: session.socket.remotePort ?? 0 };
    peers.set(session, peer);
  }
  return peer;
}

/** The protocol's narrow view of a `node:http2` server stream. */
export class Http2ServerStream implements ServerStream {
  readonly peerAddress: string;
  readonly peerPort: number;
  readonly #stream: ServerHttp2Stream;
  #trailers: Http2Fields | undefined;
  #isRequestEnded = false;
  isClosed = false;

  constructor(stream: ServerHttp2Stream) {
    this.#stream = stream;
    const { address, port } = peerOf(stream.session);
    this.peerAddress = address;
    this.peerPort = port;
  }

  listen(listener: StreamListener): void {
    const stream = this.#stream;
    // 'aborted' comes at once when the caller resets the stream, 'close' only after what is buffered has been dealt with.
    const close = (): void => {
      if (this.isClosed) return;
      this.isClosed = true;
      listener.onClose(0);
    };
    stream.on('data', (chunk: Buffer) => listener.onData(chunk));
    stream.on('end', () => {
      this.#isRequestEnded = true;
      listener.onEnd();
    });
    stream.on('drain', () => listener.onDrain());
    stream.on('aborted', close);
    stream.on('close', close);
    stream.on('error', close);
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  respond(headers: Http2Fields): void {
    if (this.#isGone()) return;
    this.#stream.respond(recordOf(headers), { waitForTrailers: true });
    this.#stream.once('wantTrailers', () => this.#sendTrailers());
  }

  respondOnly(headers: Http2Fields): void {
    if (this.#isGone()) return;
    this.#orReset(() => this.#stream.respond(recordOf(headers), { endStream: true }));
    this.#releaseRequest();
  }

  write(data: Uint8Array): boolean {
    return this.#isGone() || this.#stream.write(data);
  }

  end(trailers?: Http2Fields, data?: Uint8Array): void {
    if (this.#isGone()) return;
    this.#trailers = trailers;
    if (data === undefined) this.#stream.end();
    else this.#stream.end(data);
    if (!this.#isRequestEnded) this.#stream.resume();
  }

  reset(code: number): void {
    if (!this.#stream.destroyed) this.#stream.close(code);
  }

  #isGone(): boolean {
    return this.#stream.destroyed || this.#stream.closed || this.#stream.writableEnded;
  }

  #sendTrailers(): void {
    if (this.#stream.destroyed || this.#stream.closed) return;
    this.#orReset(() => this.#stream.sendTrailers(recordOf(this.#trailers ?? [])));
    this.#releaseRequest();
  }

  // Node refuses some headers by an exception, such as two values where HTTP has one. At the end of a call nobody is left
  // to be told, and here, in an event of the stream, it would take the process down.
  #orReset(send: () => void): void {
    try {
      send();
    } catch {
      this.reset(constants.NGHTTP2_INTERNAL_ERROR);
    }
  }

  // A caller that is still sending is told that nobody listens any more (RFC 9113 section 8.1), once the answer is out.
  #releaseRequest(): void {
    if (this.#isRequestEnded) return;
    this.#stream.resume();
    setImmediate(() => {
      if (!this.#isRequestEnded && !this.#stream.destroyed) this.#stream.close(constants.NGHTTP2_NO_ERROR);
    });
  }
}

function recordOf(fields: Http2Fields): Record<string, string | string[]> {
  // The one block that is made beforehand is the trailers of success.
  if (fields instanceof Uint8Array) return { 'grpc-status': '0' };
  const record: Record<string, string | string[]> = {};
  for (const { name, value } of fields) {
    const before = record[name];
    record[name] = before === undefined ? value : [before, value].flat();
  }
  return record;
}
