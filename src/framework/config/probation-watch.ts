import { type Live, type RequestEnd, requestEndChannel } from '../core/index.js';
import type { ConfigOptions } from './config.options.js';
import type { ConfigVersion } from './config-history.js';
import type { ConfigCheckpoint } from './candidate.js';
import type { ConfigStore } from './config-store.js';
import { Probation } from './probation.js';

interface Trial {
  readonly probation: Probation;
  readonly sinceMs: number;
  readonly version: number;
  /** Whose changes it is made of. */
  readonly centres: ReadonlySet<string>;
  readonly timer: NodeJS.Timeout;
}

/**
 * Puts the last proven state of the configuration back when the requests after a change fail or are slow. A version is
 * proven when its time has passed; one that comes meanwhile begins the time anew, and what is put back is the state
 * before both. A change of nothing but this section has nothing to prove: else a bad one that follows it would switch the
 * watch off. Does nothing while `config.probation.enabled` is false.
 *
 * Successes and the service's own faults count. What is a client's fault, another service's, or due to load says nothing of
 * a change, and counts on neither side: no client can bring a version down, and none can cover for one. For the same
 * reason only the time that the service itself took counts as latency.
 */
export class ProbationWatch {
  readonly #store: ConfigStore;
  readonly #options: Live<ConfigOptions>;
  readonly #leave: (() => void)[];
  #proven: ConfigCheckpoint;
  #trial: Trial | undefined;
  #isRestoring = false;

  constructor(store: ConfigStore, options: Live<ConfigOptions>) {
    this.#store = store;
    this.#options = options;
    this.#proven = store.checkpoint();
    this.#leave = [
      store.onChange((_tree, version) => this.#begin(version)),
      requestEndChannel.subscribe((end) => this.#count(end)),
    ];
  }

  /** Ends the watch; what is effective stays. May be called twice. */
  close(): void {
    for (const leave of this.#leave.splice(0)) leave();
    this.#end();
  }

  #begin(change: ConfigVersion): void {
    const { probation } = this.#options.value;
    const before = this.#trial;
    this.#end();
    if (this.#isRestoring || !probation.enabled || (before === undefined && isOfWatch(change))) {
      this.#prove();
      return;
    }
    const { version, centre } = change;
    const centres = new Set(before?.centres).add(centre);
    const timer = setTimeout(() => this.#prove(), probation.durationMs).unref();
    this.#trial = { probation: new Probation(probation), sinceMs: performance.now(), version, centres, timer };
  }

  #prove(): void {
    this.#end();
    this.#proven = this.#store.checkpoint();
  }

  #end(): void {
    clearTimeout(this.#trial?.timer);
    this.#trial = undefined;
  }

  #count({ context, fault, serviceMs }: RequestEnd): void {
    const trial = this.#trial;
    // What began before the change was served by what was then.
    if (trial === undefined || context.isProbe || context.startedAtMs < trial.sinceMs) return;
    if (fault !== undefined && fault !== 'service') return;
    const breach = trial.probation.count({ isError: fault === 'service', durationMs: serviceMs });
    if (breach !== undefined) this.#putBack(trial, breach);
  }

  #putBack({ version, centres }: Trial, breach: string): void {
    const { version: proven } = this.#proven;
    this.#end();
    this.#isRestoring = true;
    try {
      this.#store.restore(this.#proven, { source: 'probation' });
      // The sources say something else than what is effective, until they bring something better.
      const failure = new Error(`version ${version} did not stand its probation, ${proven} put back: ${breach}`);
      for (const centre of centres) this.#store.fail(centre, failure);
    } catch {
      // The store has told why, under `probation`: a subscriber refused to go back, or only secrets would have.
    } finally {
      this.#isRestoring = false;
    }
  }
}

function isOfWatch({ changes, omitted }: ConfigVersion): boolean {
  return omitted === 0 && changes.every(({ path }) => path.startsWith('config.probation'));
}
