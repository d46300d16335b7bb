import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request as it came. */
export interface FakeRequest {
  readonly method: string;
  readonly path: string;
  /** Of the query, or of the form. */
  readonly fields: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly raw: string;
}

/** An answer in the place of the usual one; `hang` never answers. */
export type FakeAnswer = { readonly status: number; readonly body: string } | 'hang' | undefined;

const word = '\u0002';
const line = '\u0001';

/** As much of the old HTTP interface of Nacos as a configuration client meets. */
export class FakeNacosHttp {
  readonly contents = new Map<string, string>();
  readonly requests: FakeRequest[] = [];
  /** Decides before the usual answer is made. */
  intercept: (request: FakeRequest) => FakeAnswer = () => undefined;
  /** What the listener says of a document; more than its content where the server does not agree with itself. */
  md5Of = (content: string): string => createHash('md5').update(content).digest('hex');
  readonly #server: Server;
  readonly #waiting = new Set<{ readonly held: string; readonly answer: (body: string) => void }>();

  private constructor() {
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  /** @param port of one that was closed, to take its place */
  static async start(port = 0): Promise<FakeNacosHttp> {
    const fake = new FakeNacosHttp();
    fake.#server.listen(port, '127.0.0.1');
    await once(fake.#server, 'listening');
    return fake;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Requests that the server holds open. */
  get waiting(): number {
    return this.#waiting.size;
  }

  change(dataId: string, content: string | undefined): void {
    if (content === undefined) this.contents.delete(dataId);
    else this.contents.set(dataId, content);
  }

  /** Answers the requests that wait and would hear of a change now. */
  tell(): void {
    for (const waiting of this.#waiting) {
      const changed = this.#changed(waiting.held);
      if (changed !== '') waiting.answer(changed);
    }
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of message) chunks.push(chunk as Buffer);
    const { pathname, search } = new URL(message.url ?? '', 'http://fake');
    const body = Buffer.concat(chunks).toString();
    const request: FakeRequest = {
      method: message.method ?? '',
      path: pathname.replace('/nacos', ''),
      fields: new URLSearchParams(search === '' ? body : search),
      headers: message.headers,
      raw: `${message.url}\n${JSON.stringify(message.headers)}\n${body}`,
    };
    this.requests.push(request);
    const answer = this.intercept(request) ?? this.#answer(request, response);
    if (answer === 'hang') return;
    response.writeHead(answer.status, { 'content-type': 'text/plain;charset=UTF-8', 'config-type': 'yaml' });
    response.end(answer.body);
  }

  #answer(request: FakeRequest, response: ServerResponse): Exclude<FakeAnswer, undefined> {
    if (request.path.endsWith('/login')) return { status: 200, body: '{"accessToken":"t0ken","tokenTtl":18000}' };
    if (request.path === '/v1/cs/configs/listener') return this.#listen(request, response);
    const content = this.contents.get(request.fields.get('dataId') ?? '');
    if (request.method !== 'GET') return { status: 200, body: 'true' };
    return content === undefined ? { status: 404, body: 'config data not exist' } : { status: 200, body: content };
  }

  #listen({ fields, headers }: FakeRequest, response: ServerResponse): Exclude<FakeAnswer, undefined> {
    const held = fields.get('Listening-Configs') ?? '';
    const changed = this.#changed(held);
    if (changed !== '' || headers['long-pulling-timeout-no-hangup'] === 'true') return { status: 200, body: changed };
    const waiting = { held, answer: (body: string): void => void response.end(body) };
    this.#waiting.add(waiting);
    response.once('close', () => this.#waiting.delete(waiting));
    return 'hang';
  }

  #changed(held: string): string {
    const names = held
      .split(line)
      .filter((text) => text !== '')
      .map((text) => text.split(word))
      .filter(([dataId = '', , md5]) => {
        const content = this.contents.get(dataId);
        return (content === undefined ? '' : this.md5Of(content)) !== md5;
      });
    return encodeURIComponent(names.map(([dataId, group]) => `${dataId}${word}${group}${line}`).join(''));
  }
}
