import { isDeepStrictEqual } from 'node:util';
import { readRegularFile } from '../core/index.js';
import { maxKeyFileBytes } from './key-file.js';

/** How key files are looked at. */
export interface KeyFilesPollInit {
  /** Calls with the paths that matter now. */
  readonly paths: () => readonly string[];
  /** Called when they hold something else than at the call before, and have held it for two looks; also at first. */
  readonly onChange: () => void;
  /** Time between two looks, in ms. */
  readonly everyMs: number;
}

/**
 * Notices that key files hold something else, however they were replaced: rewritten, renamed over, or by Kubernetes' swap of
 * `..data`. They are read, not watched: they have a few kilobytes, and network file systems tell of nothing.
 */
export class KeyFilesPoll {
  readonly #init: KeyFilesPollInit;
  #timer: NodeJS.Timeout | undefined;
  #known: readonly (string | undefined)[] | undefined;
  #seen: readonly (string | undefined)[] | undefined;
  #isClosed = false;

  constructor(init: KeyFilesPollInit) {
    this.#init = init;
    this.start();
  }

  /** Begins to look; again when other paths matter. Where there are none, nothing is done. */
  start(): void {
    clearTimeout(this.#timer);
    this.#known = undefined;
    this.#seen = undefined;
    if (!this.#isClosed && this.#init.paths().length > 0) void this.#look();
  }

  /** May be called twice. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  async #look(): Promise<void> {
    const paths = this.#init.paths();
    const texts = await Promise.all(paths.map(contentOf));
    if (this.#isClosed || !isDeepStrictEqual(paths, this.#init.paths())) return;
    const isSettled = isDeepStrictEqual(texts, this.#seen);
    this.#seen = texts;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#look(), this.#init.everyMs).unref();
    if (!isSettled || isDeepStrictEqual(texts, this.#known)) return;
    this.#known = texts;
    this.#init.onChange();
  }
}

/** `undefined` for what cannot be read. */
async function contentOf(path: string): Promise<string | undefined> {
  return readRegularFile(path, maxKeyFileBytes).then(
    (content) => content.toString('latin1'),
    () => undefined,
  );
}
