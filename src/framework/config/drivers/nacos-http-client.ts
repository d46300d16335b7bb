import { NOTFOUND } from 'node:dns';
import { NacosClosedError, NacosOptionError, type NacosSettings } from '../../nacos/index.js';
import {
  type HttpDocument,
  type HttpStep,
  type HttpTransportEvents,
  NacosHttpTransport,
} from './nacos-http-transport.js';

/** What is used of the package's client. Its own types are not named: who does not have it compiles as well. */
interface PackageClient {
  getConfig(dataId: string, group: string): Promise<string | null>;
  publishSingle(dataId: string, group: string, content: string, options: { type?: string }): Promise<boolean>;
  remove(dataId: string, group: string): Promise<boolean>;
  subscribe(key: { dataId: string; group: string }, listener: (content: string | null) => void): void;
  on(name: 'error', listener: (error: unknown) => void): void;
  close(): void;
}

/** What it asks its `httpclient` to do. */
interface PackageRequest {
  readonly method?: 'GET' | 'POST' | 'DELETE';
  readonly data?: string | Readonly<Record<string, unknown>>;
}

interface PackageAnswer {
  readonly status: number;
  readonly data: string;
  readonly headers: Readonly<Record<string, string>>;
}

const nothing: PackageAnswer = { status: 404, data: '', headers: {} };
const listenerPath = 'cs/configs/listener';
const documentPath = 'cs/configs';

/**
 * The client of the npm package `nacos`, with everything that goes out or to the disk taken away from it: it gets its
 * requests answered by our transport, and a snapshot that keeps nothing. Left to itself it sends user and password with
 * every request, trusts every certificate, repeats what fails without a pause, writes contents into the home folder, and
 * lives on for half a minute after `close()`.
 */
export class NacosHttpClient {
  readonly #transport: NacosHttpTransport;
  readonly #client: PackageClient;
  readonly #documents = new Map<string, HttpDocument>();
  /** Of what is being published: the package has no room for them. */
  readonly #dataKeys = new Map<string, string>();
  /** What is asked for by `get()`, by the same name: a failure of the watch is told as such, one of a caller only to him. */
  readonly #watched = new Set<string>();

  private constructor(settings: NacosSettings, events: HttpTransportEvents, DataClient: PackageClientClass) {
    this.#transport = new NacosHttpTransport(settings, events);
    const Contained = containing(DataClient);
    this.#client = new Contained({
      // Which server it is, the transport decides.
      serverAddr: 'nacos.invalid:8848',
      ...(settings.namespace !== '' && { namespace: settings.namespace }),
      appName: settings.appName,
      // Else it takes what the environment has for the cloud of its maker, and sends it along.
      accessKey: 'unused',
      secretKey: 'unused',
      httpclient: { request: (url: string, request: PackageRequest) => this.#request(url, request) },
    });
    // With a listener of ours it leaves the console alone, where it would print requests and contents.
    this.#client.on('error', () => {});
  }

  /** @throws NacosOptionError the package is not installed */
  static async load(settings: NacosSettings, events: HttpTransportEvents): Promise<NacosHttpClient> {
    return new NacosHttpClient(settings, events, await loadPackage());
  }

  get isSettled(): boolean {
    return this.#transport.isSettled;
  }

  /**
   * The document as it is now; `undefined` when there is none.
   *
   * @throws what the transport throws
   */
  async get(dataId: string, group: string): Promise<HttpDocument | undefined> {
    checkKey(dataId, group);
    const content = await unwrapped(this.#client.getConfig(dataId, group));
    this.#unlessClosed();
    const name = nameOf(dataId, group);
    const document = this.#documentOf(name, content);
    // Who reads this and that is not to fill the memory with it.
    if (!this.#watched.has(name)) this.#documents.delete(name);
    return document;
  }

  /** @throws NacosOptionError the content is empty, which servers refuse, or the key is not of the characters they allow */
  async publish(
    dataId: string,
    group: string,
    content: string,
    { type, encryptedDataKey }: { readonly type?: string | undefined; readonly encryptedDataKey?: string | undefined },
  ): Promise<void> {
    if (content.trim() === '') throw new NacosOptionError(`content of ${dataId}: empty (expected: some)`);
    checkKey(dataId, group);
    const name = nameOf(dataId, group);
    if (encryptedDataKey !== undefined) this.#dataKeys.set(name, encryptedDataKey);
    try {
      await unwrapped(this.#client.publishSingle(dataId, group, content, type === undefined ? {} : { type }));
    } finally {
      this.#dataKeys.delete(name);
    }
    this.#unlessClosed();
  }

  async remove(dataId: string, group: string): Promise<void> {
    checkKey(dataId, group);
    await unwrapped(this.#client.remove(dataId, group));
    this.#unlessClosed();
  }

  /** Calls `listener` with the document as it is at first, and with every other one later. */
  subscribe(dataId: string, group: string, listener: (document: HttpDocument | undefined) => void): void {
    const name = nameOf(dataId, group);
    this.#watched.add(name);
    this.#client.subscribe({ dataId, group }, (content) => listener(this.#documentOf(name, content)));
  }

  /** At once; what waits comes to its end. */
  async close(): Promise<void> {
    const closed = this.#transport.close();
    this.#client.close();
    await closed;
  }

  async #request(url: string, { method = 'GET', data = {} }: PackageRequest): Promise<PackageAnswer> {
    // What the package does with a failure after its end is an uncaught exception.
    if (this.#transport.isClosed) return nothing;
    const path = url.slice(url.indexOf('/v1/') + '/v1/'.length);
    const form = typeof data === 'string' ? withoutEmpty(new URLSearchParams(data)) : formOf(data);
    if (path === listenerPath) return { status: 200, data: await this.#transport.poll(form.toString()), headers: {} };
    try {
      return path === documentPath && method === 'GET'
        ? await this.#get(form)
        : await this.#change({ path, method, form: this.#withDataKey(form).toString() });
    } catch (error) {
      if (this.#transport.isClosed) return nothing;
      if (method === 'GET' && this.#watched.has(nameIn(form))) this.#transport.failed(error as Error);
      throw new OnceOnlyError(error);
    }
  }

  async #get(form: URLSearchParams): Promise<PackageAnswer> {
    const { status, body, headers } = await this.#transport.ask({
      path: documentPath,
      method: 'GET',
      form: form.toString(),
    });
    const name = nameIn(form);
    const isNew = this.#documents.get(name)?.content !== (status === 404 ? undefined : body);
    if (isNew) this.#transport.progressed();
    if (status === 404) {
      this.#documents.delete(name);
      return nothing;
    }
    this.#documents.set(name, {
      content: body,
      type: textOf(headers['config-type']),
      encryptedDataKey: textOf(headers['encrypted-data-key']),
    });
    return { status, data: body, headers: {} };
  }

  /** With what came besides the content, which the package does not hand on. */
  #documentOf(name: string, content: string | null): HttpDocument | undefined {
    if (content === null) return undefined;
    return this.#documents.get(name) ?? { content, type: undefined, encryptedDataKey: undefined };
  }

  async #change(step: HttpStep): Promise<PackageAnswer> {
    const { status, body } = await this.#transport.ask(step);
    // The package takes every 200 for a success.
    if (body.trim() === 'false') throw new NacosOptionError(`nacos: ${step.method} ${step.path}: not done`);
    return { status, data: body, headers: {} };
  }

  #withDataKey(form: URLSearchParams): URLSearchParams {
    const key = this.#dataKeys.get(nameIn(form));
    if (key !== undefined) form.set('encryptedDataKey', key);
    return form;
  }

  #unlessClosed(): void {
    if (this.#transport.isClosed) throw new NacosClosedError();
  }
}

