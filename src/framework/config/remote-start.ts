import type { ConfigDriver, RemoteContent } from './config.driver.js';
import { ConfigError } from './config.errors.js';
import { problemsIn } from './config-files.js';
import type { ConfigLayer } from './layer.js';
import { isReachable } from './reachable.js';
import { remoteLayers } from './remote-layers.js';
import type { SnapshotStore } from './snapshot-store.js';

/** What the effective contents come from: the config server itself, the snapshot, or neither. */
export type RemoteServing = 'centre' | 'snapshot' | 'nothing';

/** How a start goes about it. */
export interface RemoteStartOptions {
  readonly driver: ConfigDriver;
  /** Where the last good content is. */
  readonly snapshot: SnapshotStore | undefined;
  /** Whether a start fails that has neither. */
  readonly required: boolean;
  /** Time for the centre, in ms, where there is nothing else to begin with. */
  readonly timeoutMs: number;
  /** Time, in ms, for the centre to take a connection, and to answer, where there is. */
  readonly fallBackAfterMs: { readonly connect: number; readonly answer: number };
}

/** Contents that were read and are in layers. */
export interface GoodContents {
  readonly contents: readonly RemoteContent[];
  readonly layers: readonly ConfigLayer[];
}

/** What a start begins with. */
export interface RemoteStart extends GoodContents {
  readonly serving: RemoteServing;
  readonly isReachable: boolean;
  /** What is on disk, whether it serves or not. */
  readonly snapshot: (GoodContents & { readonly at: Date }) | undefined;
  /** Why the centre itself does not serve. */
  readonly failure: Error | undefined;
  /** What the centre has, where it can be read and does not serve. */
  readonly refused?: readonly RemoteContent[];
  /** What is wrong with the snapshot. */
  readonly snapshotProblem: string | undefined;
}

/**
 * Reads the contents to begin with: those of the centre, else the last good ones on disk, else none, if that will do.
 *
 * @throws ConfigError neither can serve and `required` is true
 */
export async function readRemote(options: RemoteStartOptions): Promise<RemoteStart> {
  const { driver, required } = options;
  const reading = new Reading(options);
  const { snapshot, snapshotProblem } = await readSnapshot(options);
  const common = { snapshot, snapshotProblem };
  let isUp = false;
  try {
    const contents = await reading.contents(snapshot !== undefined || !required);
    isUp = true;
    const layers = remoteLayers(driver.name, contents, snapshot?.layers);
    return { ...common, serving: 'centre', isReachable: true, contents, layers, failure: undefined };
  } catch (error) {
    const failure = error instanceof Error ? error : new Error(String(error));
    if (snapshot === undefined && required) throw refusal(driver.name, failure, snapshotProblem);
    const serving = snapshot === undefined ? 'nothing' : 'snapshot';
    const { contents, layers } = snapshot ?? { contents: [], layers: [] };
    return { ...common, serving, isReachable: isUp, contents, layers, failure };
  }
}

/** Asks the centre from the beginning on, as it is only known a little later how long there is to wait. */
class Reading {
  readonly #options: RemoteStartOptions;
  readonly #end = new AbortController();
  readonly #result: Promise<readonly RemoteContent[]>;
  readonly #startedAt = performance.now();

  constructor(options: RemoteStartOptions) {
    this.#options = options;
    this.#result = options.driver.read(this.#end.signal);
    // Waited for a little later.
    this.#result.catch(() => {});
  }

  /** @param canDoWithout there is something else to begin with: nobody waits for a server that is not there */
  async contents(canDoWithout: boolean): Promise<readonly RemoteContent[]> {
    const { driver, fallBackAfterMs, timeoutMs } = this.#options;
    const limitMs = canDoWithout ? Math.min(fallBackAfterMs.answer, timeoutMs) : timeoutMs;
    const from = driver.endpoints.map(({ host, port }) => `${host}:${port}`).join(', ');
    const late = new Error(`no answer from ${from} within ${limitMs} ms`);
    const leftMs = Math.max(1, limitMs - (performance.now() - this.#startedAt));
    const timer = setTimeout(() => this.#end.abort(late), leftMs);
    if (canDoWithout) {
      void isReachable(driver.endpoints, fallBackAfterMs.connect).then((isUp) => {
        if (!isUp) this.#end.abort(new Error(`no connection to ${from} within ${fallBackAfterMs.connect} ms`));
      });
    }
    try {
      return await this.#result;
    } finally {
      clearTimeout(timer);
    }
  }
}

async function readSnapshot({
  driver,
  snapshot: store,
}: RemoteStartOptions): Promise<Pick<RemoteStart, 'snapshot' | 'snapshotProblem'>> {
  try {
    const found = await store?.read();
    if (found !== undefined) await driver.prepare?.(found.contents);
    const snapshot = found && { ...found, layers: remoteLayers(driver.name, found.contents) };
    return { snapshot, snapshotProblem: undefined };
  } catch (error) {
    const snapshotProblem = problemsIn(error)
      .map(({ message }) => message)
      .join('; ');
    return { snapshot: undefined, snapshotProblem };
  }
}

function refusal(name: string, failure: Error, snapshotProblem: string | undefined): Error {
  if (failure instanceof ConfigError) return failure;
  const snapshot = snapshotProblem === undefined ? 'there is no snapshot' : snapshotProblem;
  const message = failure.message.startsWith(`${name}: `) ? failure.message.slice(name.length + 2) : failure.message;
  return ConfigError.of(name, `${message}; ${snapshot} (expected: one of both, or ${name}.required: false)`);
}
