import { type Difference, type PrintableChange, printable } from './config-diff.js';
import { ConfigError } from './config.errors.js';

/** One version of the configuration. Nothing in it is secret. */
export interface ConfigVersion {
  /** 1 at start, one more with every change, also one that puts an earlier state back. */
  readonly version: number;
  readonly at: Date;
  /** What brought it: `start`, `files`, the data ids that changed, such as `nacos:DEFAULT_GROUP/orders.yaml`. */
  readonly source: string;
  /** Who brought it, as among the failures: `start`, `files`, the name of a driver. */
  readonly centre: string;
  /** What changed, at most 100 values. */
  readonly changes: readonly PrintableChange[];
  /** How many more values changed. */
  readonly omitted: number;
  /** Paths among the changed that are taken over by the next start only; not those that are back at what the process runs with. */
  readonly needsRestart: readonly string[];
  /** Time that the subscribers took to be told, in ms: they hold up everything else meanwhile. */
  readonly tellMs: number;
}

/** Where a change comes from. */
export interface ChangeOrigin {
  /** For people, in history and log. */
  readonly source: string;
  /** Under which name it is among the failures until a change succeeds; the source without. */
  readonly centre?: string;
  /** A failure is not told: what is missing to make it right may be on its way. */
  readonly isProvisional?: boolean;
  /** Before the service has started: it begins with these values, also with those that need a restart. */
  readonly isStart?: boolean;
}

/** Why a source's last change was not applied. */
export interface ConfigFailure {
  readonly source: string;
  readonly at: Date;
  /** Ready to print: one line per problem, without any value: a secret may stand where nobody expects one. */
  readonly message: string;
}

const maxVersions = 20;
const maxChanges = 100;

/** The last 20 versions, and what is wrong with which source at present. */
export class ConfigHistory {
  #versions: readonly ConfigVersion[] = [];
  readonly #failures = new Map<string, ConfigFailure>();
  // With the values, so that another wrong value is news.
  readonly #saidInFull = new Map<string, string>();

  /** The oldest first. */
  get versions(): readonly ConfigVersion[] {
    return this.#versions;
  }

  /** One per source whose last attempt failed. */
  get failures(): readonly ConfigFailure[] {
    return [...this.#failures.values()];
  }

  add(
    version: number,
    { source, centre = source, isStart = false }: ChangeOrigin,
    found: readonly Difference[],
    tellMs: number,
  ): ConfigVersion {
    const entry: ConfigVersion = {
      version,
      at: new Date(),
      source,
      centre,
      changes: found.slice(0, maxChanges).map(printable),
      omitted: Math.max(0, found.length - maxChanges),
      needsRestart: found.filter(({ needsRestart }) => needsRestart && !isStart).map(({ path }) => path),
      tellMs,
    };
    this.#versions = [...this.#versions.slice(1 - maxVersions), entry];
    return entry;
  }

  /** @returns the failure, and whether it says something else than the one before */
  fail(source: string, error: unknown): { readonly failure: ConfigFailure; readonly isNews: boolean } {
    const failure = { source, at: new Date(), message: messageOf(error) };
    const inFull = error instanceof Error ? error.message : failure.message;
    const isNews = !this.#failures.has(source) || this.#saidInFull.get(source) !== inFull;
    this.#failures.set(source, failure);
    this.#saidInFull.set(source, inFull);
    return { failure, isNews };
  }

  succeed(source: string): void {
    this.#failures.delete(source);
    this.#saidInFull.delete(source);
  }
}

function messageOf(error: unknown): string {
  if (error instanceof ConfigError) return error.problems.map(({ message, masked }) => masked ?? message).join('\n');
  return error instanceof Error ? error.message : String(error);
}
