import { listOf, type Live, Status } from '../../core/index.js';
import { Http2Headers } from '../../http2/index.js';
import type { RequestGate } from '../../pipeline/index.js';
import type { GrpcServer } from '../grpc-server.js';
import type { CarrierStream, RequestHead } from '../server-stream.js';
import { allowReading, type CorsRules, preflightAnswer } from './cors.js';
import { isWebType, type WebFormat, webFormat } from './web-format.js';
import { GrpcWebStream } from './web-stream.js';

/** What gRPC-Web is built from. */
export interface GrpcWebInit {
  /** Who serves the calls. */
  readonly grpc: GrpcServer;
  readonly gate: RequestGate;
  readonly cors: Live<CorsRules>;
}

const ignore = (): void => {};
const deaf = { onData: ignore, onEnd: ignore, onDrain: ignore, onClose: ignore };

/**
 * gRPC for browsers: the same calls, served by the same `GrpcServer`, in bodies that need no trailers, on HTTP/1.1 and on
 * HTTP/2, binary and text; and the preflights that browsers send before them.
 *
 * @see https://github.com/grpc/grpc/blob/v1.71.0/doc/PROTOCOL-WEB.md
 */
export class GrpcWeb {
  readonly #grpc: GrpcServer;
  readonly #gate: RequestGate;
  readonly #cors: Live<CorsRules>;

  constructor({ grpc, gate, cors }: GrpcWebInit) {
    this.#grpc = grpc;
    this.#gate = gate;
    this.#cors = cors;
  }

  /** Whether a request is a gRPC-Web call, or a preflight of one. */
  handles({ method, path, headers }: RequestHead): boolean {
    if (method !== 'OPTIONS') return isWebType(headers.first('content-type'));
    return (
      headers.get('access-control-request-method') !== undefined &&
      this.#isPreflight(path, headers.get('access-control-request-headers'))
    );
  }

  /**
   * Serves a request for which `handles` holds.
   *
   * @returns what ends the call where the rest of its request does not come; `undefined` for a preflight
   */
  serve(stream: CarrierStream, head: RequestHead): { fail(error: Error): void } | undefined {
    if (head.method === 'OPTIONS') {
      this.#answerPreflight(stream, head);
      return undefined;
    }
    const format = formatOf(head);
    const call = this.#streamOf(stream, head, format);
    this.#grpc.serve(call, nativeHead(head, format));
    return call;
  }

  /** Answers a call with the status of `error`, without asking any handler. */
  refuse(stream: CarrierStream, head: RequestHead, error: Error): void {
    const format = formatOf(head);
    this.#grpc.refuse(this.#streamOf(stream, head, format), nativeHead(head, format), error);
  }

  #streamOf(stream: CarrierStream, { headers }: RequestHead, format: WebFormat): GrpcWebStream {
    const origin = headers.get('origin');
    return new GrpcWebStream(stream, format, (fields) => allowReading(fields, this.#cors.value, origin));
  }

  // A page may ask for a method that is not served; it is to learn that from the call.
  #isPreflight(path: string, requestHeaders = ''): boolean {
    return this.#grpc.operationAt(path) !== undefined || listOf(requestHeaders.toLowerCase()).includes('x-grpc-web');
  }

  #answerPreflight(stream: CarrierStream, { path, headers }: RequestHead): void {
    const header = (name: string): string | undefined => headers.get(name);
    const context = this.#gate.enter({
      face: 'grpc',
      operation: `OPTIONS ${this.#grpc.operationAt(path) ?? '(no rpc)'}`,
      peer: stream.peer.address,
      account: stream.account,
      header,
      timeoutMs: undefined,
      isStream: false,
      isProbe: false,
    });
    stream.listen(deaf);
    stream.respondOnly(preflightAnswer(this.#cors.value, header('origin'), header('access-control-request-headers')));
    this.#gate.leave(context, { status: Status.Ok, httpStatus: 204, reason: undefined, fault: undefined });
  }
}

function formatOf({ headers }: RequestHead): WebFormat {
  return webFormat(headers.first('content-type') ?? '', headers.get('accept'));
}

function nativeHead({ method, path, headers }: RequestHead, { nativeType }: WebFormat): RequestHead {
  const flat: string[] = [];
  for (const [name, value] of headers) flat.push(name, name === 'content-type' ? nativeType : value);
  return { method, path, headers: new Http2Headers(flat) };
}
