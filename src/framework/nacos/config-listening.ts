import { backoffMs } from './backoff.js';
import { NacosClosedError, NacosOptionError } from './nacos.errors.js';
import type { NacosConnection } from './nacos-connection.js';

const maxKeys = 10_000;
// As many as fit well into one message, far below its bound.
const keysPerRequest = 500;
const maxQueries = 8;
const minRetryMs = 100;
const maxRetryMs = 30_000;

interface Key {
  readonly dataId: string;
  readonly group: string;
  readonly tenant: string;
}

interface Value {
  readonly md5: string;
}

interface Listener<V> {
  readonly tell: (value: V | undefined) => void;
  md5: string;
}

interface ListeningOptions {
  readonly onProblem?: (error: unknown) => void;
  readonly compareEveryMs?: number;
}

/** What is listened to, and how it stands with the server. */
interface Entry<V> {
  readonly key: Key;
  readonly listeners: Set<Listener<V>>;
  /** Of what the server was last seen to have; empty: nothing. */
  md5: string;
  isQuerying: boolean;
  /** Queries that failed or found nothing new, in a row. */
  fruitless: number;
  retry: NodeJS.Timeout | undefined;
}

/** Keeps listeners up to date: a push is only a hint, what counts is the comparison of md5s. */
export class ConfigListening<V extends Value> {
  readonly #connection: NacosConnection;
  readonly #query: (key: Key) => Promise<V | undefined>;
  readonly #onProblem: (error: unknown) => void;
  readonly #entries = new Map<string, Entry<V>>();
  /** Of these a push or a comparison says that the server has something else. */
  readonly #stale = new Set<Entry<V>>();
  /** The server does not listen for these with the md5 that is held now. */
  readonly #unheard = new Set<Entry<V>>();
  readonly #unwatchState: () => void;
  readonly #comparing: NodeJS.Timeout;
  #queries = 0;
  #isComparing = false;
  #failedComparisons = 0;
  #compareAgain: NodeJS.Timeout | undefined;
  /** Which connection it is: what was heard on one is not heard on the next. */
  #round = 0;
  #isClosed = false;

