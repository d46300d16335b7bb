import type { Live, Metric, MetricRegistry, ProbeRegistry } from '../core/index.js';
import { configChangeChannel, configFailureChannel } from './config.channels.js';
import type { ConfigOptions } from './config.options.js';
import type { ConfigFailure } from './config-history.js';
import type { ConfigStore } from './config-store.js';
import { FileWatch } from './file-watch.js';
import { ProbationWatch } from './probation-watch.js';
import { RemoteSource, type RemoteState } from './remote-source.js';

/** What a configuration centre needs of its surroundings. */
export interface ConfigCentreInit {
  readonly store: ConfigStore;
  readonly options: Live<ConfigOptions>;
  /** Folder of the files to watch; none where nothing is to be watched. */
  readonly directory: string | undefined;
  readonly probes: ProbeRegistry | undefined;
  readonly metrics: MetricRegistry | undefined;
  readonly log: { readonly info: (line: string) => void; readonly warn: (line: string) => void };
}

/**
 * Keeps the configuration of a running process up to date: watches the files, takes bad changes back, and tells log, metrics
 * and readiness how things stand. What a source could not bring does not make the process unready: the last good values serve.
 */
export class ConfigCentre {
  readonly #init: ConfigCentreInit;
  #closers: (() => void | Promise<void>)[] = [];
  #failures = 0;
  /** The sections without a reader that have been reported. */
  #unclaimed: ReadonlySet<string> = new Set();

  constructor(init: ConfigCentreInit) {
    this.#init = init;
  }

  /**
   * Begins to watch and to tell.
   *
   * @param isRead whether a section that no class is bound to has another reader
   */
  start(isRead: (section: string) => boolean = () => false): void {
    const { store, options, directory, probes, metrics, log } = this.#init;
    this.#warnOfUnclaimed(isRead);
    this.#closers.push(
      configChangeChannel.subscribe(({ store: from, version: { version, source, changes, omitted, needsRestart } }) => {
        if (from !== store) return;
        const shown = changes.slice(0, 10).map(({ path, before, after }) => `${path}: ${before} -> ${after}`);
        const more = changes.length - shown.length + omitted;
        log.info(`version ${version} from ${source}: ${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}`);
        if (needsRestart.length > 0) log.warn(`taken over by the next start only: ${needsRestart.join(', ')}`);
        this.#warnOfUnclaimed(isRead);
      }),
      configFailureChannel.subscribe(({ store: from, failure }) => {
        if (from !== store) return;
        this.#failures += 1;
        log.warn(this.#line(failure));
      }),
    );
    if (probes !== undefined) {
      const check = (): Promise<Record<string, unknown>> => Promise.resolve(this.#details());
      this.#closers.push(probes.register({ name: 'config', kinds: ['ready'], check }));
    }
    if (metrics !== undefined) this.#closers.push(metrics.register(() => this.#metrics()));
    // Of the start itself, when nobody listened.
    for (const failure of store.failures) {
      this.#failures += 1;
      log.warn(this.#line(failure));
    }
    RemoteSource.of(store)?.watch(log);
    const probation = new ProbationWatch(store, options);
    this.#closers.push(() => probation.close());
    const { watch, settleMs, maxSettleMs, pollMs } = options.value;
    if (directory === undefined || !watch) return;
    const files = new FileWatch(store, { directory, settleMs, maxSettleMs, pollMs });
    this.#closers.push(() => files.close());
  }

  /** Ends all of it; the values stay. May be called twice. */
  async close(): Promise<void> {
    await Promise.all(this.#closers.splice(0).map(async (close) => close()));
  }

  // Each section once for as long as it is there: every change would repeat the slips of all others.
  #warnOfUnclaimed(isRead: (section: string) => boolean): void {
    const { store, log } = this.#init;
    const present = new Set<string>();
    const lines = store.unclaimed((section) => {
      if (isRead(section)) return true;
      present.add(section);
      return this.#unclaimed.has(section);
    });
    this.#unclaimed = present;
    for (const line of lines) log.warn(line);
  }

  #line({ source, message }: ConfigFailure): string {
    const from = message.startsWith(`${source}:`) ? '' : `${source}: `;
    return `version ${this.#init.store.version} stays; ${from}${message}`;
  }

  // Names of sources only: whoever asks for the probe needs no token.
  #details(): Record<string, unknown> {
    const { store } = this.#init;
    const { version, failures } = store;
    const remote = RemoteSource.of(store)?.state;
    return {
      version,
      ...(failures.length > 0 && { stale: failures.map(({ source }) => source) }),
      ...(remote !== undefined && { [remote.name]: centreDetails(remote) }),
    };
  }

  #metrics(): readonly Metric[] {
    const { version, failures } = this.#init.store;
    const remote = RemoteSource.of(this.#init.store)?.state;
    return [
      ...(remote === undefined ? [] : centreMetrics(remote)),
      {
        name: 'rookery_config_version',
        help: 'Number of the effective configuration: 1 at start, one more with every change.',
        type: 'gauge',
        samples: [{ value: version }],
      },
      {
        name: 'rookery_config_failures_total',
        help: 'Changes of the configuration that were not applied, and sources that could not be read.',
        type: 'counter',
        samples: [{ value: this.#failures }],
      },
      {
        name: 'rookery_config_stale_sources',
        help: 'Sources that differ from the effective configuration, because what they say could not be applied.',
        type: 'gauge',
        samples: [{ value: failures.length }],
      },
    ];
  }
}

function centreDetails({ isReachable, serving, snapshotAt }: RemoteState): Record<string, unknown> {
  return { isReachable, serving, ...(snapshotAt !== undefined && { snapshotAt: snapshotAt.toISOString() }) };
}

function centreMetrics({ name, isReachable, serving, snapshotFailures }: RemoteState): readonly Metric[] {
  const labels = { centre: name };
  return [
    {
      name: 'rookery_config_centre_up',
      help: 'Whether the configuration centre can be reached.',
      type: 'gauge',
      samples: [{ labels, value: isReachable ? 1 : 0 }],
    },
    {
      name: 'rookery_config_snapshot_serves',
      help: 'Whether the effective values come from the snapshot on disk, because the centre had none to begin with.',
      type: 'gauge',
      samples: [{ labels, value: serving === 'snapshot' ? 1 : 0 }],
    },
    {
      name: 'rookery_config_snapshot_failures_total',
      help: 'Snapshots that could not be written.',
      type: 'counter',
      samples: [{ labels, value: snapshotFailures }],
    },
  ];
}