/** Makes the package give up at once: it repeats everything else in a loop, and first writes the request into the error. */
class OnceOnlyError extends Error {
  readonly code = NOTFOUND;

  constructor(override readonly cause: unknown) {
    super('nacos: the request failed');
  }
}

async function unwrapped<T>(asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    throw error instanceof OnceOnlyError ? error.cause : error;
  }
}

type PackageClientClass = new (options: object) => PackageClient;

async function loadPackage(): Promise<PackageClientClass> {
  try {
    const { DataClient } = await import('nacos');
    return DataClient as unknown as PackageClientClass;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new NacosOptionError('nacos.transport: http needs the package "nacos" (npm install nacos@~2.6.3)');
  }
}

interface Worker {
  on(name: 'error', listener: () => void): void;
  close(): void;
}

/** The two methods that the package keeps for those who build on it. */
function containing(DataClient: PackageClientClass): PackageClientClass {
  const Base = DataClient as unknown as new (options: object) => { getClientWorker(options: object): Worker };
  class Contained extends Base {
    getSnapshot(): object {
      return noSnapshot;
    }

    override getClientWorker(options: object): Worker {
      const worker = super.getClientWorker(options);
      const close = worker.close.bind(worker);
      worker.close = () => {
        close();
        // It forgets all listeners, and an error that it tells afterwards would end the process.
        worker.on('error', () => {});
      };
      return worker;
    }
  }
  return Contained as unknown as PackageClientClass;
}

const noSnapshot = {
  on: () => {},
  get: () => Promise.resolve(null),
  save: () => Promise.resolve(),
  delete: () => Promise.resolve(),
  batchSave: () => Promise.resolve(),
};

function formOf(data: Readonly<Record<string, unknown>>): URLSearchParams {
  const named = Object.entries(data).filter(([, value]) => value !== undefined && value !== null && value !== '');
  return new URLSearchParams(named.map(([name, value]): [string, string] => [name, String(value)]));
}

function withoutEmpty(form: URLSearchParams): URLSearchParams {
  return formOf(Object.fromEntries(form));
}

// The package would throw them as assertions.
function checkKey(dataId: string, group: string): void {
  for (const [name, value] of Object.entries({ dataId, group })) {
    if (!/^[\w.:-]{1,256}$/.test(value))
      throw new NacosOptionError(`${name}: ${value} (expected: 1 to 256 of A-Z a-z 0-9 _ . : -)`);
  }
}

function nameIn(form: URLSearchParams): string {
  return nameOf(form.get('dataId') ?? '', form.get('group') ?? '');
}

/** Neither part can hold the separator. */
function nameOf(dataId: string, group: string): string {
  return `${group}\n${dataId}`;
}

function textOf(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' && header !== '' ? header : undefined;
}
