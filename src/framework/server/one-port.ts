import type http from 'node:http';
import { Server as NetServer, type Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { type Live, type Metric, Shares } from '../core/index.js';
import { type LimitOptions, shareLimitsOf } from '../pipeline/index.js';
import { beginConnection, endWork, whenDue } from '../wire/index.js';
import { untilNoneArrives } from './accept-waiting.js';
import { Arrivals } from './arrivals.js';
import { type Connection, type ConnectionStats, ConnectionTable } from './connections.js';
import type { GrpcStreams, GrpcWebStreams, HttpStreams } from './faces.js';
import { Http1Connections } from './http1-connections.js';
import { Http2Connections } from './http2-connections.js';
import { namesOtherProtocol, type Protocol, sniff, type SniffFailure } from './preface.js';
import { awaitProxyHeader } from './proxy-protocol/await-header.js';
import { portMetrics } from './port-metrics.js';
import { SchemeRefusals } from './scheme-refusals.js';
import type { ServerOptions } from './server.options.js';
import { shareMetrics } from './share-metrics.js';
import { TlsConnections } from './tls-connections.js';
import type { TlsFilesTiming } from './tls-files.js';

/** What the port stands between. */
export interface OnePortInit {
  /** Nest's own HTTP/1.1 server. It listens itself; of its connections it gets those that somebody has it upgrade. */
  readonly server: http.Server;
  readonly options: Live<ServerOptions>;
  readonly limits: Live<LimitOptions>;
  /** What connections and requests are counted by; of its own where left out. It is kept to the options from here. */
  readonly shares?: Shares;
  readonly grpc: GrpcStreams;
  readonly grpcWeb?: GrpcWebStreams;
  /** Gets what is not gRPC. */
  readonly http: HttpStreams;
  readonly log: (message: string, fields: object) => void;
  /** How quickly changed certificates are noticed. */
  readonly tlsTiming?: TlsFilesTiming;
}

// How often the drain looks for what has ended: nobody notices 50 ms in a stop, and a thousand looks cost nothing.
const drainStepMs = 50;
// For the status of what is ended at the end of the grace to reach its client.
const lastWordsMs = 1000;
// A socket that is destroyed reports its close within a turn or two of the event loop.
const destroyTimeMs = 1000;

const ignore = (): void => {};

/**
 * Serves HTTP/1.1, HTTP/2 and TLS with both on the port of one HTTP/1.1 server, by looking at the first bytes of each
 * connection, and ends all of it without losing a request.
 *
 * @example
 * const port = new OnePort({ server, options, limits, grpc, http, log });
 * port.attach();
 * server.listen(8080);
 * // at the stop
 * port.announceDrain();
 * await delay(drainDelayMs);
 * const isDrained = await port.drain(20_000);
 */
export class OnePort {
  readonly #init: OnePortInit;
  readonly #shares: Shares;
  readonly #table: ConnectionTable;
  readonly #http1: Http1Connections;
  readonly #http2: Http2Connections;
  readonly #schemes: SchemeRefusals;
  readonly #arrivals: Arrivals;
  #tls: TlsConnections | undefined;
  #unsubscribe: (() => void)[] = [];
  #draining: Promise<boolean> | undefined;
  #isAnnounced = false;

  constructor(init: OnePortInit) {
    this.#init = init;
    const { limits, options } = init;
    this.#shares = init.shares ?? new Shares(shareLimitsOf(limits.value, options.value.maxConnections));
    this.#table = new ConnectionTable(this.#shares);
    this.#http1 = new Http1Connections(init);
    this.#http2 = new Http2Connections(init);
    this.#schemes = new SchemeRefusals(init.log);
    this.#arrivals = new Arrivals(init.options.value, init.log);
  }

  /**
   * Puts the port in front of the server. Call it once, when the server has all its listeners and before it listens.
   *
   * @throws TlsFilesError `server.tls` names files that cannot serve
   */
  attach(): void {
    const { server, options, limits, log } = this.#init;
    const { tls } = options.value;
    if (tls.certFile !== undefined) {
      this.#tls = new TlsConnections({
        options: tls,
        log,
        onSecure: (connection, socket) => this.#onSecure(connection, socket),
        onFailure: (connection) => this.#table.refuse(connection),
        ...(this.#init.tlsTiming !== undefined && { timing: this.#init.tlsTiming }),
      });
    }
    this.#http1.attach();
    server.on('connection', (socket: Socket) => this.#accept(socket));
    this.#applyOptions();
    this.#unsubscribe = [options.subscribe(() => this.#applyOptions()), limits.subscribe(() => this.#applyOptions())];
    this.#takeOverClose();
  }

  /** Open connections by state, and totals since the start. */
  stats(): ConnectionStats {
    return { ...this.#table.counts, streams: this.#http2.openStreams };
  }

  /** What the port counts, for operators. */
  metrics(): readonly Metric[] {
    return [
      ...portMetrics(this.stats(), this.#http1.counters, this.#http2.counters, this.#schemes.cleartextTotal),
      ...this.#arrivals.metrics(),
      ...shareMetrics(this.#shares),
    ];
  }

  /**
   * Asks the clients to go elsewhere, while everything is still accepted and served: HTTP/1.1 answers carry
   * `connection: close`, HTTP/2 connections get GOAWAY. Later calls change nothing.
   */
  announceDrain(): void {
    if (this.#isAnnounced) return;
    this.#isAnnounced = true;
    this.#http1.announce();
    this.#table.forEach(({ keeper }) => keeper?.announce());
  }

  /**
   * Stops listening and lets what runs and what is on its way finish. When time is up, gRPC calls end with UNAVAILABLE,
   * events on REST end, other requests get 503, and within a second more what is left is cut off. A second call waits for
   * the first.
   *
   * @param graceMs time for requests to finish, in ms
   * @returns whether nothing was cut short: streams that ended with UNAVAILABLE and their trailers were not
   */
  drain(graceMs: number): Promise<boolean> {
    return this.#drain(graceMs, this.#init.options.value.idleLingerMs);
  }

  /** Cuts everything off at once. May be called twice. */
  close(): void {
    this.#release();
    this.#stopListening();
    this.#table.forEach(({ socket }) => socket.destroy());
  }

  #accept(socket: Socket): void {
    // Every socket needs one from the first moment; what an error means to a request, its 'close' tells.
    socket.on('error', ignore);
    const connection = this.#table.add(socket);
    if (connection === undefined) return;
    beginConnection(connection.holder);
    if (this.#arrivals.sendsProxyHeader(connection)) this.#awaitProxyHeader(connection);
    else {
      this.#arrivals.trust(connection);
      this.#await(connection, socket, this.#init.limits.value.firstByteTimeoutMs);
    }
    endWork();
  }

  #awaitProxyHeader(connection: Connection): void {
    const { socket, openedAtMs } = connection;
    const { firstByteTimeoutMs } = this.#init.limits.value;
    awaitProxyHeader(socket, firstByteTimeoutMs, (outcome) => {
      if (outcome === 'closed') socket.destroy();
      else if (!this.#arrivals.take(connection, outcome) || !connection.moveTo(connection.peer))
        this.#table.refuse(connection);
      else {
        // One limit for both: the client's first bytes may have come with the header or not.
        this.#await(connection, socket, Math.max(1, openedAtMs + firstByteTimeoutMs - performance.now()));
        socket.resume();
      }
    });
  }

  // `socket` is the connection's own one, or the TLS socket on it.
  #await(connection: Connection, socket: Socket, timeoutMs: number): void {
    sniff(socket, timeoutMs, (outcome, seen) => {
      // A peer that takes much of the event loop's time is not to take it by new connections.
      whenDue(connection.holder, () => this.#route(connection, socket, outcome, seen));
    });
  }

  #onSecure(connection: Connection, socket: TLSSocket): void {
    socket.on('error', ignore);
    this.#await(connection, socket, this.#init.limits.value.firstByteTimeoutMs);
  }

  #route(connection: Connection, socket: Socket, outcome: Protocol | SniffFailure, seen: Buffer): void {
    const isSecure = socket instanceof TLSSocket;
    if (socket.destroyed) return;
    if (outcome === 'closed') socket.destroy();
    else if (outcome === 'silent') this.#table.refuse(connection);
    else if (outcome === 'tls') {
      if (this.#tls !== undefined && !isSecure) return this.#tls.accept(connection);
      if (!isSecure) this.#schemes.noteTls(connection);
      this.#table.refuse(connection);
    } else if (outcome === 'http1' && this.#arrivals.isUnwantedHeader(connection, seen)) this.#table.refuse(connection);
    else if (!isSecure && this.#tls !== undefined && !this.#init.options.value.tls.allowCleartext) {
      this.#schemes.answerCleartext(connection, outcome, seen);
      this.#table.refuse(connection);
    } else if (outcome === 'http1' && ((isSecure && socket.alpnProtocol === 'h2') || namesOtherProtocol(seen)))
      this.#table.refuse(connection);
    else {
      connection.label(socket);
      (outcome === 'http2' ? this.#http2 : this.#http1).serve(connection, socket);
    }
  }

  #applyOptions(): void {
    const { server, options, limits } = this.#init;
    this.#shares.adjust(shareLimitsOf(limits.value, options.value.maxConnections));
    this.#http1.applyOptions();
    this.#http2.applyOptions();
    if (this.#arrivals.applyOptions(options.value))
      this.#table.forEach((connection) => this.#arrivals.trust(connection));
    server.maxConnections = options.value.maxConnections;
  }

  #drain(graceMs: number, lingerMs: number): Promise<boolean> {
    this.#draining ??= this.#run(graceMs, lingerMs);
    return this.#draining;
  }

  async #run(graceMs: number, lingerMs: number): Promise<boolean> {
    const deadlineMs = performance.now() + graceMs;
    this.announceDrain();
    await untilNoneArrives(() => this.#table.counts.accepted);
    this.#stopListening();
    const isDrained = (await this.#waitUntil(deadlineMs, lingerMs)) || (await this.#shutDown(graceMs));
    this.#release();
    return isDrained;
  }

  /** Returns whether all connections have ended by then. */
  async #waitUntil(deadlineMs: number, lingerMs: number): Promise<boolean> {
    let isEmpty = false;
    do {
      const nowMs = performance.now();
      this.#table.forEach((connection) => connection.drainStep(nowMs, lingerMs));
      isEmpty = await this.#table.empty(Math.max(0, Math.min(drainStepMs, deadlineMs - nowMs)));
    } while (!isEmpty && performance.now() < deadlineMs);
    return isEmpty;
  }

  /** Ends what still runs, and cuts off what does not take its end. Returns whether nothing was cut short. */
  async #shutDown(graceMs: number): Promise<boolean> {
    const open = this.stats();
    let cut = 0;
    this.#table.forEach(({ keeper }) => {
      cut += keeper?.shutDown() ?? 0;
    });
    const isEmpty = await this.#waitUntil(performance.now() + lastWordsMs, 0);
    if (isEmpty && cut === 0) return true;
    this.#init.log('drain ran out of time', { graceMs, ...open, requestsCut: cut, isUnread: !isEmpty });
    this.#table.forEach(({ socket }) => socket.destroy());
    await this.#table.empty(destroyTimeMs);
    return false;
  }

  // Not the server's own close(): that would destroy idle connections at once, a request on its way or not, and end
  // the checks for slow clients.
  #stopListening(): void {
    if (this.#init.server.listening) NetServer.prototype.close.call(this.#init.server);
  }

  // Whoever closes the server, such as Nest's adapter, waits for all its connections; those on HTTP/2 would wait for
  // whoever comes after. So its close() is a drain.
  #takeOverClose(): void {
    const { server } = this.#init;
    const close = server.close.bind(server);
    server.close = (callback?: (error?: Error) => void): http.Server => {
      if (!server.listening && this.#draining === undefined) return close(callback);
      void this.#closeAfterDrain(() => close(() => callback?.()));
      return server;
    };
  }

  // Whoever closes the server wants it closed: idle connections get no extra time, unless a drain has given it.
  async #closeAfterDrain(close: () => void): Promise<void> {
    await this.#drain(this.#init.options.value.graceMs, 0);
    close();
  }

  #release(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#unsubscribe = [];
    this.#tls?.close();
  }
}
