import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type Live, newRequestId } from '../core/index.js';
import { type LimitOptions, type RequestGate, toFailure } from '../pipeline/index.js';
import { errorEnvelope } from './envelope.js';
import {
  HeadersTooLargeError,
  MalformedRequestError,
  MethodNotAllowedError,
  RequestTimeoutError,
  RouteNotFoundError,
} from './http.errors.js';
import { parseJsonBody } from './json-body.js';
import { replyFailure } from './reply-failure.js';
import { openExchange, resumeExchange } from './request-hooks.js';
import { RouteTable } from './route-table.js';

/** What the adapter needs of the application around it. */
export interface HttpAdapterInit {
  readonly gate: RequestGate;
  readonly limits: Live<LimitOptions>;
  readonly trustProxy: boolean;
}

/**
 * Nest's Fastify adapter with this package's pipeline around it: every request gets a context before anything else,
 * every answer that is not a handler's own (broken body, unknown route, refused request) has the envelope's form.
 */
export class HttpAdapter extends FastifyAdapter {
  readonly #routes = new RouteTable();
  #hasParser = false;

  constructor(init: HttpAdapterInit) {
    const limits = init.limits.value;
    super({
      bodyLimit: limits.maxBodyBytes,
      trustProxy: init.trustProxy,
      // The path is decoded by the router; longer parameters than a header block can hold cannot arrive.
      routerOptions: { maxParamLength: limits.maxHeaderBytes },
      http: { maxHeaderSize: limits.maxHeaderBytes, connectionsCheckingInterval: 1000 },
      requestTimeout: limits.headersTimeoutMs + limits.bodyTimeoutMs,
      clientErrorHandler: (error: Error & { code?: string }, socket: Socket) =>
        answerRaw(error, socket, limits.maxHeaderBytes),
      frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) => {
        // Refused by the router, before any hook: the exchange is opened here so that the request is counted and logged.
        openExchange(init.gate, request, reply);
        replyFailure(request, reply, error);
      },
    });
    const fastify = this.getInstance<FastifyInstance>();
    fastify.server.headersTimeout = limits.headersTimeoutMs;
    fastify.addHook('onRoute', (route) => {
      for (const method of [route.method].flat()) this.#routes.add(method, route.url);
    });
    fastify.addHook('onRequest', (request, reply, done) => {
      const refusal = openExchange(init.gate, request, reply);
      if (refusal === undefined) resumeExchange(request, done);
      else replyFailure(request, reply, refusal);
    });
    // Reading a body loses the asynchronous context: its events belong to the connection, not to the request.
    fastify.addHook('preValidation', (request, _reply, done) => resumeExchange(request, done));
  }

  override setErrorHandler(): FastifyInstance {
    return this.getInstance<FastifyInstance>().setErrorHandler((error, request, reply) =>
      replyFailure(request, reply, error),
    );
  }

  override setNotFoundHandler(): FastifyInstance {
    return this.getInstance<FastifyInstance>().setNotFoundHandler((request, reply) => {
      const path = request.url.split('?', 1)[0] as string;
      const methods = this.#routes.methodsOf(path);
      if (request.method === 'OPTIONS' && methods.length > 0) {
        void reply
          .code(204)
          .header('allow', ['OPTIONS', ...methods].join(', '))
          .send();
        return;
      }
      const error =
        methods.length > 0
          ? new MethodNotAllowedError(request.method, path, methods)
          : new RouteNotFoundError(request.method, path);
      replyFailure(request, reply, error);
    });
  }

  override registerParserMiddleware(): void {
    if (this.#hasParser) return;
    this.#hasParser = true;
    const fastify = this.getInstance<FastifyInstance>();
    fastify.removeAllContentTypeParsers();
    fastify.addContentTypeParser(
      /^application\/(json|[\w.!#$&^-]+\+json)\s*(;|$)/i,
      { parseAs: 'buffer' },
      (_request, body, done) => {
        try {
          done(null, parseJsonBody(body as Buffer));
        } catch (error) {
          done(error as Error);
        }
      },
    );
  }
}

// No request object exists yet: the answer is written by hand, once, and the connection ends with it.
function answerRaw(error: Error & { code?: string }, socket: Socket, maxHeaderBytes: number): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  if (!socket.writable || socket.bytesWritten > 0) {
    socket.destroy();
    return;
  }
  const failure = toFailure(
    error.code === 'HPE_HEADER_OVERFLOW'
      ? new HeadersTooLargeError(maxHeaderBytes)
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? new RequestTimeoutError()
        : new MalformedRequestError(),
  );
  const body = JSON.stringify(errorEnvelope(failure, newRequestId()));
  socket.end(
    `HTTP/1.1 ${failure.httpStatus} ${STATUS_CODES[failure.httpStatus]}\r\nconnection: close\r\ncontent-type: application/json; charset=utf-8\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}
