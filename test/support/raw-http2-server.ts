import { EventEmitter, once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { Http2Connection } from '../../src/framework/http2/connection.js';
import { Http2Counters } from '../../src/framework/http2/http2.counters.js';
import { type Http2ConnectionOptions, http2ConnectionOptions } from '../../src/framework/http2/http2.options.js';
import type { Http2Stream, Http2StreamListener } from '../../src/framework/http2/http2-stream.js';
import type { Http2RequestHead } from '../../src/framework/http2/request-head.js';
import type { Http2ConnectionHandler } from '../../src/framework/http2/connection-handler.js';

export interface RawServer extends AsyncDisposable {
  readonly port: number;
  readonly connections: Http2Connection[];
  readonly counters: Http2Counters;
  /** What connections were cut for. */
  readonly errors: unknown[];
  /** Resolves when so many connections are gone. */
  gone(count: number): Promise<void>;
}

/** A server on a free port, every connection of which is an `Http2Connection`. */
export async function serve(
  onStream: Http2ConnectionHandler['onStream'],
  changes: Partial<Http2ConnectionOptions> = {},
  handler: Partial<Http2ConnectionHandler> = {},
): Promise<RawServer> {
  const options = http2ConnectionOptions(changes);
  const connections: Http2Connection[] = [];
  const counters = new Http2Counters();
  const errors: unknown[] = [];
  let goneCount = 0;
  const events = new EventEmitter();
  const onClose = (error: unknown): void => {
    if (error !== undefined) errors.push(error);
    goneCount += 1;
    events.emit('gone');
  };
  const gone = async (count: number): Promise<void> => {
    while (goneCount < count) await once(events, 'gone');
  };
  const server = createServer((socket) => {
    connections.push(new Http2Connection(socket, options, { onStream, onClose, ...handler }, counters));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const dispose = async (): Promise<void> => {
    const closed = once(server, 'close');
    server.close();
    for (const connection of connections) connection.destroy();
    await closed;
  };
  return { port, connections, counters, errors, gone, [Symbol.asyncDispose]: dispose };
}

export const ok = [{ name: ':status', value: '200' }];

/** A listener for those who care for a part of it. */
export function listener(parts: Partial<Http2StreamListener> = {}): Http2StreamListener {
  const none = (): void => {};
  return { onData: none, onEnd: none, onDrain: none, onClose: none, ...parts };
}

/** Sends back what comes, trailers too. */
export function echo(stream: Http2Stream, _head: Http2RequestHead): void {
  stream.respond(ok);
  stream.listen({
    onData: (chunk) => {
      if (!stream.write(chunk)) stream.pause();
    },
    onDrain: () => stream.resume(),
    onEnd: () => stream.end(stream.trailers && Array.from(stream.trailers, ([name, value]) => ({ name, value }))),
    onClose: () => {},
  });
}

/** Answers when the request is all there. */
export function answer(stream: Http2Stream, head: Http2RequestHead): void {
  stream.listen(
    listener({
      onEnd: () => {
        stream.respond(ok);
        stream.end(undefined, Buffer.from(`${head.method} ${head.path}`));
      },
    }),
  );
}
