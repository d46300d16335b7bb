import { isDeepStrictEqual } from 'node:util';
import { ConfigFiles } from './config-files.js';
import { ConfigError } from './config.errors.js';
import type { ConfigStore } from './config-store.js';
import type { ConfigLayer } from './layer.js';
import { inodeOf, PathWatch } from './path-watch.js';

/** Where the files are and how they are looked at. */
export interface FileWatchOptions {
  readonly directory: string;
  /** Quiet time after a change before the files are read, in ms. */
  readonly settleMs: number;
  /** Time after which files that are never left alone are read all the same, in ms. */
  readonly maxSettleMs: number;
  /** Time after which they are read without a sign, in ms. */
  readonly pollMs: number;
}

const source = 'files';

// A writer empties a file first and then fills it: an empty one must stay so for this many quiet times.
const emptyRounds = 10;

// Between two looks at what changes while it is read.
const shortestMs = 10;

/**
 * Makes the files of the configuration its centre: an edit is applied as one change, by whatever way it is made: rewriting,
 * renaming over, Kubernetes' swap of its `..data` link, also behind symbolic links.
 *
 * Nothing half-written is applied: files are read when they have been left alone for `settleMs`, twice with the same
 * result. Files that are never left alone are read after `maxSettleMs`, as they are at that moment. What is wrong is told to the store (`failures`), and the effective values stay.
 */
export class FileWatch {
  readonly #store: ConfigStore;
  readonly #options: FileWatchOptions;
  readonly #files: ConfigFiles;
  readonly #paths = new PathWatch(() => this.#onEvent());
  #timer: NodeJS.Timeout | undefined;
  #plannedAtMs = 0;
  #texts: readonly (string | undefined)[] = [];
  #applied: readonly (string | undefined)[] | undefined;
  /** What was read and kept out. */
  #refused: readonly ConfigLayer[] | undefined;
  #rounds = 0;
  /** Since when there is a change that is not applied. */
  #restlessSinceMs: number | undefined;
  #isGone = false;
  #isLooking = false;
  #hasEvent = false;
  #isClosed = false;
  #running: Promise<void> = Promise.resolve();

  /** Begins at once, with what was changed since the store was filled. */
  constructor(store: ConfigStore, options: FileWatchOptions) {
    this.#store = store;
    this.#options = options;
    this.#files = new ConfigFiles(options.directory, store.env);
    this.#plan(0);
  }

  /** Looks no more. What is effective stays. May be called twice. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#paths.close();
    await this.#running;
  }

  #plan(afterMs: number): void {
    clearTimeout(this.#timer);
    if (this.#isClosed) return;
    this.#plannedAtMs = performance.now() + afterMs;
    // One look at a time: the next is planned when this one has ended.
    this.#timer = setTimeout(() => {
      this.#running = this.#lookAndPlan();
    }, afterMs).unref();
  }

  async #lookAndPlan(): Promise<void> {
    this.#isLooking = true;
    this.#hasEvent = false;
    const afterMs = await this.#look();
    this.#isLooking = false;
    // What came meanwhile was perhaps not seen.
    this.#plan(this.#hasEvent ? this.#settleMs() : afterMs);
  }

  #onEvent(): void {
    // What is being looked at may be half of it.
    this.#rounds = 0;
    this.#restlessSinceMs ??= performance.now();
    const afterMs = this.#settleMs();
    if (this.#isLooking) this.#hasEvent = true;
    // A look that is due must not be put off by the next event.
    else if (!this.#isOverdue() || performance.now() + afterMs < this.#plannedAtMs) this.#plan(afterMs);
  }

  #isOverdue(): boolean {
    return this.#restlessMs() >= this.#options.maxSettleMs;
  }

  /** The quiet time to wait for, or what is left of the longest wait, in ms. */
  #settleMs(): number {
    const { settleMs, maxSettleMs } = this.#options;
    return Math.min(settleMs, Math.max(shortestMs, maxSettleMs - this.#restlessMs()));
  }

  #restlessMs(): number {
    return this.#restlessSinceMs === undefined ? 0 : performance.now() - this.#restlessSinceMs;
  }

  /** @returns the time until the next look, in ms */
  async #look(): Promise<number> {
    const { directory, pollMs } = this.#options;
    // Before the files are read: what changes after that is told.
    await this.#paths.follow(this.#files.paths);
    const inode = await inodeOf(directory);
    const texts = await this.#files.texts();
    if (this.#isClosed) return pollMs;
    if (isDeepStrictEqual(texts, this.#applied) && !this.#isGone) {
      this.#restlessSinceMs = undefined;
      return this.#retry(pollMs);
    }
    this.#restlessSinceMs ??= performance.now();
    this.#rounds = isDeepStrictEqual(texts, this.#texts) ? this.#rounds + 1 : 0;
    this.#texts = texts;
    if (this.#rounds < this.#roundsFor(texts)) return this.#settleMs();
    this.#rounds = 0;
    // A volume that is no longer mounted is no decision to go back to the defaults.
    if (inode === undefined && this.#applied?.some((text) => text !== undefined) === true) {
      this.#isGone = true;
      this.#store.fail(source, ConfigError.of(directory, 'is gone (expected: the folder of the configuration)'));
      return pollMs;
    }
    if (!(await this.#apply(texts, this.#isOverdue()))) return this.#settleMs();
    this.#restlessSinceMs = undefined;
    return pollMs;
  }

  // One that is found empty by chance amid rewriting must not be taken for emptied: it is waited for twice as long.
  #roundsFor(texts: readonly (string | undefined)[]): number {
    const isEmptied = texts.some((text, index) => (text ?? '') === '' && (this.#applied?.[index] ?? '') !== '');
    const longestMs = this.#options.maxSettleMs * (isEmptied ? 2 : 1);
    if (this.#restlessMs() >= longestMs) return 0;
    return isEmptied ? emptyRounds : 1;
  }

  /**
   * @param isOverdue  the files need not rest while they are read
   * @returns false where they should have, and did not
   */
  async #apply(texts: readonly (string | undefined)[], isOverdue: boolean): Promise<boolean> {
    const before = this.#applied;
    this.#rounds = 0;
    this.#applied = texts;
    this.#isGone = false;
    this.#refused = undefined;
    try {
      const layers = await this.#files.read();
      // Changed between the two reads: the next look sees it.
      if (!isOverdue && !isDeepStrictEqual(await this.#files.texts(), texts)) {
        this.#applied = before;
        return false;
      }
      this.#refused = layers;
      this.#store.apply(layers, { source });
      this.#refused = undefined;
    } catch (error) {
      this.#store.fail(source, error);
    }
    return true;
  }

  // What can be read and was kept out may be right when another source has changed, or a subscriber takes it now. The store
  // says once what is wrong with it.
  #retry(pollMs: number): number {
    if (this.#refused === undefined) return pollMs;
    try {
      this.#store.apply(this.#refused, { source });
      this.#refused = undefined;
    } catch {
      // The store has told why.
    }
    return pollMs;
  }
}
