import { isIP } from 'node:net';
import { newRequestId, type RookeryError } from '../core/index.js';
import {
  type ChosenAnswer,
  errorEnvelope,
  MethodNotAllowedError,
  type RestHead,
  type RestConnection,
  type RestStream,
  RouteNotFoundError,
} from '../http/index.js';
import { ErrorCode } from '../http2/index.js';
import { toFailure } from '../pipeline/index.js';
import type { HttpStreams } from './faces.js';
import { ManagementHostError } from './server.errors.js';

/** The response to a GET of one path. */
export interface ManagementAnswer extends Omit<ChosenAnswer, 'status'> {
  readonly status: number;
}

/** Makes the response to a GET; it reads header fields only. */
export type ManagementRoute = (head: RestHead) => ManagementAnswer | Promise<ManagementAnswer>;

/** What the management port serves by HTTP. */
export interface ManagementRequestsInit {
  /** By path, without a query. */
  readonly routes: ReadonlyMap<string, ManagementRoute>;
  /** Whether only this machine can connect: then requests for names of other machines are refused. */
  readonly isLoopback: boolean;
  readonly log: (message: string, fields: object) => void;
}

/**
 * The HTTP side of the management port: GET and HEAD of fixed paths, apart from the application's routes, plugins and
 * prefixes. Request bodies are not read.
 */
export class ManagementRequests implements HttpStreams {
  readonly #init: ManagementRequestsInit;

  constructor(init: ManagementRequestsInit) {
    this.#init = init;
  }

  serve(stream: RestStream, head: RestHead, _connection: RestConnection, refusal?: RookeryError): void {
    const route = this.#routeOf(head);
    if (refusal !== undefined || typeof route !== 'function')
      this.refuse(stream, head, refusal ?? (route as RookeryError));
    else void this.#serve(stream, head, route);
  }

  refuse(stream: RestStream, head: RestHead, error: RookeryError): void {
    const failure = toFailure(error);
    respond(stream, head, {
      status: failure.httpStatus,
      headers: {
        ...failure.httpHeaders,
        'content-type': 'application/json; charset=utf-8',
        'cache-control': 'no-store',
      },
      body: Buffer.from(JSON.stringify(errorEnvelope(failure, newRequestId()))),
    });
  }

  fail(): boolean {
    return false;
  }

  async #serve(stream: RestStream, head: RestHead, route: ManagementRoute): Promise<void> {
    try {
      respond(stream, head, await route(head));
    } catch (error) {
      this.#init.log('management request failed', { error: String(error) });
      stream.reset(ErrorCode.internalError);
    }
  }

  #routeOf({ method, path, authority }: RestHead): ManagementRoute | RookeryError {
    // A page of another origin whose name leads to this machine would be of the same origin (DNS rebinding).
    if (this.#init.isLoopback && !isOwnName(authority)) return new ManagementHostError();
    const [name = ''] = path.split('?', 1);
    const route = this.#init.routes.get(name);
    if (route === undefined) return new RouteNotFoundError(method, name);
    if (method === 'GET' || method === 'HEAD') return route;
    return new MethodNotAllowedError(method, name, ['GET', 'HEAD']);
  }
}

const ignore = (): void => {};

function respond(stream: RestStream, { method }: RestHead, { status, headers, body }: ManagementAnswer): void {
  if (stream.isClosed) return;
  stream.listen({ onData: ignore, onEnd: ignore, onDrain: ignore, onClose: ignore });
  const fields = [
    { name: ':status', value: String(status) },
    ...(body === undefined ? [] : [{ name: 'content-length', value: String(body.length) }]),
    { name: 'x-content-type-options', value: 'nosniff' },
    { name: 'date', value: new Date().toUTCString() },
    ...Object.entries(headers).map(([name, value]) => ({ name, value })),
  ];
  if (method === 'HEAD' || body === undefined) {
    stream.respondOnly(fields);
    return;
  }
  stream.respond(fields);
  stream.end(undefined, body);
}

function isOwnName(authority: string | undefined): boolean {
  const host = (authority ?? '').replace(/:\d*$/, '').toLowerCase();
  return host === '' || host === 'localhost' || isIP(host.replace(/^\[|\]$/g, '')) !== 0;
}
