import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { type Live, listOf, type Peer, type RookeryError } from '../core/index.js';
import { brokenRule, type RestHead } from '../http/index.js';
import {
  Http1Connection,
  Http1Counters,
  type Http1ConnectionOptions,
  type Http1Handler,
  type Http1Refusal,
  type Http1RequestHead,
  type Http1Stream,
} from '../http1/index.js';
import { ErrorCode, Http2Headers } from '../http2/index.js';
import type { LimitOptions } from '../pipeline/index.js';
import type { Connection, ConnectionKeeper } from './connections.js';
import type { GrpcWebStreams, HttpStreams } from './faces.js';
import { http1ConnectionOptionsOf } from './http1-connection-options.js';
import { refusalError } from './http1-refusals.js';
import type { ServerOptions } from './server.options.js';

/** What becomes of HTTP/1.1 requests. */
export interface Http1ConnectionsInit {
  /** Gets the connections that become something else, if anybody listens for their upgrade. */
  readonly server: Server;
  readonly grpcWeb?: GrpcWebStreams;
  readonly http: HttpStreams;
  readonly options: Live<ServerOptions>;
  readonly limits: Live<LimitOptions>;
  readonly log: (message: string, fields: object) => void;
}

const goOn = [{ name: ':status', value: '100' }];
const nothing: Http1RequestHead = {
  method: '',
  path: '',
  authority: '',
  httpVersionMinor: 1,
  fields: [],
  rawNames: [],
  endStream: true,
  expectsContinue: false,
};

