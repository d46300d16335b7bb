import { once } from 'node:events';
import http from 'node:http';
import type http2 from 'node:http2';
import net, { type AddressInfo } from 'node:net';
import { vi } from 'vitest';
import { Lifecycle, LiveValue } from '../../src/framework/core/index.js';
import { RestRequests } from '../../src/framework/http/index.js';
import type { HeaderField } from '../../src/framework/http2/index.js';
import { LimitOptions, RequestGate } from '../../src/framework/pipeline/index.js';
import type { ConnectionStats } from '../../src/framework/server/connections.js';
import { OnePort } from '../../src/framework/server/one-port.js';
import { Http2Options } from '../../src/framework/server/http2.options.js';
import { ServerOptions, TlsOptions } from '../../src/framework/server/server.options.js';
import type { TlsFilesTiming } from '../../src/framework/server/tls-files.js';

/** Those of HTTP/2 look the same. */
export type AnyRequest = http.IncomingMessage;
export type AnyResponse = http.ServerResponse;

export interface PortSettings {
  readonly options?: Partial<Omit<ServerOptions, 'tls' | 'http2'>>;
  readonly tls?: Partial<TlsOptions>;
  readonly http2?: Partial<Http2Options>;
  readonly limits?: Partial<LimitOptions>;
  readonly tlsTiming?: TlsFilesTiming;
  readonly handle?: (request: AnyRequest, response: AnyResponse) => void;
}

/** Answers with the protocol, method and body it was asked with. */
function echo(request: AnyRequest, response: AnyResponse): void {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const socket = request.socket as { encrypted?: boolean };
    const said = {
      version: request.httpVersion,
      method: request.method,
      url: request.url,
      isTls: socket.encrypted === true,
    };
    response.end(JSON.stringify({ ...said, body: Buffer.concat(chunks).toString() }));
  });
}

function grpcAnswer(status: string, message = ''): HeaderField[] {
  return [
    { name: ':status', value: '200' },
    { name: 'content-type', value: 'application/grpc' },
    { name: 'grpc-status', value: status },
    { name: 'grpc-message', value: message },
  ];
}

/** A `OnePort` that listens on a free port, with a handler in place of Fastify and a gRPC side that answers trailers. */
export class TestPort implements AsyncDisposable {
  readonly server: http.Server;
  readonly port: OnePort;
  readonly logs: { message: string; fields: object }[] = [];
  readonly options: LiveValue<ServerOptions>;

  private constructor(settings: PortSettings) {
    const handle = settings.handle ?? echo;
    this.server = http.createServer();
    this.options = new LiveValue<ServerOptions>({
      ...new ServerOptions(),
      idleLingerMs: 100,
      ...settings.options,
      tls: { ...new TlsOptions(), ...settings.tls },
      http2: { ...new Http2Options(), ...settings.http2 },
    });
    const limits = new LiveValue<LimitOptions>({ ...new LimitOptions(), ...settings.limits });
    this.port = new OnePort({
      server: this.server,
      options: this.options,
      limits,
      grpc: {
        handles: (contentType) => contentType !== undefined && /^application\/grpc(?!-web)/.test(contentType),
        serve: (stream) => stream.respondOnly(grpcAnswer('12')),
        refuse: (stream, _head, error) => stream.respondOnly(grpcAnswer(String(error.status), error.message)),
      },
      http: new RestRequests({
        gate: new RequestGate(new Lifecycle(), limits),
        limits,
        headers: {},
        handle: (request, response) => handle(request as never, response as never),
      }),
      log: (message, fields) => this.logs.push({ message, fields }),
      ...(settings.tlsTiming !== undefined && { tlsTiming: settings.tlsTiming }),
    });
  }

  static async open(settings: PortSettings = {}): Promise<TestPort> {
    const port = new TestPort(settings);
    port.port.attach();
    port.server.listen(0, '127.0.0.1');
    await once(port.server, 'listening');
    return port;
  }

  get number(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Waits until no connection, of whichever state, is left on the port. Returns what it counts then. */
  async quiet(): Promise<ConnectionStats> {
    await until('no connection is open', () => {
      const { silent, handshaking, http1, http2: sessions, streams } = this.port.stats();
      return silent + handshaking + http1 + sessions + streams === 0;
    });
    const sockets = await openSockets(this.server);
    if (sockets > 0) throw new Error(`the server still counts ${sockets} sockets that the port does not know`);
    return this.port.stats();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.port.close();
    await this.quiet();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

function openSockets(server: net.Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
  });
}

/** A TCP client that says what it is told to and remembers what it hears. */
export class RawClient {
  readonly socket: net.Socket;
  readonly closed: Promise<void>;
  #heard = Buffer.alloc(0);

  private constructor(socket: net.Socket) {
    this.socket = socket;
    // How the other side closes is not the point.
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      this.#heard = Buffer.concat([this.#heard, chunk]);
    });
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
  }

  static async connect(port: number): Promise<RawClient> {
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
    const client = new RawClient(socket);
    await once(socket, 'connect');
    return client;
  }

  get heard(): string {
    return this.#heard.toString('latin1');
  }

  get bytes(): Buffer {
    return this.#heard;
  }

  /** Writes and waits until the kernel has it, so that the next write is another segment. */
  write(data: string | Buffer): Promise<void> {
    return new Promise((resolve) => this.socket.write(data, () => resolve()));
  }

  /** Waits until what was heard contains `text`, and returns all of it. */
  async hears(text: string, times = 1): Promise<string> {
    await until(`${JSON.stringify(text)} is heard`, () => this.heard.split(text).length > times);
    return this.heard;
  }
}

/** Waits for something that another part of the process, or another process, is about to bring about. */
export async function until(what: string, isSo: () => boolean): Promise<void> {
  const check = (): void => {
    if (!isSo()) throw new Error(`in vain: ${what}`);
  };
  await vi.waitFor(check, { timeout: 4000, interval: 2 });
}

/** Reads the frames of HTTP/2 from what a raw client heard. */
export function framesOf(bytes: Buffer): { type: number; flags: number; stream: number; payload: Buffer }[] {
  const frames = [];
  for (let at = 0; at + 9 <= bytes.length; ) {
    const end = at + 9 + bytes.readUIntBE(at, 3);
    if (end > bytes.length) break;
    frames.push({
      type: bytes[at + 3] as number,
      flags: bytes[at + 4] as number,
      stream: bytes.readUInt32BE(at + 5),
      payload: bytes.subarray(at + 9, end),
    });
    at = end;
  }
  return frames;
}

/** One HTTP/2 frame. */
export function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** Collects one answer of an HTTP/2 request. */
export function answerOf(
  stream: http2.ClientHttp2Stream,
): Promise<{ status: number; headers: http2.IncomingHttpHeaders; body: string }> {
  return new Promise((resolve, reject) => {
    let headers: http2.IncomingHttpHeaders = {};
    const chunks: Buffer[] = [];
    stream.on('response', (received) => {
      headers = received;
    });
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('error', reject);
    stream.on('close', () => {
      if (headers[':status'] === undefined) reject(new Error(`no answer (code ${stream.rstCode})`));
      else resolve({ status: Number(headers[':status']), headers, body: Buffer.concat(chunks).toString() });
    });
  });
}
