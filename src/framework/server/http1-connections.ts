import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Connection, ConnectionKeeper } from './connections.js';

// An empty line after a body, which old clients send, is not the beginning of a request (RFC 9112 section 2.2).
const emptyLineBytes = 2;

/** gRPC-Web as the port sees it on HTTP/1.1. */
export interface GrpcWebRequests {
  handlesHttp1(request: IncomingMessage): boolean;
  serveHttp1(request: IncomingMessage, response: ServerResponse): void;
}

/** Knows of one HTTP/1.1 connection whether it is in use, and ends it without cutting a request. */
class Http1Connection implements ConnectionKeeper {
  readonly #socket: Socket;
  #openResponses = 0;
  #latest: ServerResponse | undefined;
  #markedAsLast: ServerResponse | undefined;
  #idleSinceMs = performance.now();
  #idleBytesRead = 0;
  #isLeaving = false;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  begin(response: ServerResponse): void {
    this.#openResponses += 1;
    // Pipelined behind an answer that was to be the last one: the connection may only end with this one.
    if (this.#markedAsLast !== undefined && !this.#markedAsLast.headersSent) this.#markedAsLast.shouldKeepAlive = true;
    this.#latest = response;
    this.#markedAsLast = undefined;
    if (this.#isLeaving) this.#markAsLast(response);
    response.on('close', this.#onResponseClose);
  }

  announce(): void {
    this.#isLeaving = true;
    if (this.#openResponses > 0 && this.#latest !== undefined) this.#markAsLast(this.#latest);
  }

  drainStep(nowMs: number, lingerMs: number): void {
    if (this.#isUpgraded) {
      // Its own protocol has no end that we know: the client is told by FIN, then by the close.
      this.#socket.end();
      if (nowMs - this.#idleSinceMs >= lingerMs) this.#socket.destroy();
      return;
    }
    const isInUse = this.#openResponses > 0 || this.#socket.bytesRead - this.#idleBytesRead > emptyLineBytes;
    if (!isInUse && nowMs - this.#idleSinceMs >= lingerMs) this.#socket.destroy();
  }

  // Makes Node say `connection: close` and close after this answer. Too late once the headers are out.
  #markAsLast(response: ServerResponse): void {
    if (response.headersSent || !response.shouldKeepAlive) return;
    response.shouldKeepAlive = false;
    this.#markedAsLast = response;
  }

  // Node takes its parser off a socket that it has handed to an 'upgrade' or 'connect' listener.
  get #isUpgraded(): boolean {
    return (this.#socket as { parser?: unknown }).parser === null;
  }

  // Bound once per connection, since it is added once per request.
  readonly #onResponseClose = (): void => {
    this.#openResponses -= 1;
    this.#rest();
    const request = this.#latest?.req;
    // Answered before its body was all there: the rest is read and thrown away, and is no new request.
    if (request !== undefined && !request.complete) request.once('close', () => this.#rest());
  };

  #rest(): void {
    this.#idleSinceMs = performance.now();
    this.#idleBytesRead = this.#socket.bytesRead;
  }
}

/** Node's own HTTP/1.1 server as the port sees it: it gets its connections from us and nothing else changes for it. */
export class Http1Connections {
  readonly #server: Server;
  readonly #serve: readonly ((socket: Socket) => void)[];
  readonly #connections = new WeakMap<Socket, Http1Connection>();
  #isLeaving = false;

  /**
   * Takes the server's 'connection' listeners over: they are called for the connections given to `serve`.
   *
   * @param grpcWeb gets its requests before the application's own listeners, which then do not hear of them
   */
  constructor(server: Server, grpcWeb?: GrpcWebRequests) {
    this.#server = server;
    this.#serve = server.listeners('connection') as ((socket: Socket) => void)[];
    server.removeAllListeners('connection');
    const answer = server.listeners('request') as RequestListener[];
    server.removeAllListeners('request');
    server.on('request', (request, response) => {
      this.#connections.get(request.socket)?.begin(response);
      if (grpcWeb?.handlesHttp1(request) === true) grpcWeb.serveHttp1(request, response);
      else for (const listener of answer) listener.call(server, request, response);
    });
  }

  serve(connection: Connection, socket: Socket): void {
    const keeper = new Http1Connection(socket);
    this.#connections.set(socket, keeper);
    connection.become('http1', keeper);
    if (this.#isLeaving) keeper.announce();
    for (const listener of this.#serve) listener.call(this.#server, socket);
    // Paused by the sniffer; Node waits for data and does not start it.
    socket.resume();
  }

  /** From now on every new connection is announced to as well. */
  announce(): void {
    this.#isLeaving = true;
  }
}
