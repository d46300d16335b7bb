import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server as HttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import {
  type sendUnaryData,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  status as GrpcStatus,
} from '@grpc/grpc-js';
import { decodePayload, encodePayload } from '../../src/framework/nacos/payload.js';
import { eventually } from './eventually.js';

type Body = Readonly<Record<string, unknown>>;
type Stream = ServerDuplexStream<Buffer, Buffer>;
type Answer = Record<string, unknown>;

/** A message that the server took. */
interface Taken {
  readonly type: string;
  readonly body: Body;
}

const asItIs = (bytes: Buffer): Buffer => bytes;
const good = { resultCode: 200, errorCode: 0, success: true };

/** Speaks the protocol as real servers were seen to; what it does wrong is set by the test. */
export class FakeNacos {
  port = 0;
  grpcPort = 0;
  /** Everything that came, in order. */
  readonly taken: Taken[] = [];
  readonly contents = new Map<string, string>();
  readonly streams = new Set<Stream>();
  /** Asked before the usual answer; `undefined` leaves it to that, `never` gives none. */
  answerWith: (taken: Taken, count: number) => Answer | 'never' | undefined | Promise<Answer | undefined> = () =>
    undefined;
  /** What a login is answered with. */
  login: (path: string, form: URLSearchParams) => { status: number | 'never'; body?: unknown } = () => ({
    status: 404,
  });
  logins: string[] = [];
  acknowledgesSetup = true;
  #setups = 0;
  readonly #listening = new Map<Stream, Map<string, Body>>();
  readonly #grpc = new Server({ 'grpc.max_receive_message_length': 64 * 2 ** 20 });
  readonly #http: HttpServer;
  readonly #credentials: ServerCredentials;
  readonly #sockets = new Set<Socket>();

  private constructor(tls: { readonly cert: string; readonly key: string } | undefined) {
    this.#http = tls === undefined ? createServer() : createSecureServer(tls);
    this.#credentials =
      tls === undefined
        ? ServerCredentials.createInsecure()
        : ServerCredentials.createSsl(null, [{ cert_chain: Buffer.from(tls.cert), private_key: Buffer.from(tls.key) }]);
  }

  /** @param tls PEM texts: gRPC and login by TLS */
  static async start(tls?: { readonly cert: string; readonly key: string }): Promise<FakeNacos> {
    const fake = new FakeNacos(tls);
    await fake.#start();
    return fake;
  }

  get server(): { address: string; grpcPort: number } {
    return { address: `127.0.0.1:${this.port}`, grpcPort: this.grpcPort };
  }

  /** How many connections have been set up. */
  get setups(): number {
    return this.#setups;
  }

  count(type: string): number {
    return this.taken.filter((one) => one.type === type).length;
  }

  async came(type: string, count = 1): Promise<void> {
    await eventually(`${count} × ${type}`, () => this.count(type) >= count, 4000);
  }

  push(type: string, body: object): void {
    for (const stream of this.streams) stream.write(encodePayload(type, body));
  }

  pushBytes(bytes: Buffer): void {
    for (const stream of this.streams) stream.write(bytes);
  }

  endStreams(code: number): void {
    for (const stream of this.streams) {
      if (code === 0) stream.end();
      else stream.emit('error', { code, details: 'told to' });
    }
  }

  /** Changes a configuration and tells who listens; not told, it is a lost push. */
  change(dataId: string, content: string | undefined, isTold = true): void {
    if (content === undefined) this.contents.delete(dataId);
    else this.contents.set(dataId, content);
    if (!isTold) return;
    for (const [stream, keys] of this.#listening) {
      const key = keys.get(dataId);
      if (key !== undefined)
        stream.write(encodePayload('ConfigChangeNotifyRequest', { requestId: '7', dataId, group: key['group'] }));
    }
  }

