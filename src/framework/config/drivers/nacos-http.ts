import {
  backoffMs,
  NacosClosedError,
  NacosRequestError,
  type NacosOptions,
  nacosSettings,
  pause,
  unlessAborted,
} from '../../nacos/index.js';
import type {
  ConfigAccess,
  ConfigDriver,
  ConfigDriverEvents,
  ConfigEndpoint,
  RemoteContent,
} from '../config.driver.js';
import type { DataId } from '../data-id.js';
import { nacosHttpAccess } from './nacos-http-access.js';
import { NacosHttpClient } from './nacos-http-client.js';
import type { HttpDocument } from './nacos-http-transport.js';

// A server that restarts is back before anybody needs to know.
const outageMs = 1000;
const minRetryMs = 100;
const maxRetryMs = 1000;
const isGone = 410;

/** What the driver is made from. */
export interface NacosHttpDriverInit {
  readonly connection: NacosOptions;
  readonly dataIds: readonly DataId[];
  /** What snapshots belong to. */
  readonly namespace: string;
  readonly endpoints: readonly ConfigEndpoint[];
}

/**
 * Nacos 1.x and 2.x, and 3.x as long as it still has the old interface, over HTTP with the npm package `nacos`: for servers
 * behind proxies that pass no gRPC. It learns of changes by a request that the server answers when there is one.
 */
export class NacosHttpDriver implements ConfigDriver {
  readonly name = 'nacos';
  readonly namespace: string;
  readonly endpoints: readonly ConfigEndpoint[];
  readonly #dataIds: readonly DataId[];
  readonly #client: Promise<NacosHttpClient>;
  readonly #closing = new AbortController();
  #documents: (HttpDocument | undefined)[];
  /** The contents that were read or told last; nothing where reading failed. */
  #known: readonly (string | undefined)[] | undefined;
  /** Data ids of which the watch has brought something. */
  readonly #heard = new Set<number>();
  #events: ConfigDriverEvents | undefined;
  #lastError: Error | undefined;
  #outage: NodeJS.Timeout | undefined;
  #told: string | undefined;

  /** Loads the package. @throws NacosOptionError names option and expectation; `read()` says that the package is missing */
  constructor({ connection, dataIds, namespace, endpoints }: NacosHttpDriverInit) {
    this.namespace = namespace;
    this.endpoints = endpoints;
    this.#dataIds = dataIds;
    this.#documents = dataIds.map(() => undefined);
    this.#client = NacosHttpClient.load(nacosSettings(connection), {
      onFailure: (error) => this.#onFailure(error),
      onSettled: () => this.#onSettled(),
    });
    // Whoever reads hears of it.
    this.#client.catch(() => {});
  }

  async read(signal: AbortSignal): Promise<readonly RemoteContent[]> {
    const stop = AbortSignal.any([signal, this.#closing.signal]);
    try {
      this.#documents = await unlessAborted(this.#readUntil(stop), stop);
    } catch (error) {
      if (this.#closing.signal.aborted) throw new NacosClosedError();
      // The signal knows that it is late, the last attempt why.
      throw signal.aborted ? (this.#lastError ?? error) : error;
    }
    this.#known = this.#texts();
    return this.#contents();
  }

  watch(events: ConfigDriverEvents): void {
    if (this.#closing.signal.aborted) return;
    this.#events = events;
    this.#client.then(
      (client) => this.#subscribe(client),
      (error: unknown) => events.onFailure(error as Error),
    );
  }

  get access(): ConfigAccess {
    return nacosHttpAccess(this.#client);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    clearTimeout(this.#outage);
    const client = await this.#client.catch(() => undefined);
    await client?.close();
  }

  async #readUntil(stop: AbortSignal): Promise<(HttpDocument | undefined)[]> {
    const client = await this.#client;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await Promise.all(this.#dataIds.map(({ dataId, group }) => client.get(dataId, group)));
      } catch (error) {
        this.#lastError = error as Error;
        // Such a server will not learn HTTP while we wait.
        if (stop.aborted || (error instanceof NacosRequestError && error.errorCode === isGone)) throw error;
      }
      await pause(backoffMs(attempt, minRetryMs, maxRetryMs), stop);
      stop.throwIfAborted();
    }
  }

  #subscribe(client: NacosHttpClient): void {
    if (this.#closing.signal.aborted) return;
    this.#dataIds.forEach(({ dataId, group }, index) =>
      client.subscribe(dataId, group, (document) => {
        this.#documents[index] = document;
        this.#heard.add(index);
        // While it is not settled, more may come that belongs to it.
        if (client.isSettled) this.#deliver();
      }),
    );
  }

  #onSettled(): void {
    // The package began with nothing, and the server agrees: whatever was read before is gone.
    this.#dataIds.forEach((_dataId, index) => {
      if (!this.#heard.has(index)) this.#documents[index] = undefined;
    });
    clearTimeout(this.#outage);
    this.#outage = undefined;
    if (this.#told !== undefined) {
      this.#told = undefined;
      this.#events?.onRecovery();
    }
    this.#deliver();
  }

  #onFailure(error: Error): void {
    this.#lastError = error;
    if (this.#closing.signal.aborted) return;
    // Said once already: the next reason is said at once.
    if (this.#told !== undefined) this.#fail();
    else this.#outage ??= setTimeout(() => this.#fail(), outageMs).unref();
  }

  #fail(): void {
    const failure = this.#lastError;
    if (failure === undefined || this.#told === failure.message) return;
    this.#told = failure.message;
    this.#events?.onFailure(failure);
  }

  #deliver(): void {
    const texts = this.#texts();
    const isKnown = this.#known !== undefined && texts.every((text, index) => text === this.#known?.[index]);
    if (isKnown || this.#closing.signal.aborted) return;
    this.#known = texts;
    this.#events?.onContents(this.#contents());
  }

  #texts(): readonly (string | undefined)[] {
    return this.#documents.map((document) => document?.content);
  }

  #contents(): RemoteContent[] {
    return this.#dataIds.map(({ dataId, group, format }, index) => {
      const document = this.#documents[index];
      const type = format ?? document?.type;
      const key = document?.encryptedDataKey;
      return {
        ...{ dataId, group, ...(type !== undefined && { type }), content: document?.content },
        ...(key !== undefined && { encryptedDataKey: key }),
      };
    });
  }
}
