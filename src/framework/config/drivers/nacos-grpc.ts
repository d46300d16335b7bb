import { isDeepStrictEqual } from 'node:util';
import {
  NacosConfigClient,
  type NacosConfigValue,
  NacosConnection,
  NacosError,
  type NacosOptions,
  type NacosState,
  NacosTimeoutError,
  NacosUnavailableError,
} from '../../nacos/index.js';
import type {
  ConfigAccess,
  ConfigDriver,
  ConfigDriverEvents,
  ConfigEndpoint,
  RemoteContent,
} from '../config.driver.js';
import type { DataId } from '../data-id.js';
import { nacosGrpcAccess } from './nacos-grpc-access.js';

// Pushes of one moment come one by one, each followed by a query of its own: whatever arrives within this time of each other
// is one change, and so is what is being asked for; but nobody waits longer than that for the next.
const gatherMs = 5;
const longestGatherMs = 200;
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
  /** The contents read or reported last; `undefined` where reading failed. */
  #known: readonly RemoteContent[] | undefined;
  #lastError: Error | undefined;
  #events: ConfigDriverEvents | undefined;
  #gathering: NodeJS.Timeout | undefined;
  #outage: NodeJS.Timeout | undefined;
  #reread: NodeJS.Timeout | undefined;
  #rereads = 0;
  #isRereading = false;
  /** The kind of failure that was told last. */
  #told: string | undefined;
  /** All data ids have been read, together, at least once. */
  #isComplete = false;
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
      this.#isComplete = true;
      this.#known = this.#contents();
      return this.#known;
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
    else if (!this.#isComplete) void this.#readAgain();
  }

  get access(): ConfigAccess {
    return nacosGrpcAccess(this.#client);
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
      const key = value?.encryptedDataKey;
      return {
        ...{ dataId, group, ...(type !== undefined && { type }), content: value?.content },
        ...(key !== undefined && { encryptedDataKey: key }),
      };
    });
  }

  #changed(index: number, value: NacosConfigValue | undefined): void {
    this.#values[index] = value;
    // Alone, it belongs together with nothing.
    if (this.#dataIds.length === 1) this.#deliver();
    else this.#gathering ??= this.#gather(performance.now());
  }

  #gather(since: number): NodeJS.Timeout {
    return setTimeout(() => {
      if (this.#client.isFetching && performance.now() - since < longestGatherMs) this.#gathering = this.#gather(since);
      else this.#deliver();
    }, gatherMs);
  }

  #deliver(): void {
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    if (!this.#isComplete) return this.#onProblem(new Error('nacos: not all data ids have been read yet'));
    const contents = this.#contents();
    // A reread and a listener's own query may bring the same.
    if (isDeepStrictEqual(contents, this.#known)) return;
    this.#known = contents;
    this.#events?.onContents(contents);
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
    if (!this.#isComplete && this.#events !== undefined) void this.#readAgain();
  }

  #planOutage(): void {
    if (this.#events === undefined || this.#isClosed) return;
    // Said once already: the next reason is said at once.
    if (this.#told !== undefined) this.#fail(this.#lastError);
    else this.#outage ??= setTimeout(() => this.#fail(this.#lastError), outageMs).unref();
  }

  #fail(error: Error | undefined): void {
    const failure = error ?? new Error('nacos: no connection yet');
    if (this.#told === kindOf(failure)) return;
    this.#told = kindOf(failure);
    this.#events?.onFailure(failure);
  }

  #recover(): void {
    if (this.#told === undefined) return;
    this.#told = undefined;
    this.#events?.onRecovery();
  }

  /** The client tries again by itself, but does not say when it has succeeded. */
  #onProblem(error: unknown): void {
    if (
      this.#isClosed ||
      this.#reread !== undefined ||
      this.#isRereading ||
      this.#connection.state.state !== 'connected'
    )
      return;
    const afterMs = Math.min(longestRereadMs, firstRereadMs * 2 ** Math.min(this.#rereads, 10));
    // Once is bad luck.
    if (this.#rereads > 0) this.#fail(error instanceof Error ? error : new Error(String(error)));
    this.#rereads += 1;
    this.#reread = setTimeout(() => void this.#readAgain(), afterMs).unref();
  }

  async #readAgain(): Promise<void> {
    if (this.#isRereading) return;
    this.#isRereading = true;
    clearTimeout(this.#reread);
    this.#reread = undefined;
    const before = [...this.#values];
    try {
      const values = await this.#query();
      this.#isRereading = false;
      if (this.#isClosed) return;
      this.#rereads = 0;
      this.#recover();
      // What a push has brought meanwhile is newer.
      const now = values.map((value, index) => (this.#values[index] === before[index] ? value : this.#values[index]));
      const isNew = !this.#isComplete || now.some((value, index) => value?.md5 !== this.#values[index]?.md5);
      this.#isComplete = true;
      this.#values = now;
      if (isNew) this.#deliver();
    } catch (error) {
      this.#isRereading = false;
      this.#onProblem(error);
    }
  }
}

// Servers take turns, and each has a message of its own; what is to be done about them is the same.
function kindOf(error: Error): string {
  if (error instanceof NacosTimeoutError || error instanceof NacosUnavailableError) return 'absent';
  return error instanceof NacosError ? error.reason : error.message;
}
