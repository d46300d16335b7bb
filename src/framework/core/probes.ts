/** Which probe a check belongs to. Liveness says "restart me", readiness "send me nothing", startup "wait". */
export type ProbeKind = 'live' | 'ready' | 'startup';

/** A check that a module contributes, such as "the database answers". */
export interface Probe {
  /** Key in the probe's answer, such as `database`. */
  readonly name: string;
  readonly kinds: readonly ProbeKind[];
  /**
   * Resolves, with details for the answer if it likes, when all is well; rejects when not.
   * @param signal aborts after the probe's time limit
   */
  check(signal: AbortSignal): Promise<Readonly<Record<string, unknown>> | undefined>;
}

/** Where modules leave their probes, so that none of them needs to know who serves `/health`. */
export class ProbeRegistry {
  readonly #probes = new Map<string, Probe>();

  /** @throws Error a probe of that name is registered already */
  register(probe: Probe): () => void {
    if (this.#probes.has(probe.name)) throw new Error(`probe name already registered: ${probe.name}`);
    this.#probes.set(probe.name, probe);
    return () => this.#probes.delete(probe.name);
  }

  of(kind: ProbeKind): readonly Probe[] {
    return [...this.#probes.values()].filter((probe) => probe.kinds.includes(kind));
  }
}
