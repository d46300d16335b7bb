import http2 from 'node:http2';
import { newRequestId, type Live, type RookeryError } from '../core/index.js';
import { HeadersTooLargeError, RequestTimeoutError } from '../http/index.js';
import type { LimitOptions } from '../pipeline/index.js';

/** The gRPC face as the port sees it. */
export interface GrpcStreams {
  /** Whether a stream with this content type is a gRPC call; gRPC-Web is not. */
  handles(contentType: string | undefined): boolean;
  handleStream(stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders): void;
}

/** gRPC-Web as the port sees it on HTTP/2. */
export interface GrpcWebStreams {
  handlesHttp2(headers: http2.IncomingHttpHeaders): boolean;
  handleStream(stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders): void;
}

/** The HTTP face as the port sees it: Fastify's routing function. */
export type RequestHandler = (request: http2.Http2ServerRequest, response: http2.Http2ServerResponse) => void;

/** What becomes of an HTTP/2 request. */
export interface Http2StreamsInit {
  readonly grpc: GrpcStreams;
  readonly grpcWeb?: GrpcWebStreams;
  readonly handleRequest: RequestHandler;
  readonly limits: Live<LimitOptions>;
  readonly log: (message: string, fields: object) => void;
}

const { NGHTTP2_CANCEL, NGHTTP2_FLAG_END_STREAM, NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR } = http2.constants;

// Time for the application's own answer to a body that came too late.
const lateAnswerMs = 1000;

/** Hands each HTTP/2 request to its face: gRPC by content type, everything else to the same handlers as HTTP/1.1. */
export class Http2Streams {
  readonly #init: Http2StreamsInit;

  constructor(init: Http2StreamsInit) {
    this.#init = init;
  }

  handle(
    stream: http2.ServerHttp2Stream,
    headers: http2.IncomingHttpHeaders,
    flags: number,
    rawHeaders: readonly string[],
  ): void {
    const { maxHeaderBytes } = this.#init.limits.value;
    try {
      const isGrpc = this.#init.grpc.handles(headers['content-type']);
      if (isLarger(rawHeaders, maxHeaderBytes)) refuse(stream, isGrpc, new HeadersTooLargeError(maxHeaderBytes));
      else if (isGrpc) this.#init.grpc.handleStream(stream, headers);
      else if (this.#init.grpcWeb?.handlesHttp2(headers) === true) this.#init.grpcWeb.handleStream(stream, headers);
      else this.#handleRequest(stream, headers, flags, rawHeaders);
    } catch (error) {
      // The faces answer their errors themselves: this is a defect, of which the connection's other streams know nothing.
      this.#init.log('HTTP/2 stream failed', { error: String(error) });
      stream.close(NGHTTP2_INTERNAL_ERROR);
    }
  }

  #handleRequest(
    stream: http2.ServerHttp2Stream,
    headers: http2.IncomingHttpHeaders,
    flags: number,
    rawHeaders: readonly string[],
  ): void {
    // A tunnel (RFC 9113 section 8.5) is nothing this port offers.
    if (headers[':method'] === 'CONNECT') {
      stream.respond({ ':status': 501 }, { endStream: true });
      return;
    }
    const isContinueExpected = headers.expect?.toLowerCase() === '100-continue';
    if (headers.expect !== undefined && !isContinueExpected) {
      stream.respond({ ':status': 417 }, { endStream: true });
      return;
    }
    const request = new http2.Http2ServerRequest(stream, headers, {}, rawHeaders);
    const response = new http2.Http2ServerResponse(stream);
    if (isContinueExpected) response.writeContinue();
    if ((flags & NGHTTP2_FLAG_END_STREAM) === 0) this.#limitBody(stream, request, response);
    this.#init.handleRequest(request, response);
  }

  #limitBody(
    stream: http2.ServerHttp2Stream,
    request: http2.Http2ServerRequest,
    response: http2.Http2ServerResponse,
  ): void {
    const timer = setTimeout(() => onLateBody(stream, request, response), this.#init.limits.value.bodyTimeoutMs);
    request.once('end', () => clearTimeout(timer));
    stream.once('close', () => clearTimeout(timer));
  }
}

// A header list's size as RFC 9113 section 6.5.2 counts it. `rawHeaders` are names and values in turn, a character a byte.
function isLarger(rawHeaders: readonly string[], limitBytes: number): boolean {
  let bytes = 16 * rawHeaders.length;
  for (const text of rawHeaders) bytes += text.length;
  return bytes > limitBytes;
}

function refuse(stream: http2.ServerHttp2Stream, isGrpc: boolean, error: RookeryError): void {
  closeAfterAnswer(stream);
  if (!isGrpc) {
    answer(new http2.Http2ServerResponse(stream), error);
    return;
  }
  // The message is plain ASCII without a percent sign: nothing to encode.
  const trailers = { 'grpc-status': String(error.status), 'grpc-message': error.message };
  stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...trailers }, { endStream: true });
}

// NO_ERROR after the whole answer: "do not send the rest" (RFC 9113 section 8.1).
function closeAfterAnswer(stream: http2.ServerHttp2Stream): void {
  stream.once('finish', () => stream.close(NGHTTP2_NO_ERROR));
}

// Who reads the body is told by an error and answers as for every other error; where nobody does, we answer.
function onLateBody(
  stream: http2.ServerHttp2Stream,
  request: http2.Http2ServerRequest,
  response: http2.Http2ServerResponse,
): void {
  // The answer has begun without the body, as a stream may: the handler's deadline watches over it.
  if (response.headersSent) return;
  closeAfterAnswer(stream);
  const error = new RequestTimeoutError();
  if (request.listenerCount('error') === 0) {
    answerLate(stream, response, error);
    return;
  }
  request.emit('error', error);
  const late = setTimeout(() => answerLate(stream, response, error), lateAnswerMs);
  stream.once('close', () => clearTimeout(late));
}

function answerLate(
  stream: http2.ServerHttp2Stream,
  response: http2.Http2ServerResponse,
  error: RequestTimeoutError,
): void {
  if (response.headersSent) stream.close(NGHTTP2_CANCEL);
  else answer(response, error);
}

function answer(response: http2.Http2ServerResponse, error: RookeryError): void {
  const { httpStatus: code, message, reason } = error;
  response.writeHead(code, { 'content-type': 'application/json; charset=utf-8' });
  response.end(JSON.stringify({ code, data: null, message, reason, requestId: newRequestId() }));
}
