import type { Socket } from 'node:net';
import type { Live, Peer, RookeryError } from '../core/index.js';
import { HeadersTooLargeError, MalformedRequestError, type Transport, transportOf } from '../http/index.js';
import {
  Http2Connection,
  type Http2ConnectionHandler,
  type Http2ConnectionOptions,
  Http2Counters,
  type Http2RequestHead,
  type Http2Stream,
} from '../http2/index.js';
import type { LimitOptions } from '../pipeline/index.js';
import type { Connection, ConnectionKeeper } from './connections.js';
import type { GrpcStreams, GrpcWebStreams, HttpStreams } from './faces.js';
import { connectionOptions } from './http2-connection-options.js';
import type { ServerOptions } from './server.options.js';

/** What becomes of HTTP/2 requests. */
export interface Http2ConnectionsInit {
  readonly grpc: GrpcStreams;
  readonly grpcWeb?: GrpcWebStreams;
  readonly http: HttpStreams;
  readonly options: Live<ServerOptions>;
  readonly limits: Live<LimitOptions>;
  readonly log: (message: string, fields: object) => void;
}

/** One HTTP/2 connection: tells each stream to its face, and ends it without cutting a request. */
class Http2Keeper implements ConnectionKeeper, Http2ConnectionHandler {
  readonly peer: Peer;
  readonly #connection: Connection;
  readonly #socket: Socket;
  readonly #owner: Http2Connections;
  readonly #init: Http2ConnectionsInit;
  readonly #engine: Http2Connection;
  #transport: Transport | undefined;
  #hasServed = false;

  constructor(connection: Connection, socket: Socket, owner: Http2Connections, init: Http2ConnectionsInit) {
    this.#connection = connection;
    this.peer = { address: connection.peer, port: connection.peerPort };
    this.#socket = socket;
    this.#owner = owner;
    this.#init = init;
    this.#engine = new Http2Connection(socket, owner.connectionOptions, this, owner.counters, connection.holder);
  }

  get streams(): number {
    return this.#engine.streams;
  }

  announce(): void {
    this.#engine.goaway();
  }

  drainStep(nowMs: number, lingerMs: number): void {
    // Who has just connected waits for our SETTINGS before it sends a request.
    if (this.#hasServed || nowMs - this.#connection.openedAtMs >= lingerMs) this.#engine.goaway();
  }

  shutDown(): number {
    return this.#engine.shutDownStreams();
  }

  onStream(stream: Http2Stream, head: Http2RequestHead): void {
    this.#hasServed = true;
    this.#place(stream, head);
    const { grpc, grpcWeb, http } = this.#init;
    if (head.repeated !== '') {
      this.#refuse(stream, head, new MalformedRequestError(`${head.repeated}: more than one (expected: one)`));
      return;
    }
    if (grpc.handles(head.headers.first('content-type'))) {
      grpc.serve(stream, head);
      return;
    }
    if (grpcWeb?.handles(head) === true) {
      grpcWeb.serve(stream, head);
      return;
    }
    http.serve(stream, head, this.#transportOf());
  }

  onHeadersTooLarge(stream: Http2Stream, head: Http2RequestHead): void {
    this.#hasServed = true;
    this.#place(stream, head);
    const { maxHeaderBytes, maxHeaderFields } = this.#init.limits.value;
    const error =
      head.headers.size > maxHeaderFields
        ? new HeadersTooLargeError(maxHeaderFields, 'fields')
        : new HeadersTooLargeError(maxHeaderBytes);
    if (!this.#refuseCall(stream, head, error)) this.#init.http.refuse(stream, head, error);
  }

  // The faces answer their errors themselves: this is a defect, of which the connection's other streams know nothing.
  onError(error: unknown): void {
    this.#init.log('HTTP/2 stream failed', { error: String(error) });
  }

  // Gives a request that a trusted proxy has forwarded its peer.
  #place(stream: Http2Stream, { headers }: Http2RequestHead): void {
    const { proxies } = this.#connection;
    if (proxies !== undefined) stream.peer = proxies.peerOf(this.peer, headers);
  }

  onClose(): void {
    this.#owner.forget(this);
  }

  /** The head is whole, so that the operation is known. */
  #refuse(stream: Http2Stream, head: Http2RequestHead, error: RookeryError): void {
    if (!this.#refuseCall(stream, head, error)) this.#init.http.serve(stream, head, this.#transportOf(), error);
  }

  /** Returns false for what is no call of either gRPC protocol. */
  #refuseCall(stream: Http2Stream, head: Http2RequestHead, error: RookeryError): boolean {
    const { grpc, grpcWeb } = this.#init;
    if (grpc.handles(head.headers.first('content-type'))) grpc.refuse(stream, head, error);
    else if (head.method !== 'OPTIONS' && grpcWeb?.handles(head) === true) grpcWeb.refuse(stream, head, error);
    else return false;
    return true;
  }

  #transportOf(): Transport {
    this.#transport ??= transportOf(this.#socket);
    return this.#transport;
  }
}

/** The HTTP/2 side of the port: one connection of our own engine for each socket, with this package's limits. */
export class Http2Connections {
  /** Of all connections together, since the start. */
  readonly counters = new Http2Counters();
  /** For connections that come from now on. */
  connectionOptions: Http2ConnectionOptions;
  readonly #init: Http2ConnectionsInit;
  readonly #open = new Set<Http2Keeper>();

  constructor(init: Http2ConnectionsInit) {
    this.#init = init;
    this.connectionOptions = connectionOptions(init.options.value.http2, init.limits.value);
  }

  /** Streams open now. */
  get openStreams(): number {
    let streams = 0;
    for (const keeper of this.#open) streams += keeper.streams;
    return streams;
  }

  /** Takes changed options over. */
  applyOptions(): void {
    this.connectionOptions = connectionOptions(this.#init.options.value.http2, this.#init.limits.value);
  }

  /** Serves a paused socket whose next bytes are the preface. */
  serve(connection: Connection, socket: Socket): void {
    const keeper = new Http2Keeper(connection, socket, this, this.#init);
    this.#open.add(keeper);
    connection.become('http2', keeper);
    // Paused by the sniffer.
    socket.resume();
  }

  /** @internal */
  forget(keeper: Http2Keeper): void {
    this.#open.delete(keeper);
  }
}
