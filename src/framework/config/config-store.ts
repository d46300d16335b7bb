import { configPrefixes, type Live, type OptionsClass } from '../core/index.js';
import { BoundLive, readSection } from './binding.js';
import { askSubscribers, type Candidate, type Change, type ConfigCheckpoint } from './candidate.js';
import { differences, sinceStart, withReferences } from './config-diff.js';
import { type ChangeOrigin, type ConfigFailure, ConfigHistory, type ConfigVersion } from './config-history.js';
import { configChangeChannel, configFailureChannel } from './config.channels.js';
import { ConfigError, type ConfigProblem } from './config.errors.js';
import { type EffectiveValue, effectiveValues } from './effective-values.js';
import { HeldBack } from './held-back.js';
import { prepareRollback } from './kept-values.js';
import {
  type ConfigLayer,
  type ConfigTree,
  type MergedConfig,
  mergeLayers,
  originOf,
  valueAt,
  withLayers,
} from './layer.js';
import { resolveReferences } from './references.js';
import { foreignTo, type LiveOf, overlay, type Section, sectionKey, sectionOf } from './section.js';
import type { Environment } from './text-layers.js';
import { unclaimedKeys } from './unclaimed-keys.js';

/**
 * Called after a change of any value, with the whole configuration as it is now, secrets included, and what changed, with
 * secrets masked.
 */
export type ChangeListener = (tree: ConfigTree, version: ConfigVersion) => void;

/**
 * The configuration of the process: layers merged, sections read into their classes, changes published as a whole.
 *
 * @example
 * const store = await loadConfig();
 * const [server, limits] = store.bindAll([['server', ServerOptions], ['server.limits', LimitOptions]]);
 */
export class ConfigStore {
  /** Name of the environment: `development`, `production`, … */
  readonly env: string;
  readonly #bound = new Map<string, BoundLive<object>>();
  readonly #listeners = new Set<ChangeListener>();
  readonly #closers: (() => void | Promise<void>)[] = [];
  #layers: readonly ConfigLayer[];
  #merged: MergedConfig;
  #version = 1;
  readonly #history = new ConfigHistory();
  readonly #held = new HeldBack();
  #phase: 'idle' | 'asking' | 'telling' = 'idle';

  readonly #environment: Environment;

  /**
   * @param environment what `${NAME}` in a value refers to
   * @throws ConfigError a reference leads nowhere
   */
  constructor(env: string, layers: readonly ConfigLayer[], environment: Environment = {}) {
    this.env = env;
    this.#environment = environment;
    this.#layers = layers;
    this.#merged = resolveReferences(mergeLayers(layers), environment);
    this.#history.add(1, { source: 'start' }, [], 0);
  }

  /** Number of the effective configuration: 1 at start, one more with every change. */
  get version(): number {
    return this.#version;
  }

  /** The last 20 versions, the oldest first, with secrets masked. */
  get history(): readonly ConfigVersion[] {
    return this.#history.versions;
  }

  /** The sources whose last change was not applied, and why: the effective values are older than what they say. */
  get failures(): readonly ConfigFailure[] {
    return this.#history.failures;
  }

  /**
   * Reads the section at `prefix` into `options`: texts from the environment become what the class declares, keys that
   * the class does not know are errors, then class-validator has its say. Binding the same again gives the same `Live`.
   *
   * @throws ConfigError with all problems of the section
   */
  bind<T extends object>(prefix: string, options: OptionsClass<T>): Live<T> {
    const [live] = this.bindAll([[prefix, options]]);
    return live;
  }

