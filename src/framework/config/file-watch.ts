import { type FSWatcher, watch } from 'node:fs';
import { stat } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { ConfigFiles } from './config-files.js';
import { ConfigError } from './config.errors.js';
import type { ConfigStore } from './config-store.js';
import type { ConfigLayer } from './layer.js';

/** Where the files are and how they are looked at. */
export interface FileWatchOptions {
  readonly directory: string;
  /** Quiet time after a change before the files are read, in ms. */
  readonly settleMs: number;
  /** Time after which they are read without a sign, in ms. */
  readonly pollMs: number;
}

const source = 'files';

// A writer empties a file first and then fills it: an empty one must stay so for this many quiet times.
const emptyRounds = 10;

/**
 * Makes the files of the configuration its centre: an edit is applied as one change, by whatever way it is made: rewriting,
 * renaming over, Kubernetes' swap of its `..data` link. The directory is watched, not the files, for all but the first
 * replace what a watched file was.
 *
 * Nothing half-written is applied: files are read when they have been left alone for `settleMs`, twice with the same
 * result. What is wrong is told to the store (`failures`), and the values in force stay.
 */
export class FileWatch {
  readonly #store: ConfigStore;
  readonly #options: FileWatchOptions;
  readonly #files: ConfigFiles;
  #watcher: FSWatcher | undefined;
  #watched: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #texts: readonly (string | undefined)[] = [];
  #applied: readonly (string | undefined)[] | undefined;
  /** What was read and kept out. */
  #refused: readonly ConfigLayer[] | undefined;
  #rounds = 0;
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

  /** Looks no more. What is in force stays. May be called twice. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#watcher?.close();
    await this.#running;
  }

  #plan(afterMs: number): void {
    clearTimeout(this.#timer);
    if (this.#isClosed) return;
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
    this.#plan(this.#hasEvent ? this.#options.settleMs : afterMs);
  }

  #onEvent(): void {
    // What is being looked at may be half of it.
    this.#rounds = 0;
    if (this.#isLooking) this.#hasEvent = true;
    else this.#plan(this.#options.settleMs);
  }

  /** @returns the time until the next look, in ms */
  async #look(): Promise<number> {
    const { directory, pollMs, settleMs } = this.#options;
    await this.#watchAgain();
    const texts = await this.#files.texts();
    if (this.#isClosed) return pollMs;
    if (isDeepStrictEqual(texts, this.#applied) && !this.#isGone) return this.#retry(pollMs);
    this.#rounds = isDeepStrictEqual(texts, this.#texts) ? this.#rounds + 1 : 0;
    this.#texts = texts;
    if (this.#rounds < this.#roundsFor(texts)) return settleMs;
    this.#rounds = 0;
    // A volume that is no longer mounted is no decision to go back to the defaults.
    if (this.#watched === undefined && this.#applied?.some((text) => text !== undefined) === true) {
      this.#isGone = true;
      this.#store.fail(source, ConfigError.of(directory, 'is gone (expected: the folder of the configuration)'));
      return pollMs;
    }
    await this.#apply(texts);
    return this.#applied === undefined ? settleMs : pollMs;
  }

  #roundsFor(texts: readonly (string | undefined)[]): number {
    return texts.some((text, index) => (text ?? '') === '' && (this.#applied?.[index] ?? '') !== '') ? emptyRounds : 1;
  }

  async #apply(texts: readonly (string | undefined)[]): Promise<void> {
    this.#rounds = 0;
    this.#applied = texts;
    this.#isGone = false;
    this.#refused = undefined;
    try {
      const layers = await this.#files.read();
      // Changed between the two reads: the next look sees it.
      if (!isDeepStrictEqual(await this.#files.texts(), texts)) {
        this.#applied = undefined;
        return;
      }
      this.#refused = layers;
      this.#store.apply(layers, { source });
      this.#refused = undefined;
    } catch (error) {
      this.#store.fail(source, error);
    }
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

  // A directory made anew is another one; one that was not there may have come.
  async #watchAgain(): Promise<void> {
    const inode = await stat(this.#options.directory).then(
      ({ ino }) => ino,
      () => undefined,
    );
    if (this.#isClosed || (inode === this.#watched && this.#watcher !== undefined)) return;
    this.#watcher?.close();
    this.#watcher = undefined;
    this.#watched = inode;
    if (inode === undefined) return;
    try {
      const watcher = watch(this.#options.directory, { persistent: false }, () => this.#onEvent());
      // It went away, or the system has no more watches: the poll goes on.
      watcher.on('error', () => {
        watcher.close();
        if (this.#watcher === watcher) this.#watcher = undefined;
      });
      this.#watcher = watcher;
    } catch {
      this.#watched = undefined;
    }
  }
}