  async close(): Promise<void> {
    this.#grpc.forceShutdown();
    this.#http.close();
    for (const socket of this.#sockets) socket.destroy();
    if (this.#http.listening) await once(this.#http, 'close');
  }

  async #start(): Promise<void> {
    const method = (path: string, isStream: boolean) => ({
      path,
      requestStream: isStream,
      responseStream: isStream,
      requestSerialize: asItIs,
      requestDeserialize: asItIs,
      responseSerialize: asItIs,
      responseDeserialize: asItIs,
    });
    this.#grpc.addService(
      { request: method('/Request/request', false), stream: method('/BiRequestStream/requestBiStream', true) },
      {
        request: ({ request }: { request: Buffer }, done: sendUnaryData<Buffer>) =>
          void this.#answer(decodePayload(request)).then(
            (body) => body !== 'never' && done(null, encodePayload('Response', body)),
            () => done({ code: GrpcStatus.UNKNOWN }),
          ),
        stream: (stream: Stream) => this.#accept(stream),
      },
    );
    const bind = Promise.withResolvers<number>();
    this.#grpc.bindAsync('127.0.0.1:0', this.#credentials, (error, port) =>
      error === null ? bind.resolve(port) : bind.reject(error),
    );
    this.grpcPort = await bind.promise;
    this.#http.on('connection', (socket) => this.#sockets.add(socket));
    this.#http.on('request', (request, response) => void this.#logIn(request, response));
    this.#http.listen(0, '127.0.0.1');
    await once(this.#http, 'listening');
    this.port = (this.#http.address() as AddressInfo).port;
  }

  async #logIn(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const form = new URLSearchParams(await text(request));
    this.logins.push(request.url ?? '');
    const { status, body } = this.login(request.url ?? '', form);
    if (status === 'never') return;
    // As 2.3.2 does it: below what HTTP has.
    if (status < 100) response.socket?.end(`HTTP/1.1 ${status} \r\n\r\n`);
    else response.writeHead(status).end(body === undefined ? '' : JSON.stringify(body));
  }

  #accept(stream: Stream): void {
    this.streams.add(stream);
    this.#listening.set(stream, new Map());
    const gone = (): void => {
      this.streams.delete(stream);
      this.#listening.delete(stream);
    };
    stream.on('close', gone).on('cancelled', gone).on('error', gone).on('end', gone);
    stream.on('data', (bytes: Buffer) => {
      const taken = decodePayload(bytes);
      this.taken.push(taken);
      if (taken.type !== 'ConnectionSetupRequest') return;
      this.#setups += 1;
      if (this.acknowledgesSetup) stream.write(encodePayload('SetupAckRequest', { requestId: '1', abilityTable: {} }));
    });
  }

  async #answer(taken: Taken): Promise<Answer | 'never'> {
    this.taken.push(taken);
    const own = await this.answerWith(taken, this.count(taken.type));
    return own ?? { ...good, ...this.#usual(taken) };
  }

  #usual({ type, body }: Taken): Answer {
    const dataId = String(body['dataId']);
    const content = this.contents.get(dataId);
    switch (type) {
      case 'ServerCheckRequest':
        return { connectionId: 'c1', supportAbilityNegotiation: this.acknowledgesSetup };
      case 'ConfigQueryRequest':
        return content === undefined
          ? { resultCode: 500, errorCode: 300, success: false, message: 'config data not exist' }
          : { content, md5: md5Of(content), contentType: 'yaml', lastModified: 1 };
      case 'ConfigPublishRequest':
        if (body['casMd5'] !== undefined && body['casMd5'] !== md5Of(content ?? '')) {
          return {
            resultCode: 500,
            errorCode: 500,
            success: false,
            message: 'Cas publish fail, server md5 may have changed.',
          };
        }
        this.change(dataId, String(body['content']));
        return {};
      case 'ConfigRemoveRequest':
        this.change(dataId, undefined);
        return {};
      case 'ConfigBatchListenRequest':
        return { changedConfigs: this.#listen(body) };
      default:
        return {};
    }
  }

  #listen({ listen, configListenContexts }: Body): Body[] {
    const keys = configListenContexts as Body[];
    for (const key of keys) {
      for (const listening of this.#listening.values()) {
        if (listen === true) listening.set(String(key['dataId']), key);
        else listening.delete(String(key['dataId']));
      }
    }
    const current = (key: Body): string => {
      const content = this.contents.get(String(key['dataId']));
      return content === undefined ? '' : md5Of(content);
    };
    return keys.filter((key) => current(key) !== key['md5']).map(({ dataId, group }) => ({ dataId, group }));
  }
}

/** In hexadecimal. */
export function md5Of(content: string): string {
  return createHash('md5').update(content).digest('hex');
}
