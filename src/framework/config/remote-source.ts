import { isDeepStrictEqual } from 'node:util';
import type { ConfigAccess, ConfigDriver, RemoteContent } from './config.driver.js';
import type { ConfigStore } from './config-store.js';
import { nameOfContent } from './data-id.js';
import type { ConfigLayer } from './layer.js';
import { remoteLayers } from './remote-layers.js';
import type { GoodContents, RemoteServing, RemoteStart } from './remote-start.js';
import { SnapshotKeeper } from './snapshot-keeper.js';
import type { SnapshotStore } from './snapshot-store.js';

// Of a change in several data ids, published one after the other, the rest may be on its way.
const partMs = 100;
const longestPartsMs = 1000;
// What a subscriber refuses now it may take later, without anything in the centre having changed.
const firstRetryMs = 1000;
const longestRetryMs = 60_000;

/** Where lines about the centre go. */
export interface RemoteLog {
  readonly info: (line: string) => void;
  readonly warn: (line: string) => void;
}

/** What a source is made from. */
export interface RemoteSourceInit {
  readonly driver: ConfigDriver;
  readonly store: ConfigStore;
  readonly start: RemoteStart;
  readonly snapshot: SnapshotStore | undefined;
}

/** How a centre stands. */
export interface RemoteState {
  readonly name: string;
  readonly isReachable: boolean;
  readonly serving: RemoteServing;
  /** When the snapshot that serves was written. */
  readonly snapshotAt: Date | undefined;
  /** Snapshots that could not be written. */
  readonly snapshotFailures: number;
}

/**
 * A configuration centre as a source of the store: every change that it tells becomes one version, or a failure while the
 * last good one stays. What was refused is tried again when anything else changes, and now and then.
 */
export class RemoteSource {
  static readonly #sources = new WeakMap<ConfigStore, RemoteSource>();
  readonly #driver: ConfigDriver;
  readonly #store: ConfigStore;
  readonly #start: RemoteStart;
  readonly #keeper: SnapshotKeeper | undefined;
  /** In force. */
  #good: GoodContents;
  /** What each layer was read from, for as long as there is a way back to it. */
  readonly #contents = new WeakMap<ConfigLayer, RemoteContent>();
  /** The contents as the config server has them, where they are not effective. */
  #refused: readonly RemoteContent[] | undefined;
  /** Since when contents have come that are not effective. */
  #partsSince: number | undefined;
  #serving: RemoteServing;
  #isReachable: boolean;
  #outage: string | undefined;
  #retry: NodeJS.Timeout | undefined;
  #retries = 0;
  #log: RemoteLog | undefined;
  #leave: (() => void) | undefined;
  #isClosed = false;

