import { type Live, type Probe, probeChangeChannel, type ProbeKind, type ProbeRegistry } from '../core/index.js';
import type { HealthOptions } from './health.options.js';

/** What became of one probe. */
export interface ProbeResult {
  readonly name: string;
  readonly isUp: boolean;
  /** What the probe itself has to say, for everybody to read; never the text of an error. */
  readonly details: Readonly<Record<string, unknown>>;
}

interface Entry {
  readonly probe: Probe;
  readonly result: Promise<ProbeResult>;
  /** On the clock of `performance.now()`; never while it runs, so that there is one check at a time. */
  endedAtMs: number;
}

/**
 * Runs probes, each with a time limit, once for however many ask at the same time and for a while after. A check that
 * ignores its signal and hangs is not started a second time beside itself.
 */
export class ProbeRunner {
  readonly #registry: ProbeRegistry;
  readonly #options: Live<HealthOptions>;
  readonly #entries = new Map<string, Entry>();
  readonly #hanging = new Set<Probe>();
  readonly #wasUp = new Map<string, boolean>();

  constructor(registry: ProbeRegistry, options: Live<HealthOptions>) {
    this.#registry = registry;
    this.#options = options;
  }

  /** The results of all probes of a kind, in the order of their registration. Never rejects. */
  run(kind: ProbeKind): Promise<readonly ProbeResult[]> {
    return Promise.all(this.#registry.of(kind).map((probe) => this.#result(probe)));
  }

  #result(probe: Probe): Promise<ProbeResult> {
    const present = this.#entries.get(probe.name);
    if (present?.probe === probe && performance.now() < present.endedAtMs + this.#options.value.cacheMs) {
      return present.result;
    }
    const entry: Entry = { probe, result: this.#check(probe), endedAtMs: Number.POSITIVE_INFINITY };
    this.#entries.set(probe.name, entry);
    void entry.result.then(() => {
      entry.endedAtMs = performance.now();
    });
    return entry.result;
  }

  async #check(probe: Probe): Promise<ProbeResult> {
    try {
      const details = await this.#withinLimit(probe);
      this.#tell(probe.name, true, undefined);
      return { name: probe.name, isUp: true, details: details ?? {} };
    } catch (error) {
      this.#tell(probe.name, false, error);
      return {
        name: probe.name,
        isUp: false,
        details: error instanceof ProbeTimeout ? { timeoutMs: error.limitMs } : {},
      };
    }
  }

  async #withinLimit(probe: Probe): Promise<Readonly<Record<string, unknown>> | undefined> {
    const limitMs = this.#options.value.probeTimeoutMs;
    if (this.#hanging.has(probe)) throw new ProbeTimeout(limitMs);
    const controller = new AbortController();
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      const timeout = new ProbeTimeout(limitMs);
      late.reject(timeout);
      controller.abort(timeout);
    }, limitMs);
    this.#hanging.add(probe);
    // Through a promise, so that a check that throws at once is a check that failed.
    const check = Promise.resolve()
      .then(() => probe.check(controller.signal))
      .finally(() => this.#hanging.delete(probe));
    try {
      return await Promise.race([check, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  #tell(name: string, isUp: boolean, error: unknown): void {
    // The first outcome is news only if it is bad.
    if ((this.#wasUp.get(name) ?? true) === isUp) {
      this.#wasUp.set(name, isUp);
      return;
    }
    this.#wasUp.set(name, isUp);
    if (probeChangeChannel.hasSubscribers) probeChangeChannel.publish({ name, isUp, error });
  }
}

class ProbeTimeout extends Error {
  constructor(readonly limitMs: number) {
    super(`no answer within ${limitMs} ms`);
  }
}
