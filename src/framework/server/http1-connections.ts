import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { brokenRule } from '../http/index.js';
import type { Connection, ConnectionKeeper } from './connections.js';

// An empty line after a body, which old clients send, is not the beginning of a request (RFC 9112 section 2.2).
const emptyLineBytes = 2;

const ignore = (): void => {};

type ClientErrorListener = (error: Error, socket: Socket) => void;

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
    // An idle connection holds nothing of what it was asked.
    if (this.#openResponses === 0) {
      this.#latest = undefined;
      this.#markedAsLast = undefined;
    }
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
  // The latest call of gRPC-Web on each.
  readonly #calls = new WeakMap<Socket, ServerResponse>();
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
      // What breaks the rules of HTTP is answered by the application, which knows them.
      if (grpcWeb?.handlesHttp1(request) === true && brokenRule(request) === undefined) {
        this.#calls.set(request.socket, response);
        grpcWeb.serveHttp1(request, response);
      } else for (const listener of answer) listener.call(server, request, response);
    });
    const refuse = server.listeners('clientError') as ClientErrorListener[];
    // Without any, Node has an answer of its own.
    if (refuse.length === 0) return;
    server.removeAllListeners('clientError');
    server.on('clientError', (error: Error, socket: Socket) =>
      this.#afterCall(socket, () => {
        for (const listener of refuse) listener.call(server, error, socket);
      }),
    );
  }

  serve(connection: Connection, socket: Socket): void {
    const keeper = new Http1Connection(socket);
    this.#connections.set(socket, keeper);
    connection.become('http1', keeper);
    if (this.#isLeaving) keeper.announce();
    for (const listener of this.#serve) listener.call(this.#server, socket);
    // Node's parser takes records from the TLS layer itself, which hands on what it has even when the parser has been
    // paused, as it is while an answer waits to be read; the next request is then lost (HPE_PAUSED, Node 24.21). Whoever
    // listens for data has it go through the socket, which keeps to the pause.
    if (socket instanceof TLSSocket) socket.on('data', ignore);
    // Paused by the sniffer; Node waits for data and does not start it.
    socket.resume();
  }

  /** From now on every new connection is announced to as well. */
  announce(): void {
    this.#isLeaving = true;
  }

  // What cannot be parsed is refused by the application, which does not know of the call before it. Amid a call's request
  // there is nothing to be said: the call ends with its connection.
  #afterCall(socket: Socket, refuse: () => void): void {
    const response = this.#calls.get(socket);
    if (response === undefined || response.closed) refuse();
    else if (response.req.complete) response.once('close', refuse);
    else socket.destroy();
  }
}