  private constructor({ driver, store, start, snapshot }: RemoteSourceInit) {
    this.#driver = driver;
    this.#store = store;
    this.#start = start;
    this.#good = start;
    this.#refused = start.refused;
    this.#remember(start);
    if (start.snapshot !== undefined) this.#remember(start.snapshot);
    this.#serving = start.serving;
    this.#isReachable = start.isReachable;
    this.#keeper = snapshot && new SnapshotKeeper(snapshot, (problem) => this.#log?.warn(problem));
    if (start.failure !== undefined) store.fail(driver.name, this.#worded(start.failure));
    if (!start.isReachable) this.#outage = this.#failure();
  }

  /** Makes a source that belongs to its store, and closes with it. */
  static attach(init: RemoteSourceInit): void {
    const source = new RemoteSource(init);
    RemoteSource.#sources.set(init.store, source);
    init.store.onClose(() => source.close());
  }

  /** The centre that this store is filled from, if there is one. */
  static of(store: ConfigStore): RemoteSource | undefined {
    return RemoteSource.#sources.get(store);
  }

  /** Single documents of the centre. */
  get access(): ConfigAccess | undefined {
    return this.#driver.access;
  }

  /** How things stand. */
  get state(): RemoteState {
    return {
      name: this.#driver.name,
      isReachable: this.#isReachable,
      serving: this.#serving,
      snapshotAt: this.#serving === 'snapshot' ? this.#start.snapshot?.at : undefined,
      snapshotFailures: this.#keeper?.failures ?? 0,
    };
  }

  /**
   * The values at the beginning were found to be bad: puts the last good ones, from disk, in their place, if there are any.
   * Before `watch()`.
   *
   * @param cause what is wrong with the present ones
   * @returns whether they differ
   */
  fallBack(cause: Error): boolean {
    const { snapshot, contents } = this.#start;
    if (this.#serving !== 'centre' || snapshot === undefined) return false;
    if (isDeepStrictEqual(snapshot.contents, contents)) return false;
    const { name } = this.#driver;
    this.#store.apply(snapshot.layers, { source: `${name} snapshot`, centre: name, isStart: true });
    this.#refused = contents;
    this.#good = snapshot;
    this.#serving = 'snapshot';
    this.#store.fail(this.#driver.name, this.#worded(cause));
    return true;
  }

  /** Follows the config server from now on. The effective values have been found good: they become the snapshot. */
  watch(log: RemoteLog): void {
    if (this.#isClosed || this.#log !== undefined) return;
    this.#log = log;
    const { name } = this.#driver;
    const { snapshotProblem } = this.#start;
    if (snapshotProblem !== undefined) log.warn(snapshotProblem);
    if (this.#serving === 'centre') {
      const isEmpty = this.#good.contents.every(({ content }) => content === undefined);
      // A slip in the namespace looks like this: it is not to cost the snapshot of the right one.
      if (!isEmpty || snapshotProblem === undefined) this.#keeper?.keep(this.#good.contents);
      (isEmpty ? log.warn : log.info)(this.#greeting());
    }
    this.#leave = this.#store.onChange((_tree, { centre }) => {
      if (centre === name) return;
      this.#keepRestored();
      this.#retrySoon();
    });
    if (this.#refused !== undefined) this.#planRetry();
    this.#driver.watch({
      onContents: (contents) => this.#take(contents),
      onFailure: (error) => this.#lose(error),
      onRecovery: () => this.#find(),
    });
  }

  /** Ends the connection; the values stay. May be called twice. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    this.#leave?.();
    await Promise.all([this.#driver.close(), this.#keeper?.close()]);
  }

  #take(contents: readonly RemoteContent[]): void {
    if (this.#isClosed) return;
    this.#retries = 0;
    // Whoever brings contents is there.
    this.#isReachable = true;
    this.#outage = undefined;
    this.#partsSince ??= performance.now();
    this.#apply(contents, performance.now() - this.#partsSince < longestPartsMs);
  }

  /** @param isPart what is wrong is told a moment later, if it still is */
  #apply(contents: readonly RemoteContent[], isPart = false): void {
    clearTimeout(this.#retry);
    this.#refused = contents;
    const { name } = this.#driver;
    try {
      const layers = this.#layers(contents, isPart);
      const source = this.#changed(contents).join(', ');
      this.#store.apply(layers, { source: source === '' ? name : source, centre: name, isProvisional: isPart });
      this.#refused = undefined;
      this.#partsSince = undefined;
      this.#good = { contents, layers };
      this.#remember(this.#good);
      this.#serving = 'centre';
      this.#keepInForce();
    } catch {
      // The store has told why, or will.
      this.#planRetry(isPart ? partMs : undefined);
    }
  }

  #layers(contents: readonly RemoteContent[], isPart: boolean): GoodContents['layers'] {
    try {
      return remoteLayers(this.#driver.name, contents, this.#good.layers);
    } catch (error) {
      if (!isPart) this.#store.fail(this.#driver.name, error);
      throw error;
    }
  }

  #changed(contents: readonly RemoteContent[]): string[] {
    const before = new Map(this.#good.contents.map((each) => [nameOfContent(this.#driver.name, each), each.content]));
    return contents.flatMap((each) => {
      const name = nameOfContent(this.#driver.name, each);
      return before.get(name) === each.content ? [] : [name];
    });
  }

  #planRetry(afterMs?: number): void {
    clearTimeout(this.#retry);
    if (this.#isClosed) return;
    const laterMs = Math.min(longestRetryMs, firstRetryMs * 2 ** Math.min(this.#retries, 10));
    if (afterMs === undefined) this.#retries += 1;
    const retry = (): void => void (this.#refused !== undefined && this.#apply(this.#refused));
    this.#retry = setTimeout(retry, afterMs ?? laterMs).unref();
  }

  #remember({ contents, layers }: GoodContents): void {
    for (const [index, layer] of layers.entries()) this.#contents.set(layer, contents[index] as RemoteContent);
  }

  // What was put back is what is good: the next start is not to begin with what was taken back.
  #keepRestored(): void {
    const isAsBefore = this.#inForce().every((layer) => this.#good.layers.includes(layer));
    if (this.#serving === 'centre' && !isAsBefore) this.#keepInForce();
  }

  #keepInForce(): void {
    const contents = this.#inForce().map((layer) => this.#contents.get(layer));
    if (contents.every((each) => each !== undefined)) this.#keeper?.keep(contents);
  }

  #inForce(): readonly ConfigLayer[] {
    return this.#store.checkpoint().layers.filter(({ kind }) => kind === 'remote');
  }

  // Not within the change that is being told.
  #retrySoon(): void {
    if (this.#refused !== undefined) this.#planRetry(0);
  }

  #lose(error: Error): void {
    if (this.#isClosed) return;
    this.#isReachable = false;
    // What is wrong with the contents is more use to know; both, and the second would hide the first.
    if (this.#refused !== undefined || this.#failure() !== this.#outage) {
      this.#log?.warn(`${this.#driver.name} cannot be reached: ${error.message}`);
      return;
    }
    this.#store.fail(this.#driver.name, this.#worded(error));
    this.#outage = this.#failure();
  }

  #find(): void {
    if (this.#isClosed || this.#isReachable) return;
    this.#isReachable = true;
    this.#log?.info(`${this.#driver.name} can be reached again`);
    // Not what others say of it: contents that did not stand their probation are still what the centre has.
    if (this.#serving === 'centre' && this.#failure() === this.#outage) this.#store.recover(this.#driver.name);
    this.#outage = undefined;
  }

  #failure(): string | undefined {
    return this.#store.failures.find(({ source }) => source === this.#driver.name)?.message;
  }

  #worded(error: Error): Error {
    const at = this.#start.snapshot?.at.toISOString();
    if (this.#serving === 'snapshot') return new Error(`${error.message}; the snapshot of ${at} serves`);
    return this.#serving === 'nothing' ? new Error(`${error.message}; files and environment alone serve`) : error;
  }

  #greeting(): string {
    const { name } = this.#driver;
    const { contents } = this.#good;
    const there = contents.filter(({ content }) => content !== undefined).map((each) => nameOfContent(name, each));
    const absent = contents.filter(({ content }) => content === undefined).map((each) => nameOfContent(name, each));
    const found = there.length === 0 ? 'no data id is there' : `effective: ${there.join(', ')}`;
    return `${found}${absent.length === 0 ? '' : `; not there: ${absent.join(', ')}`}`;
  }
}
