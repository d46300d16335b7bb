import { http2Preface } from '../../src/framework/server/preface.js';
import {
  type AnyRequest,
  type AnyResponse,
  frame,
  framesOf,
  type PortSettings,
  RawClient,
  TestPort,
  until,
} from './one-port.js';

/** A request in HTTP/1.1. */
export const get = (path: string): string => `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`;
/** A request in HTTP/2: `GET /` of the authority `a`. */
export const headersFrame = (stream: number): Buffer =>
  frame(1, 5, stream, Buffer.from([0x82, 0x86, 0x84, 0x41, 1, 0x61]));
/** The last stream ids of the GOAWAY frames that were heard. */
export const goawaysOf = (client: RawClient): number[] =>
  framesOf(client.bytes)
    .filter(({ type }) => type === 7)
    .map(({ payload }) => payload.readUInt32BE(0));

/** A port whose requests to `/held` are answered when the test says so; all others at once. */
export class HeldPort implements AsyncDisposable {
  readonly held: AnyResponse[] = [];
  #port: TestPort | undefined;

  static async open(settings: PortSettings = {}): Promise<HeldPort> {
    const holder = new HeldPort();
    const handle = (request: AnyRequest, response: AnyResponse): void => {
      if (request.url === '/held') holder.held.push(response);
      else response.end(`answer to ${request.url}`);
    };
    holder.#port = await TestPort.open({ ...settings, handle });
    return holder;
  }

  get test(): TestPort {
    return this.#port as TestPort;
  }

  /** Waits until `count` requests are held. */
  async holds(count = 1): Promise<void> {
    await until(`${count} requests are held`, () => this.held.length === count);
  }

  release(): void {
    for (const response of this.held) response.end('released');
  }

  async raw(): Promise<RawClient> {
    return RawClient.connect(this.test.number);
  }

  /** A raw HTTP/2 client after the exchange of SETTINGS. */
  async rawHttp2(): Promise<RawClient> {
    const client = await this.raw();
    await client.write(Buffer.concat([http2Preface, frame(4, 0, 0), frame(4, 1, 0)]));
    await until('SETTINGS', () => framesOf(client.bytes).length >= 2);
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.test[Symbol.asyncDispose]();
  }
}
