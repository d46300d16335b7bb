import {
  NacosConfigClient,
  type NacosConfigValue,
  NacosConnection,
  type NacosOptions,
  type NacosState,
} from '../../nacos/index.js';
import type { ConfigDriver, ConfigDriverEvents, ConfigEndpoint, RemoteContent } from '../config.driver.js';
import type { DataId } from '../data-id.js';

// Pushes of one moment come one by one, each followed by a query of its own; what arrives within this time is one change.
const gatherMs = 5;
// A server that restarts, or asks to go to another one, is back before anybody needs to know.
const outageMs = 1000;
// After a failure in the background all data ids are read again, at first so soon, then less and less often.
const firstRereadMs = 500;
const longestRereadMs = 30_000;
// A request at the start has the time of the start, which its signal ends.
const longMs = 600_000;

/** What the driver is made from. */
export interface NacosGrpcDriverInit {
  readonly connection: NacosOptions;
  readonly dataIds: readonly DataId[];
  /** What snapshots belong to. */
  readonly namespace: string;
  readonly endpoints: readonly ConfigEndpoint[];
}

/** Nacos 2.0 and later over gRPC, by the client of `nacos/`. */
export class NacosGrpcDriver implements ConfigDriver {
  readonly name = 'nacos';
  readonly namespace: string;
  readonly endpoints: readonly ConfigEndpoint[];
  readonly #dataIds: readonly DataId[];
  readonly #connection: NacosConnection;
  readonly #client: NacosConfigClient;
  #values: (NacosConfigValue | undefined)[];
  #lastError: Error | undefined;
  #events: ConfigDriverEvents | undefined;
  #gathering: NodeJS.Timeout | undefined;
  #outage: NodeJS.Timeout | undefined;
  #reread: NodeJS.Timeout | undefined;
  #rereads = 0;
  #told: string | undefined;
  #changes = 0;
  #isClosed = false;

  /** Begins to connect. @throws NacosOptionError names option and expectation */
  constructor({ connection, dataIds, namespace, endpoints }: NacosGrpcDriverInit) {
    this.namespace = namespace;
    this.endpoints = endpoints;
    this.#dataIds = dataIds;
    this.#values = dataIds.map(() => undefined);
    this.#connection = new NacosConnection(connection);
    this.#client = new NacosConfigClient(this.#connection, { onProblem: (error) => this.#onProblem(error) });
    this.#connection.onState((state) => this.#onState(state));
  }

  async read(signal: AbortSignal): Promise<readonly RemoteContent[]> {
    try {
      this.#values = await this.#query(signal);
      return this.#contents();
    } catch (error) {
      // The signal knows that it is late, the connection why.
      throw signal.aborted && this.#connection.state.state !== 'connected' ? (this.#lastError ?? error) : error;
    }
  }

  watch(events: ConfigDriverEvents): void {
    if (this.#isClosed) return;
    this.#events = events;
    this.#dataIds.forEach(({ dataId, group }, index) =>
      this.#client.listen({ dataId, group }, (value) => this.#changed(index, value), {
        md5: this.#values[index]?.md5 ?? '',
      }),
    );
    if (this.#connection.state.state !== 'connected') this.#planOutage();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const timer of [this.#gathering, this.#outage, this.#reread]) clearTimeout(timer);
    this.#client.close();
    await this.#connection.close();
  }

  #query(signal?: AbortSignal): Promise<(NacosConfigValue | undefined)[]> {
    const limits = signal === undefined ? {} : { signal, timeoutMs: longMs };
    return Promise.all(this.#dataIds.map(({ dataId, group }) => this.#client.get({ dataId, group }, limits)));
  }

  #contents(): RemoteContent[] {
    return this.#dataIds.map(({ dataId, group, format }, index) => {
      const value = this.#values[index];
      const type = format ?? value?.contentType;
      return { dataId, group, ...(type !== undefined && { type }), content: value?.content };
    });
  }

  #changed(index: number, value: NacosConfigValue | undefined): void {
    this.#changes += 1;
    this.#values[index] = value;
    this.#gathering ??= setTimeout(() => this.#deliver(), gatherMs);
  }

  #deliver(): void {
    this.#gathering = undefined;
    this.#events?.onContents(this.#contents());
  }

  #onState(state: NacosState): void {
    if (state.state === 'disconnected') {
      this.#lastError = state.error;
      this.#planOutage();
    }
    if (state.state !== 'connected') return;
    clearTimeout(this.#outage);
    this.#outage = undefined;
    this.#recover();
  }

  #planOutage(): void {
    if (this.#events === undefined || this.#isClosed) return;
    // Said once already: the next reason is said at once.
    if (this.#told !== undefined) this.#fail(this.#lastError);
    else this.#outage ??= setTimeout(() => this.#fail(this.#lastError), outageMs).unref();
  }

  #fail(error: Error | undefined): void {
    const failure = error ?? new Error('nacos: no connection yet');
    if (this.#told === failure.message) return;
    this.#told = failure.message;
    this.#events?.onFailure(failure);
  }

  #recover(): void {
    if (this.#told === undefined) return;
    this.#told = undefined;
    this.#events?.onRecovery();
  }

  /** The client tries again by itself, but does not say when it has succeeded. */
  #onProblem(error: unknown): void {
    if (this.#isClosed || this.#reread !== undefined || this.#connection.state.state !== 'connected') return;
    const afterMs = Math.min(longestRereadMs, firstRereadMs * 2 ** Math.min(this.#rereads, 10));
    // Once is bad luck.
    if (this.#rereads > 0) this.#fail(error instanceof Error ? error : new Error(String(error)));
    this.#rereads += 1;
    this.#reread = setTimeout(() => void this.#readAgain(), afterMs).unref();
  }

  async #readAgain(): Promise<void> {
    const changes = this.#changes;
    try {
      const values = await this.#query();
      this.#reread = undefined;
      if (this.#isClosed) return;
      this.#rereads = 0;
      this.#recover();
      const isNew = values.some((value, index) => value?.md5 !== this.#values[index]?.md5);
      // What a push has brought meanwhile is newer.
      if (!isNew || changes !== this.#changes) return;
      this.#values = values;
      this.#deliver();
    } catch (error) {
      this.#reread = undefined;
      this.#onProblem(error);
    }
  }
}
