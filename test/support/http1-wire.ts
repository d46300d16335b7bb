import { Server as NodeServer, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { Http1Connection } from '../../src/framework/http1/connection.js';
import { Http1Counters } from '../../src/framework/http1/http1.counters.js';
import { type Http1ConnectionOptions, http1ConnectionOptions } from '../../src/framework/http1/http1.options.js';
import { fields, listener } from './raw-http1-server.js';

/** A socket without a network: what is written is kept. */
class Wire extends Duplex {
  readonly written: Buffer[] = [];
  readonly remoteAddress = 'here';
  readonly remotePort = 1;
  bytesRead = 0;

  constructor() {
    super({ allowHalfOpen: true });
    this.on('error', () => {});
  }

  setNoDelay(): void {}
  setTimeout(): void {}
  ref(): void {}
  unref(): void {}
  destroySoon(): void {
    this.destroy();
  }
  override _read(): void {}
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    // The buffer is written into again.
    this.written.push(Buffer.from(chunk));
    done();
  }
}

/** A request as a server took it. */
export interface TakenRequest {
  readonly method: string;
  /** In origin form. */
  readonly path: string;
  body: string;
  isWhole: boolean;
}

/** What a server makes of bytes. */
export interface Outcome {
  readonly requests: TakenRequest[];
  /** Why it refused to read on; undefined: it did not, and waits for more or has closed after the last answer. */
  refusal: string | undefined;
  /** What it sent, without dates. */
  sent: string;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Lets both sides come to rest: nothing here waits for a timer. */
async function settle(): Promise<void> {
  // What takes long goes on in later turns.
  for (let i = 0; i < 60; i += 1) await turn();
}

/** What an `Http1Connection` makes of chunks, answering each request when it is whole. */
export async function feed(chunks: readonly Buffer[], changes: Partial<Http1ConnectionOptions> = {}): Promise<Outcome> {
  const wire = new Wire();
  const outcome: Outcome = { requests: [], refusal: undefined, sent: '' };
  const counters = new Http1Counters();
  const connection = new Http1Connection(
    wire as unknown as Socket,
    http1ConnectionOptions(changes),
    {
      onRequest: (stream, { method, path }) => {
        const request: TakenRequest = { method, path, body: '', isWhole: false };
        outcome.requests.push(request);
        stream.listen(
          listener({
            onData: (chunk) => (request.body += Buffer.from(chunk).toString('latin1')),
            onEnd: () => {
              request.isWhole = true;
              stream.respondOnly(fields(200));
            },
          }),
        );
      },
      onRefused: (stream, { kind, status, message }) => {
        outcome.refusal = `${kind}: ${message}`;
        stream.respondOnly(fields(status));
      },
      onUpgrade: () => false,
      onError: (error) => {
        throw error;
      },
    },
    counters,
  );
  // In one turn, so that the same writes go out however the bytes are cut.
  for (const chunk of chunks) wire.emit('data', chunk);
  await settle();
  outcome.sent = Buffer.concat(wire.written).toString('latin1');
  connection.destroy();
  wire.destroy();
  await settle();
  return outcome;
}

/** What Node's own server makes of them. */
export async function feedNode(bytes: Buffer): Promise<Outcome> {
  const wire = new Wire();
  const outcome: Outcome = { requests: [], refusal: undefined, sent: '' };
  const server = new NodeServer({ insecureHTTPParser: false, maxHeaderSize: 16_384 });
  server.on('request', (message: IncomingMessage, response) => {
    const request: TakenRequest = {
      method: message.method ?? '',
      path: originForm(message),
      body: '',
      isWhole: false,
    };
    outcome.requests.push(request);
    message.on('data', (chunk: Buffer) => (request.body += chunk.toString('latin1')));
    message.on('end', () => {
      request.isWhole = true;
      response.end();
    });
  });
  for (const event of ['checkContinue', 'checkExpectation'])
    server.on(event, (message, response) => server.emit('request', message, response));
  server.on('clientError', (error: Error & { code?: string }) => (outcome.refusal ??= error.code ?? error.message));
  server.emit('connection', wire);
  wire.push(bytes);
  await settle();
  outcome.sent = Buffer.concat(wire.written).toString('latin1');
  // Refused without an event: a request without `host`.
  if (outcome.refusal === undefined && outcome.sent.includes('HTTP/1.1 400 ')) outcome.refusal = '400';
  wire.destroy();
  server.close();
  server.closeAllConnections();
  await settle();
  return outcome;
}

function originForm({ url = '', method }: IncomingMessage): string {
  const [, rest] = /^https?:\/\/[^/?]*(.*)$/i.exec(url) ?? [];
  if (rest === undefined) return url;
  if (rest === '') return method === 'OPTIONS' ? '*' : '/';
  return rest.startsWith('/') ? rest : `/${rest}`;
}
