import { type Live, type RequestEnd, requestEndChannel, Status } from '../core/index.js';
import type { ConfigOptions } from './config.options.js';
import type { ConfigCheckpoint, ConfigStore } from './config-store.js';
import { Probation } from './probation.js';

// Failures that a good request does not get from a service that works. What a caller did wrong says nothing of a change.
const ownFaults: ReadonlySet<number> = new Set([
  Status.Unknown,
  Status.DeadlineExceeded,
  Status.Internal,
  Status.Unavailable,
  Status.DataLoss,
]);

interface Trial {
  readonly probation: Probation;
  readonly sinceMs: number;
  readonly version: number;
  readonly centre: string;
  readonly timer: NodeJS.Timeout;
}

/**
 * Puts the last proven state of the configuration back when the requests after a change fail or are slow. A version is
 * proven when its time has passed; one that comes meanwhile begins the time anew, and what is put back is the state
 * before both. Does nothing while `config.probation.enabled` is false.
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
      store.onChange((_tree, { version, centre }) => this.#begin(version, centre)),
      requestEndChannel.subscribe((end) => this.#count(end)),
    ];
  }

  /** Ends the watch; what is in force stays. May be called twice. */
  close(): void {
    for (const leave of this.#leave.splice(0)) leave();
    this.#end();
  }

  #begin(version: number, centre: string): void {
    this.#end();
    const { probation } = this.#options.value;
    if (this.#isRestoring || !probation.enabled) {
      this.#prove();
      return;
    }
    const timer = setTimeout(() => this.#prove(), probation.durationMs).unref();
    this.#trial = { probation: new Probation(probation), sinceMs: performance.now(), version, centre, timer };
  }

  #prove(): void {
    this.#end();
    this.#proven = this.#store.checkpoint();
  }

  #end(): void {
    clearTimeout(this.#trial?.timer);
    this.#trial = undefined;
  }

  #count({ context, status, durationMs }: RequestEnd): void {
    const trial = this.#trial;
    // What began before the change was served by what was then.
    if (trial === undefined || context.isProbe || context.startedAtMs < trial.sinceMs) return;
    const breach = trial.probation.count({ isError: ownFaults.has(status), durationMs });
    if (breach !== undefined) this.#putBack(trial, breach);
  }

  #putBack({ version, centre }: Trial, breach: string): void {
    const { version: proven } = this.#proven;
    this.#end();
    this.#isRestoring = true;
    try {
      this.#store.restore(this.#proven, { source: 'probation' });
      // The source says something else than what is in force, until it brings something better.
      this.#store.fail(
        centre,
        new Error(`version ${version} did not stand its probation, ${proven} put back: ${breach}`),
      );
    } catch {
      // The store has told why, under `probation`: a subscriber refused to go back.
    } finally {
      this.#isRestoring = false;
    }
  }
}
