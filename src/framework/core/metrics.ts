/** How a figure behaves: a `counter` only grows, a `gauge` goes up and down, a `histogram` counts values by size. */
export type MetricType = 'counter' | 'gauge' | 'histogram';

/** One figure of a family, told apart from the others by its labels. */
export interface MetricSample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
  /** Appended to the family's name; for histograms: `_bucket`, `_sum`, `_count`. */
  readonly suffix?: '_bucket' | '_sum' | '_count';
}

/** Figures of one name, such as `rookery_connections` by state. */
export interface Metric {
  /** `rookery_<module>_<what>`, with `_total` for counters and the unit for others. */
  readonly name: string;
  /** One sentence, for people. */
  readonly help: string;
  readonly type: MetricType;
  readonly samples: readonly MetricSample[];
}

/** Tells its figures when it is asked; that costs nothing in between. */
export type MetricSource = () => readonly Metric[];

/** Where modules leave their figures, so that none of them needs to know who shows them. */
export class MetricRegistry {
  readonly #sources = new Set<MetricSource>();

  /** Returns the way to take `source` back. */
  register(source: MetricSource): () => void {
    this.#sources.add(source);
    return () => this.#sources.delete(source);
  }

  /** All figures as they are now, those of one name together. */
  collect(): readonly Metric[] {
    const byName = new Map<string, Metric>();
    for (const metric of [...this.#sources].flatMap((source) => source())) {
      const before = byName.get(metric.name);
      const samples = before === undefined ? metric.samples : [...before.samples, ...metric.samples];
      byName.set(metric.name, { ...metric, samples });
    }
    return [...byName.values()];
  }
}