  constructor(
    connection: NacosConnection,
    query: (key: Key) => Promise<V | undefined>,
    { onProblem = () => {}, compareEveryMs = 300_000 }: ListeningOptions,
  ) {
    if (!(compareEveryMs >= 1000 && compareEveryMs <= 3_600_000)) {
      throw new NacosOptionError(`compareEveryMs: ${compareEveryMs} (expected: 1000 to 3600000)`);
    }
    this.#connection = connection;
    this.#query = query;
    this.#onProblem = onProblem;
    connection.onPush('ConfigChangeNotifyRequest', (body) => this.#pushed(body));
    this.#unwatchState = connection.onState(({ state }) => state === 'connected' && this.#compareAll());
    this.#comparing = setInterval(() => this.#compareAll(), compareEveryMs);
  }

  /** Whether something is known to have changed that has not been told yet. */
  get isFetching(): boolean {
    return this.#queries > 0 || this.#stale.size > 0;
  }

  add(key: Key, tell: (value: V | undefined) => void, md5: string): () => void {
    const name = nameOf(key);
    const entry = this.#entries.get(name) ?? this.#newEntry(name, key, md5);
    const listener = { tell, md5 };
    entry.listeners.add(listener);
    if (entry.md5 !== md5) this.#fetch(entry);
    this.#compare();
    return () => this.#remove(name, listener);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#unwatchState();
    clearInterval(this.#comparing);
    clearTimeout(this.#compareAgain);
    for (const { retry } of this.#entries.values()) clearTimeout(retry);
    for (const entries of [this.#entries, this.#stale, this.#unheard]) entries.clear();
  }

  #newEntry(name: string, key: Key, md5: string): Entry<V> {
    if (this.#isClosed) throw new NacosClosedError();
    if (this.#entries.size >= maxKeys) throw new NacosOptionError(`listen: ${maxKeys} already (expected: fewer)`);
    const entry = { key, listeners: new Set<Listener<V>>(), md5, isQuerying: false, fruitless: 0, retry: undefined };
    this.#entries.set(name, entry);
    this.#unheard.add(entry);
    return entry;
  }

  #remove(name: string, listener: Listener<V>): void {
    const entry = this.#entries.get(name);
    if (entry === undefined || !entry.listeners.delete(listener) || entry.listeners.size > 0) return;
    this.#entries.delete(name);
    this.#stale.delete(entry);
    clearTimeout(entry.retry);
    const isHeard = !this.#unheard.delete(entry);
    if (!isHeard || this.#connection.state.state !== 'connected') return;
    // Should it fail, pushes come that nobody takes, and end with the connection.
    this.#listen([entry], false).catch(() => {});
  }

  #pushed({ dataId, group, tenant }: Readonly<Record<string, unknown>>): void {
    // Absent for the public namespace.
    const key = { dataId: String(dataId), group: String(group), tenant: typeof tenant === 'string' ? tenant : '' };
    const entry = this.#entries.get(nameOf(key));
    if (entry !== undefined) this.#fetch(entry);
  }

  #fetch(entry: Entry<V>): void {
    clearTimeout(entry.retry);
    entry.retry = undefined;
    this.#unheard.add(entry);
    this.#stale.add(entry);
    this.#fetchMore();
  }

  /** One query per entry at a time: what comes during one is asked for after it, so that listeners hear values in order. */
  #fetchMore(): void {
    for (const entry of this.#stale) {
      if (this.#queries >= maxQueries) return;
      if (entry.isQuerying) continue;
      this.#stale.delete(entry);
      this.#queries += 1;
      entry.isQuerying = true;
      void this.#fetchOne(entry).finally(() => {
        this.#queries -= 1;
        entry.isQuerying = false;
        this.#fetchMore();
        this.#compare();
      });
    }
  }

  async #fetchOne(entry: Entry<V>): Promise<void> {
    try {
      const value = await this.#query(entry.key);
      if (!this.#has(entry)) return;
      const md5 = value?.md5 ?? '';
      entry.fruitless = entry.md5 === md5 ? entry.fruitless + 1 : 0;
      entry.md5 = md5;
      this.#tell(entry, value, md5);
      // Once is a race; more often the server says "changed" and has nothing new, which is not to become a loop.
      if (entry.fruitless > 1) this.#fetchLater(entry);
    } catch (error) {
      if (!this.#has(entry)) return;
      entry.fruitless += 1;
      this.#fetchLater(entry);
      this.#onProblem(error);
    }
  }

  #fetchLater(entry: Entry<V>): void {
    clearTimeout(entry.retry);
    entry.retry = setTimeout(() => this.#fetch(entry), backoffMs(entry.fruitless, minRetryMs, maxRetryMs));
  }

  #tell(entry: Entry<V>, value: V | undefined, md5: string): void {
    for (const listener of entry.listeners) {
      if (listener.md5 === md5) continue;
      listener.md5 = md5;
      try {
        listener.tell(value);
      } catch (error) {
        this.#onProblem(error);
      }
    }
  }

  #compareAll(): void {
    this.#round += 1;
    this.#failedComparisons = 0;
    clearTimeout(this.#compareAgain);
    this.#compareAgain = undefined;
    for (const entry of this.#entries.values()) {
      clearTimeout(entry.retry);
      entry.retry = undefined;
      this.#unheard.add(entry);
    }
    this.#compare();
  }

  /** Tells the server what is held; it answers what is different, and pushes from then on. One request at a time. */
  #compare(): void {
    if (this.#isComparing || this.#isClosed || this.#compareAgain !== undefined) return;
    if (this.#connection.state.state !== 'connected') return;
    const due: Entry<V>[] = [];
    for (const entry of this.#unheard) {
      if (entry.isQuerying || entry.retry !== undefined || this.#stale.has(entry)) continue;
      if (due.push(entry) === keysPerRequest) break;
    }
    if (due.length === 0) return;
    this.#isComparing = true;
    this.#compareThese(due)
      .catch((error: unknown) => this.#comparisonFailed(error))
      .finally(() => {
        this.#isComparing = false;
        this.#compare();
      });
  }

  async #compareThese(due: readonly Entry<V>[]): Promise<void> {
    const round = this.#round;
    const held = due.map(({ md5 }) => md5);
    const changed = await this.#listen(due, true);
    this.#failedComparisons = 0;
    // Another connection, or the interval: they are asked for again.
    if (round !== this.#round) return;
    const gone = due.filter(({ key }) => !this.#isClosed && !this.#entries.has(nameOf(key)));
    // As in #remove(), which could not know whether the server had heard of them.
    if (gone.length > 0) this.#listen(gone, false).catch(() => {});
    due.forEach((entry, index) => {
      if (this.#has(entry) && entry.md5 === held[index]) this.#unheard.delete(entry);
    });
    for (const name of changed) {
      const entry = this.#entries.get(name);
      if (entry !== undefined) this.#fetch(entry);
    }
    // What a push has made stale meanwhile is unheard again.
    for (const entry of this.#stale) this.#unheard.add(entry);
  }

  #comparisonFailed(error: unknown): void {
    if (this.#isClosed) return;
    this.#failedComparisons += 1;
    this.#compareAgain = setTimeout(
      () => {
        this.#compareAgain = undefined;
        this.#compare();
      },
      backoffMs(this.#failedComparisons, minRetryMs, maxRetryMs),
    );
    this.#onProblem(error);
  }

  /** The names of those that are different on the server. */
  async #listen(entries: readonly Entry<V>[], listen: boolean): Promise<string[]> {
    const configListenContexts = entries.map(({ key, md5 }) => ({ ...key, md5 }));
    const answer = await this.#connection.request('ConfigBatchListenRequest', { listen, configListenContexts });
    const changed: unknown = answer['changedConfigs'];
    return Array.isArray(changed) ? changed.map((key: Key) => nameOf({ ...key, tenant: key.tenant ?? '' })) : [];
  }

  #has(entry: Entry<V>): boolean {
    return !this.#isClosed && this.#entries.get(nameOf(entry.key)) === entry;
  }
}

/** None of the parts can hold the separator. */
function nameOf({ dataId, group, tenant }: Key): string {
  return `${tenant}\n${group}\n${dataId}`;
}
