import { EventEmitter, once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { Http1Connection } from '../../src/framework/http1/connection.js';
import { Http1Counters } from '../../src/framework/http1/http1.counters.js';
import { type Http1ConnectionOptions, http1ConnectionOptions } from '../../src/framework/http1/http1.options.js';
import type { Http1Stream, Http1StreamListener } from '../../src/framework/http1/http1-stream.js';
import type { Http1RequestHead } from '../../src/framework/http1/request-head.js';
import type { Http1Handler } from '../../src/framework/http1/http1-handler.js';

export interface RawServer extends AsyncDisposable {
  readonly port: number;
  readonly connections: Http1Connection[];
  /** Of the connections. */
  readonly sockets: Socket[];
  readonly counters: Http1Counters;
  /** What handlers and listeners threw. */
  readonly errors: unknown[];
  /** Resolves when so many connections are gone. */
  gone(count: number): Promise<void>;
}

/** A server on a free port, every connection of which is an `Http1Connection`. */
export async function serve(
  onRequest: Http1Handler['onRequest'],
  changes: Partial<Http1ConnectionOptions> = {},
  parts: Partial<Http1Handler> = {},
): Promise<RawServer> {
  const options = http1ConnectionOptions(changes);
  const connections: Http1Connection[] = [];
  const sockets: Socket[] = [];
  const counters = new Http1Counters();
  const errors: unknown[] = [];
  let goneCount = 0;
  const events = new EventEmitter();
  const onClose = (): void => {
    goneCount += 1;
    events.emit('gone');
  };
  const gone = async (count: number): Promise<void> => {
    while (goneCount < count) await once(events, 'gone');
  };
  const handler: Http1Handler = {
    onRequest,
    onRefused: refuse,
    onUpgrade: () => false,
    onClose,
    onError: (error) => errors.push(error),
    ...parts,
  };
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    connections.push(new Http1Connection(socket, options, handler, counters));
  });
  return { port: await listen(server), connections, sockets, counters, errors, gone, [Symbol.asyncDispose]: dispose };

  async function dispose(): Promise<void> {
    const closed = once(server, 'close');
    server.close();
    for (const connection of connections) connection.destroy();
    await closed;
  }
}

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** Answers a refused request as any handler would, with the reason as its body. */
export const refuse: Http1Handler['onRefused'] = (stream, refusal) => {
  const body = Buffer.from(`${refusal.kind}: ${refusal.message}`);
  stream.respond(fields(refusal.status, { 'content-length': String(body.length) }));
  stream.end(undefined, body);
};

/** Status and headers in the form that a stream takes. */
export function fields(status: number, headers: Record<string, string> = {}): { name: string; value: string }[] {
  return [{ name: ':status', value: String(status) }, ...named(headers)];
}

/** Fields without a status, as trailers are. */
export function named(headers: Record<string, string>): { name: string; value: string }[] {
  return Object.entries(headers).map(([name, value]) => ({ name, value }));
}

/** A listener for those who care for a part of it. */
export function listener(parts: Partial<Http1StreamListener> = {}): Http1StreamListener {
  const none = (): void => {};
  return { onData: none, onEnd: none, onDrain: none, onClose: none, ...parts };
}

/** Sends back what comes, trailers too. */
export function echo(stream: Http1Stream, head: Http1RequestHead): void {
  const length = head.fields[head.fields.indexOf('content-length') + 1];
  const isKnown = head.fields.includes('content-length') && length !== undefined;
  stream.respond(fields(200, isKnown ? { 'content-length': length } : {}));
  stream.listen({
    onData: (chunk) => {
      if (!stream.write(chunk)) stream.pause();
    },
    onDrain: () => stream.resume(),
    onEnd: () => {
      const flat = stream.trailers ?? [];
      const trailers = flat.flatMap((name, i) => (i % 2 === 0 ? [{ name, value: flat[i + 1] ?? '' }] : []));
      stream.end(trailers);
    },
    onClose: () => {},
  });
}

/** Answers, when the request is all there, with method, path and body. */
export function answer(stream: Http1Stream, head: Http1RequestHead): void {
  const parts: Uint8Array[] = [];
  stream.listen(
    listener({
      onData: (chunk) => parts.push(chunk),
      onEnd: () => {
        const body = Buffer.concat([Buffer.from(`${head.method} ${head.path} `), ...parts]);
        stream.respond(fields(200, { 'content-length': String(body.length) }));
        stream.end(undefined, body);
      },
    }),
  );
}
