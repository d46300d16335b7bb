import { METHODS, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { CancelledError, type Live, type RookeryError } from '../core/index.js';
import { type LimitOptions, type RequestGate, toFailure } from '../pipeline/index.js';
import { errorEnvelope } from './envelope.js';
import { type LatestRequest, latestOn } from './exchange.js';
import {
  HeadersTooLargeError,
  MalformedRequestError,
  RequestTimeoutError,
  TunnelNotOfferedError,
} from './http.errors.js';
import { replyFailure } from './reply-failure.js';
import type { RouteTable } from './route-table.js';
import type { FixedHeaders } from './security-headers.js';

/** What Node's HTTP/1.1 server says of bytes that it could not make a request of. */
export interface ClientError extends Error {
  readonly code?: string;
  /** How many bytes of `rawPacket` the parser took before it gave up. */
  readonly bytesParsed?: number;
  readonly rawPacket?: Buffer;
}

/** What the refusals need to know of the application. */
export interface WireRefusalsInit {
  readonly gate: RequestGate;
  readonly limits: Live<LimitOptions>;
  readonly headers: FixedHeaders;
  readonly routes: RouteTable;
}

// A refused caller may finish what it was about to send: as long as each second brings some of it, ten at most.
const lingerMs = 1000;
const maxLingers = 10;
// RFC 9112 section 3, with the target in origin form; a token (RFC 9110 section 5.6.2) longer than this is no method.
const requestLine = /^([!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}) (\/[\x21-\x7e]*) HTTP\/1\.[01]\r?\n/;
const knownMethods: ReadonlySet<string> = new Set(METHODS);

const ignore = (): void => {};

/**
 * Answers on a connection of HTTP/1.1 where no route can: bytes that are no request, headers that are too large or too
 * late, a body that breaks off. Each counts and is logged as a request, and ends its connection.
 */
export class WireRefusals {
  readonly #init: WireRefusalsInit;
  readonly #refused = new WeakSet<Socket>();

  constructor(init: WireRefusalsInit) {
    this.#init = init;
  }

  /** For the server's event `clientError`. */
  readonly onClientError = (error: ClientError, socket: Socket): void => {
    if (error.code === 'ECONNRESET' || socket.destroyed) return;
    const latest = latestOn(socket);
    if (latest === undefined || latest.request.raw.complete) {
      this.#refuse(socket, latest, this.#refusalOf(error), '(no route)');
    } else if (!this.#isRefused(socket)) {
      // Its headers were a request: it is answered as such.
      refuseBody(
        latest,
        socket,
        error.code === 'HPE_INVALID_EOF_STATE' ? new CancelledError() : this.#refusalOf(error),
      );
    }
  };

  /** For the server's event `connect`; nobody else may listen to it. */
  readonly onConnect = (_request: unknown, socket: Socket): void => {
    socket.on('error', ignore);
    this.#refuse(socket, latestOn(socket), new TunnelNotOfferedError(), 'CONNECT (no route)');
  };

  // What the parser goes on to say of a connection that is on its way to be closed is no news.
  #isRefused(socket: Socket): boolean {
    if (this.#refused.has(socket)) return true;
    this.#refused.add(socket);
    return false;
  }

  #refuse(socket: Socket, latest: LatestRequest | undefined, error: RookeryError, operation: string): void {
    if (this.#isRefused(socket)) return;
    const answer = (): void => this.#answer(socket, error, operation);
    // Sent behind a request that is still at work: its answer comes first, or it would be taken for this one.
    if (latest === undefined || latest.reply.raw.closed) answer();
    else latest.reply.raw.once('close', answer);
  }

  #refusalOf(error: ClientError): RookeryError {
    if (error.code === 'HPE_HEADER_OVERFLOW') return new HeadersTooLargeError(this.#init.limits.value.maxHeaderBytes);
    if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') return new RequestTimeoutError();
    return this.#unknownMethod(error) ?? new MalformedRequestError();
  }

  // The parser knows the methods of its list only; any other token is a method all the same, which no route has.
  #unknownMethod({ rawPacket, bytesParsed = 0 }: ClientError): RookeryError | undefined {
    if (rawPacket === undefined) return undefined;
    const [line = '', method = '', target = ''] =
      requestLine.exec(rawPacket.toString('latin1', 0, this.#init.limits.value.maxHeaderBytes)) ?? [];
    if (line === '' || bytesParsed > line.length || knownMethods.has(method)) return undefined;
    return this.#init.routes.refusal(method, target.split('?', 1)[0] as string);
  }

  // No request object exists: context and answer are made by hand.
  #answer(socket: Socket, error: RookeryError, operation: string): void {
    const { gate, headers } = this.#init;
    const failure = toFailure(error);
    const context = gate.enter({
      face: 'http',
      operation,
      peer: socket.remoteAddress ?? '',
      header: () => undefined,
      timeoutMs: undefined,
      isStream: false,
      isProbe: false,
    });
    const body = JSON.stringify(errorEnvelope(failure, context.requestId));
    const fields = {
      date: new Date().toUTCString(),
      connection: 'close',
      ...headers,
      ...failure.httpHeaders,
      'cache-control': 'no-store',
      'content-type': 'application/json; charset=utf-8',
      'content-length': Buffer.byteLength(body),
      'x-request-id': context.requestId,
    };
    const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
    const { status, httpStatus, reason } = failure;
    if (socket.writable)
      socket.end(`HTTP/1.1 ${httpStatus} ${STATUS_CODES[httpStatus]}\r\n${lines.join('')}\r\n${body}`);
    closeSoon(socket);
    gate.leave(context, { status, httpStatus, reason });
  }
}

function refuseBody({ request, reply }: LatestRequest, socket: Socket, error: RookeryError): void {
  if (!reply.raw.writableEnded) {
    if (!reply.raw.headersSent) void reply.header('connection', 'close');
    replyFailure(request, reply, error);
  }
  if (reply.raw.closed) closeSoon(socket);
  else reply.raw.once('close', () => closeSoon(socket));
}

// Closed at once with bytes unread, the connection would be reset, and the answer lost (RFC 9112 section 9.6).
function closeSoon(socket: Socket): void {
  socket.resume();
  let lingers = 0;
  let seenBytes = socket.bytesRead;
  const timer = setInterval(() => {
    lingers += 1;
    if (socket.bytesRead === seenBytes || lingers === maxLingers) socket.destroy();
    seenBytes = socket.bytesRead;
  }, lingerMs);
  socket.once('close', () => clearInterval(timer));
}
