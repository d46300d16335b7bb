import type { Socket } from 'node:net';
import { type ByteAccount, Discard, noAccount, steadyNow } from '../wire/index.js';
import { Http1Counters } from './http1.counters.js';
import type { Http1ConnectionOptions } from './http1.options.js';
import type { Http1Handler } from './http1-handler.js';
import { Session } from './session.js';

/**
 * The server's end of an HTTP/1.1 connection: RFC 9112.
 *
 * The socket is the connection's alone from now on; what has been read of it already is put back by `socket.unshift` before.
 * Nothing that a client sends makes it throw. Requests of one connection are served one after the other. As with Node's own
 * server, a caller that ends its side amid a request has gone.
 */
export class Http1Connection {
  /** Those given to the constructor, or its own. */
  readonly counters: Http1Counters;
  readonly #socket: Socket;
  readonly #session: Session;
  readonly #discard: Discard;
  readonly #onBytes = (chunk: Buffer): void => {
    if (this.#session.isEnded) this.#discard.add(chunk.length);
    else this.#session.incoming.push(chunk);
  };
  readonly #onDrain = (): void => this.#session.onSocketDrain();
  readonly #onEnd = (): void => this.#session.onPeerEnd();
  readonly #onClose = (): void => this.#session.onGone();

  constructor(
    socket: Socket,
    options: Http1ConnectionOptions,
    handler: Http1Handler,
    counters: Http1Counters = new Http1Counters(),
    account: ByteAccount = noAccount,
  ) {
    this.counters = counters;
    this.#socket = socket;
    // A whole body may be on its way, and there is a limit of time.
    this.#discard = new Discard(socket, account, Number.POSITIVE_INFINITY);
    const events = { attach: () => this.#attach(), detach: () => this.#detach() };
    this.#session = new Session(socket, options, handler, counters, events, account);
    // Each write is all that a turn has brought: nothing is gained by waiting for more.
    socket.setNoDelay(true);
    this.#attach();
    if (socket.destroyed) queueMicrotask(this.#onClose);
  }

  /** A request is being served or received, or an answer is not out. */
  get isInUse(): boolean {
    const { incoming, isAnswering, isEnded } = this.#session;
    if (isEnded) return this.#socket.writableLength > 0;
    return isAnswering || incoming.isReceiving;
  }

  /** How long there has been no request, in ms; time in which the event loop was blocked does not count. */
  get idleMs(): number {
    return steadyNow() - this.#session.times.idleSinceMs;
  }

  /**
   * The next answer whose head is not out says `connection: close`, and the connection closes after it, unless bytes of
   * a later request have come by then: that one is served too. May be called twice.
   */
  announce(): void {
    this.#session.isLeaving = true;
  }

  /**
   * Has the listener of the request at hand end its response now. What has come of a later request is not served.
   *
   * @returns the number of requests that this cuts short
   */
  shutDownStreams(): number {
    return this.#session.shutDown();
  }

  /** Ends at once: what is not out is lost. May be called twice. */
  destroy(): void {
    this.#socket.destroy();
  }

  #attach(): void {
    const socket = this.#socket;
    socket.on('data', this.#onBytes);
    socket.on('drain', this.#onDrain);
    socket.on('end', this.#onEnd);
    socket.on('close', this.#onClose);
    socket.on('error', ignore);
  }

  #detach(): void {
    const socket = this.#socket;
    socket.pause();
    socket.off('data', this.#onBytes);
    socket.off('drain', this.#onDrain);
    socket.off('end', this.#onEnd);
    socket.off('close', this.#onClose);
    socket.off('error', ignore);
  }
}

function ignore(): void {
  // 'close' follows, and says all that there is to do.
}