  /**
   * Binds several sections at once, and reports the problems of all of them at once. A section may lie inside another
   * (`server.limits` in `server`): each of its keys belongs to the innermost one.
   *
   * @throws ConfigError nothing was bound then
   */
  bindAll<const S extends readonly Section[]>(sections: S): LiveOf<S> {
    const added = new Map<string, BoundLive<object>>();
    const problems: ConfigProblem[] = [];
    const prefixes = new Set([...configPrefixes(), ...this.#prefixes(), ...sections.map(([prefix]) => prefix)]);
    const lives = sections.map(([prefix, options]) => {
      const key = sectionKey([prefix, options]);
      const present = this.#bound.get(key) ?? added.get(key);
      if (present !== undefined) return present;
      const reading = readSection(prefix, options, this.#merged, foreignTo(prefix, prefixes), this.env);
      problems.push(...reading.problems);
      const live = new BoundLive(prefix, options, reading.value);
      added.set(key, live);
      return live;
    });
    if (problems.length > 0) throw new ConfigError(problems);
    // It would miss the change that is being prepared.
    if (added.size > 0 && this.#phase === 'asking')
      throw new Error('bound while a change is prepared (expected: earlier)');
    for (const [key, live] of added) this.#bound.set(key, live);
    return lives as unknown as LiveOf<S>;
  }

  /** Binds a class at the prefix it states by `@ConfigPrefix`. */
  of<T extends object>(options: OptionsClass<T>): Live<T> {
    return this.bind(sectionOf(options)[0], options);
  }

  /** The value at `path` as things stand: as its class reads it where one is bound, else as its source has it. */
  get(path: string): unknown {
    return valueAt(this.tree(), path);
  }

  /** Where the value at `path` comes from: file and line, variable, or `undefined` for a default. */
  sourceOf(path: string): string | undefined {
    return valueAt(this.#merged.tree, path) === undefined ? undefined : originOf(this.#merged.origins, path)?.source;
  }

  /** All effective values with their places, the defaults of the bound classes included, secrets masked. */
  effective(): EffectiveValue[] {
    return effectiveValues([...this.#bound.values()], this.#merged, this.env);
  }

  /** The whole configuration as it is now, defaults of the bound classes included: a copy, secrets included. */
  tree(): ConfigTree {
    const tree = structuredClone(this.#merged.tree);
    // Outer sections first, so that an inner one overlays its part.
    const bound = [...this.#bound.values()].toSorted((a, b) => a.prefix.length - b.prefix.length);
    for (const { prefix, value } of bound) overlay(tree, prefix, value);
    return tree;
  }

  /**
   * What stands in the configuration although no class is bound to it, with a hint: most often a slip of the pen.
   * Code that reads by `get()` or `ConfigService` needs no class, so this is for a warning.
   *
   * @param isRead tells the sections that somebody else reads
   */
  unclaimed(isRead?: (section: string) => boolean): string[] {
    return unclaimedKeys(this.#merged, this.#prefixes(), isRead);
  }

  /** Calls `listener` after every change, after the subscribers of the sections. Returns the way to take it back. */
  onChange(listener: ChangeListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Puts each layer in the place of the one with its name, or adds it, all as one change: the new whole is read and
   * validated for every bound class, every subscriber is asked, then all values change together, and only then are
   * listeners told. Nobody sees half of it. A source whose change fails is among the `failures` until one succeeds; a layer
   * that `restore()` has put back stays out, and its source among them, until it says something else.
   *
   * @returns the number of the version that is effective now; unchanged when the layers say nothing new
   * @throws ConfigError nothing was changed: something is wrong, or a subscriber refused
   * @throws Error called by a subscriber while it is asked or told
   */
  apply(layers: readonly ConfigLayer[], origin: ChangeOrigin): number {
    const admitted = this.#held.admitted(layers);
    const prepare = (): Candidate => this.#prepare(withLayers(this.#layers, admitted));
    const version = this.#change(origin, prepare, admitted.length === layers.length);
    this.#held.forget(admitted);
    return version;
  }

  /** As `apply()` of one layer, which is the source as well. @internal tests */
  replace(layer: ConfigLayer): number {
    return this.apply([layer], { source: layer.name });
  }

  /** What `restore()` can bring back. */
  checkpoint(): ConfigCheckpoint {
    return { version: this.#version, layers: this.#layers };
  }

  /**
   * Puts an earlier state back, as a new version, with the present secrets: those, and what is `@KeptOnRollback()`, keep
   * their values. Throws as `apply()` does, and where nothing but those differs.
   */
  restore(checkpoint: ConfigCheckpoint, origin: ChangeOrigin): number {
    const before = this.#layers;
    const version = this.#change(origin, () =>
      prepareRollback(checkpoint.layers, before, (layers) => this.#prepare(layers)),
    );
    this.#held.note(before, this.#layers);
    return version;
  }

  /** A source cannot be read: the effective values stay, and `failures` and the channel report it. */
  fail(source: string, error: unknown): void {
    const { failure, isNews } = this.#history.fail(source, error);
    // A source that tries again and again says it once.
    if (isNews) configFailureChannel.publish({ store: this, failure });
  }

  /** The source can be read again and says nothing that is not effective: it is not among the `failures` any more. */
  recover(source: string): void {
    this.#history.succeed(source);
  }

  /** Has `closer` called by `close()`. */
  onClose(closer: () => void | Promise<void>): void {
    this.#closers.push(closer);
  }

  /** Ends what keeps the configuration up to date, such as the connection to a centre; the values stay. May be called twice. */
  async close(): Promise<void> {
    await Promise.all(this.#closers.splice(0).map(async (close) => close()));
  }

  /** @param isWhole nothing of what the source says is held back */
  #change(origin: ChangeOrigin, prepare: () => Candidate, isWhole = true): number {
    const { source, centre = source } = origin;
    if (this.#phase !== 'idle') throw new Error('a subscriber changed the configuration (expected: after the change)');
    try {
      this.#phase = 'asking';
      const candidate = prepare();
      askSubscribers(candidate.changes);
      this.#phase = 'telling';
      this.#commit(candidate, origin);
      if (isWhole) this.#history.succeed(centre);
      return this.#version;
    } catch (error) {
      const placed = error instanceof ConfigError ? error.during(source === centre ? undefined : source) : error;
      if (origin.isProvisional !== true) this.fail(centre, placed);
      throw placed;
    } finally {
      this.#phase = 'idle';
    }
  }

  #prepare(layers: readonly ConfigLayer[]): Candidate {
    const merged = resolveReferences(mergeLayers(layers), this.#environment);
    const prefixes = new Set([...configPrefixes(), ...this.#prefixes()]);
    const changes: Change[] = [];
    const problems: ConfigProblem[] = [];
    const found = differences(this.#merged.tree, merged.tree, '').filter(({ path }) => !this.#isBound(path));
    for (const live of this.#bound.values()) {
      const reading = readSection(live.prefix, live.options, merged, foreignTo(live.prefix, prefixes), this.env);
      problems.push(...reading.problems);
      const differing = differences(live.value, reading.value, live.prefix);
      if (differing.length === 0) continue;
      changes.push({ live, value: reading.value, paths: differing.map(({ path }) => path) });
      found.push(...sinceStart(differing, differences(live.started, reading.value, live.prefix)));
    }
    if (problems.length > 0) throw new ConfigError(problems);
    return { layers, merged, changes, found: withReferences(found, this.#merged.origins, merged.origins) };
  }

  #commit({ layers, merged, changes, found }: Candidate, origin: ChangeOrigin): void {
    this.#layers = layers;
    this.#merged = merged;
    if (found.length === 0) return;
    this.#version += 1;
    if (origin.isStart === true) for (const { live, value } of changes) live.started = value;
    const tellers = changes.map(({ live, value, paths }) => live.swap(value, paths));
    const begin = performance.now();
    for (const tell of tellers) tell();
    const version = this.#history.add(this.#version, origin, found, performance.now() - begin);
    const tree = this.#listeners.size === 0 ? {} : this.tree();
    for (const listener of [...this.#listeners]) {
      try {
        listener(tree, version);
      } catch (error) {
        process.emitWarning(error instanceof Error ? error : new Error(String(error)));
      }
    }
    configChangeChannel.publish({ store: this, version });
  }

  #isBound(path: string): boolean {
    for (const { prefix } of this.#bound.values()) {
      if (path === prefix || path.startsWith(`${prefix}.`)) return true;
    }
    return false;
  }

  #prefixes(): Set<string> {
    return new Set([...this.#bound.values()].map(({ prefix }) => prefix));
  }
}
