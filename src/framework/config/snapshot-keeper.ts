import type { RemoteContent } from './config.driver.js';
import { problemsIn } from './config-files.js';
import type { SnapshotStore } from './snapshot-store.js';

// A disk that is full now may have room later.
const retryMs = 30_000;
// What a disk that does not answer may cost the end of the process.
const closeMs = 500;

/** Keeps the snapshot up to date, however fast contents change: what comes during a write is written after it, the last only. */
export class SnapshotKeeper {
  readonly #store: SnapshotStore;
  readonly #onProblem: (message: string) => void;
  #next: readonly RemoteContent[] | undefined;
  #running: Promise<void> | undefined;
  #retry: NodeJS.Timeout | undefined;
  #problem: string | undefined;
  #failures = 0;
  #isClosed = false;

  /** @param onProblem told of a snapshot that cannot be written, once for each reason */
  constructor(store: SnapshotStore, onProblem: (message: string) => void) {
    this.#store = store;
    this.#onProblem = onProblem;
  }

  /** How many writes have failed. */
  get failures(): number {
    return this.#failures;
  }

  /** Writes these contents as soon as what is being written is. */
  keep(contents: readonly RemoteContent[]): void {
    if (this.#isClosed) return;
    clearTimeout(this.#retry);
    this.#next = contents;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  /** Ends with what is to be written on disk, or half a second later. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    if (this.#running === undefined) return;
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, closeMs);
    await Promise.race([this.#running, late.promise]);
    clearTimeout(timer);
  }

  async #run(): Promise<void> {
    while (this.#next !== undefined) {
      const contents = this.#next;
      this.#next = undefined;
      try {
        await this.#store.write(contents);
        this.#problem = undefined;
      } catch (error) {
        this.#fail(error, contents);
      }
    }
  }

  #fail(error: unknown, contents: readonly RemoteContent[]): void {
    this.#failures += 1;
    const message = problemsIn(error)
      .map((problem) => problem.message)
      .join('; ');
    if (message !== this.#problem) this.#onProblem(message);
    this.#problem = message;
    if (this.#isClosed || this.#next !== undefined) return;
    this.#retry = setTimeout(() => this.keep(contents), retryMs).unref();
  }
}