// Clients ask for these on the first request of any connection, and take a plain answer; whoever listens for upgrades
// waits for WebSockets, and would refuse them.
const notOffered = /^(?:h2c|tls\/[0-9.]+)$/i;
// RFC 9110 section 7.8. An upgrade to what is no protocol is as if it were not there.
const protocolForm = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:\/[!#$%&'*+.^_`|~0-9A-Za-z-]+)?$/;

const ignore = (): void => {};

/** One HTTP/1.1 connection: tells each request to its face, and ends it without cutting one. */
class Http1Keeper implements ConnectionKeeper, Http1Handler {
  readonly peer: Peer;
  readonly #connection: Connection;
  readonly #socket: Socket;
  readonly #owner: Http1Connections;
  readonly #init: Http1ConnectionsInit;
  readonly #scheme: string;
  readonly #engine: Http1Connection;
  /** The request that gRPC-Web serves, and the way to end it. */
  #webId = 0;
  #webCall: { fail(error: RookeryError): void } | undefined;

  constructor(connection: Connection, socket: Socket, owner: Http1Connections, init: Http1ConnectionsInit) {
    this.#connection = connection;
    this.peer = { address: connection.peer, port: connection.peerPort };
    this.#socket = socket;
    this.#owner = owner;
    this.#init = init;
    this.#scheme = socket instanceof TLSSocket ? 'https' : 'http';
    this.#engine = new Http1Connection(socket, owner.connectionOptions, this, owner.counters, connection.holder);
  }

  announce(): void {
    this.#engine.announce();
  }

  drainStep(_nowMs: number, lingerMs: number): void {
    if (!this.#engine.isInUse && this.#engine.idleMs >= lingerMs) this.#engine.destroy();
  }

  shutDown(): number {
    return this.#engine.shutDownStreams();
  }

  onRequest(stream: Http1Stream, http1: Http1RequestHead): void {
    const { grpcWeb, http } = this.#init;
    const head = this.#headOf(http1, stream);
    if (grpcWeb?.handles(head) === true && brokenRule(head) === undefined) {
      this.#webId = stream.id;
      this.#webCall = grpcWeb.serve(stream, head);
      // Nothing goes out where the head alone has decided.
      if (http1.expectsContinue) stream.inform(goOn);
    } else http.serve(stream, head, this.#socket);
  }

  onRefused(stream: Http1Stream, refusal: Http1Refusal, http1: Partial<Http1RequestHead>): void {
    const { http, limits } = this.#init;
    const error = refusalError(refusal, limits.value);
    if (stream.id === this.#webId) {
      if (this.#webCall === undefined) stream.reset(ErrorCode.cancel);
      else this.#webCall.fail(error);
    } else if (refusal.kind === 'host' || refusal.kind === 'repeated')
      this.#refuse(stream, this.#headOf({ ...nothing, ...http1 }, stream), error, refusal.kind === 'repeated');
    // What breaks off before it is a request has no operation that it could be counted by.
    else if (!http.fail(stream, error))
      http.refuse(stream, this.#headOf({ ...nothing, ...http1, method: '' }, stream), error);
  }

  onUpgrade(http1: Http1RequestHead, bytes: Buffer, socket: Socket): boolean {
    if (http1.method === 'CONNECT') return false;
    const protocols = listOf(this.#headOf(http1).headers.get('upgrade') ?? '');
    const isOffered =
      protocols.every((each) => protocolForm.test(each)) && !protocols.every((each) => notOffered.test(each));
    return isOffered && this.#owner.handOver(this.#connection, socket, bytes);
  }

  // The faces answer their errors themselves: this is a defect.
  onError(error: unknown): void {
    this.#init.log('HTTP/1.1 request failed', { error: String(error) });
  }

  /** The head is whole, so that the operation is known. Without one host the status is to be 400: RFC 9112 section 3.2. */
  #refuse(stream: Http1Stream, head: RestHead, error: RookeryError, asCall: boolean): void {
    const { grpcWeb, http } = this.#init;
    if (asCall && head.method !== 'OPTIONS' && grpcWeb?.handles(head) === true) grpcWeb.refuse(stream, head, error);
    else http.serve(stream, head, this.#socket, error);
  }

  /** @param stream gets its peer by it, if a trusted proxy has forwarded the request */
  #headOf(http1: Http1RequestHead, stream?: Http1Stream): RestHead {
    const { method, path, authority, endStream } = http1;
    const headers = new Http2Headers(http1.fields);
    const { proxies } = this.#connection;
    if (proxies !== undefined && stream !== undefined) stream.peer = proxies.peerOf(this.peer, headers);
    return { method, scheme: this.#scheme, authority, path, headers, endStream, http1 };
  }
}

/** A connection that has become something else: its protocol has no end that we know. */
class HandedOver implements ConnectionKeeper {
  readonly #socket: Socket;
  readonly #sinceMs = performance.now();

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  announce(): void {
    // Nothing to say it by.
  }

  drainStep(nowMs: number, lingerMs: number): void {
    // The client is told by FIN, then by the close.
    this.#socket.end();
    if (nowMs - this.#sinceMs >= lingerMs) this.#socket.destroy();
  }

  // A protocol without requests that we know.
  shutDown(): number {
    return 0;
  }
}

/** The HTTP/1.1 side of the port: one connection of our own engine for each socket. */
export class Http1Connections {
  /** Of all connections together, since the start. */
  readonly counters = new Http1Counters();
  /** For connections that come from now on. */
  connectionOptions: Http1ConnectionOptions;
  readonly #init: Http1ConnectionsInit;
  #serveByNode: readonly ((socket: Socket) => void)[] = [];
  #isLeaving = false;

  constructor(init: Http1ConnectionsInit) {
    this.#init = init;
    this.connectionOptions = http1ConnectionOptionsOf(init.options.value, init.limits.value);
  }

  /** Takes the server's 'connection' listeners over: they are called for upgrades only. */
  attach(): void {
    const { server } = this.#init;
    this.#serveByNode = server.listeners('connection') as ((socket: Socket) => void)[];
    server.removeAllListeners('connection');
  }

  /** Takes changed options over. */
  applyOptions(): void {
    this.connectionOptions = http1ConnectionOptionsOf(this.#init.options.value, this.#init.limits.value);
  }

  /** Serves a paused socket that has the first bytes of a request before it. */
  serve(connection: Connection, socket: Socket): void {
    const keeper = new Http1Keeper(connection, socket, this, this.#init);
    connection.become('http1', keeper);
    if (this.#isLeaving) keeper.announce();
    // Paused by the sniffer.
    socket.resume();
  }

  /** From now on every new connection is announced to as well. */
  announce(): void {
    this.#isLeaving = true;
  }

  /** @internal Gives an upgrade to whoever listens for it on the server; false where nobody does. */
  handOver(connection: Connection, socket: Socket, bytes: Buffer): boolean {
    const { server } = this.#init;
    if (server.listenerCount('upgrade') === 0) return false;
    connection.become('http1', new HandedOver(socket));
    socket.unshift(bytes);
    for (const listener of this.#serveByNode) listener.call(server, socket);
    // Node's parser takes records from the TLS layer itself, which hands on what it has even when the parser has been
    // paused (HPE_PAUSED, Node 24.21). Whoever listens for data has it go through the socket, which keeps to the pause.
    if (socket instanceof TLSSocket) socket.on('data', ignore);
    socket.resume();
    return true;
  }
}
