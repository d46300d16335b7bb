import { isDeepStrictEqual } from 'node:util';
import { configPrefixes, configPrefixOf, type Live, type OptionsClass } from '../core/index.js';
import { BoundLive, readSection } from './binding.js';
import { ConfigError, type ConfigProblem } from './config.errors.js';
import { didYouMean } from './did-you-mean.js';
import {
  type ConfigLayer,
  type ConfigTree,
  isTree,
  type MergedConfig,
  mergeLayers,
  originOf,
  valueAt,
} from './layer.js';

/** A section of the configuration and the class that describes it. */
export type Section<T extends object = object> = readonly [prefix: string, options: OptionsClass<T>];

/** The `Live` values of a list of sections, in its order. */
export type LiveOf<S extends readonly Section[]> = {
  [K in keyof S]: S[K] extends Section<infer T> ? Live<T> : never;
};

/** A set of layers that was read and found good, not yet in force. */
interface Candidate {
  readonly layers: readonly ConfigLayer[];
  readonly merged: MergedConfig;
  readonly values: ReadonlyMap<BoundLive<object>, object>;
}

/** Called after a change of any value, with the whole configuration as it is now. */
export type ChangeListener = (tree: ConfigTree) => void;

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
  #layers: readonly ConfigLayer[];
  #merged: MergedConfig;
  #version = 1;

  constructor(env: string, layers: readonly ConfigLayer[]) {
    this.env = env;
    this.#layers = layers;
    this.#merged = mergeLayers(layers);
  }

  /** Number of the configuration in force: 1 at start, one more with every change. */
  get version(): number {
    return this.#version;
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
      const key = `${prefix} ${idOf(options)}`;
      const present = this.#bound.get(key) ?? added.get(key);
      if (present !== undefined) return present;
      const reading = readSection(prefix, options, this.#merged, foreignTo(prefix, prefixes));
      problems.push(...reading.problems);
      const live = new BoundLive(prefix, options, reading.value);
      added.set(key, live);
      return live;
    });
    if (problems.length > 0) throw new ConfigError(problems);
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

  /** The whole configuration as it is now, defaults of the bound classes included: a copy, secrets included. */
  tree(): ConfigTree {
    const tree = structuredClone(this.#merged.tree);
    // Outer sections first, so that an inner one overlays its part.
    const bound = [...this.#bound.values()].toSorted((a, b) => a.prefix.length - b.prefix.length);
    for (const { prefix, value } of bound) overlay(tree, prefix, plainCopy(value) as ConfigTree);
    return tree;
  }

  /**
   * What stands in the configuration although no class is bound to it, with a hint: most often a slip of the pen.
   * Code that reads by `get()` or `ConfigService` needs no class, so this is for a warning.
   */
  unclaimed(): string[] {
    const prefixes = [...this.#prefixes()];
    const roots = new Set(prefixes.map((prefix) => prefix.split('.')[0] as string));
    return Object.keys(this.#merged.tree)
      .filter((key) => !roots.has(key))
      .map((key) => {
        const near = didYouMean(key, roots);
        const source = originOf(this.#merged.origins, key)?.source ?? 'unknown';
        return `${key}: no class reads it (${near === undefined ? '' : `did you mean "${near}"?; `}from ${source})`;
      });
  }

  /** Calls `listener` after every change, after the subscribers of the sections. Returns the way to take it back. */
  onChange(listener: ChangeListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Puts `layer` in the place of the one with its name, or adds it. The new whole is read and validated for every bound
   * class; then all values change together, and only then are listeners told. Nobody sees half of it.
   *
   * @returns the number of the version now in force; unchanged when the layer says nothing new
   * @throws ConfigError nothing was changed
   * @internal sources of configuration and tests
   */
  replace(layer: ConfigLayer): number {
    const isKnown = this.#layers.some(({ name }) => name === layer.name);
    const layers = isKnown
      ? this.#layers.map((present) => (present.name === layer.name ? layer : present))
      : [...this.#layers, layer];
    this.#commit(this.#prepare(layers));
    return this.#version;
  }

  #prepare(layers: readonly ConfigLayer[]): Candidate {
    const merged = mergeLayers(layers);
    const prefixes = new Set([...configPrefixes(), ...this.#prefixes()]);
    const values = new Map<BoundLive<object>, object>();
    const problems: ConfigProblem[] = [];
    for (const live of this.#bound.values()) {
      const reading = readSection(live.prefix, live.options, merged, foreignTo(live.prefix, prefixes));
      problems.push(...reading.problems);
      if (!isDeepStrictEqual(reading.value, live.value)) values.set(live, reading.value);
    }
    if (problems.length > 0) throw new ConfigError(problems);
    return { layers, merged, values };
  }

  #commit({ layers, merged, values }: Candidate): void {
    const isSame = values.size === 0 && isDeepStrictEqual(merged.tree, this.#merged.tree);
    this.#layers = layers;
    this.#merged = merged;
    if (isSame) return;
    this.#version += 1;
    const tellers = [...values].map(([live, value]) => live.swap(value, warn));
    for (const tell of tellers) tell();
    const tree = this.#listeners.size === 0 ? {} : this.tree();
    for (const listener of [...this.#listeners]) {
      try {
        listener(tree);
      } catch (error) {
        warn(error);
      }
    }
  }

  #prefixes(): Set<string> {
    return new Set([...this.#bound.values()].map(({ prefix }) => prefix));
  }
}

/**
 * The section of a class that states its prefix.
 *
 * @throws Error the class has no `@ConfigPrefix`
 */
export function sectionOf<T extends object>(options: OptionsClass<T>): Section<T> {
  const prefix = configPrefixOf(options);
  if (prefix === undefined) throw new Error(`${options.name} has no @ConfigPrefix (expected: the section it reads)`);
  return [prefix, options];
}

const ids = new WeakMap<object, number>();
let lastId = 0;

// Two classes may bear the same name.
function idOf(options: OptionsClass): number {
  const id = ids.get(options) ?? ++lastId;
  ids.set(options, id);
  return id;
}

function foreignTo(prefix: string, prefixes: ReadonlySet<string>): (path: string) => boolean {
  const inner = [...prefixes].filter((other) => other.startsWith(`${prefix}.`));
  return (path) => inner.includes(path);
}

function overlay(tree: ConfigTree, prefix: string, value: ConfigTree): void {
  const keys = prefix.split('.');
  const last = keys.pop() as string;
  let node = tree;
  for (const key of keys) {
    const below = isTree(node[key]) ? node[key] : {};
    node[key] = below;
    node = below;
  }
  const present = node[last];
  node[last] = isTree(present) ? { ...present, ...value } : value;
}

function plainCopy(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plainCopy);
  if (!isTree(value)) return value;
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
  return Object.fromEntries(entries.map(([key, inner]) => [key, plainCopy(inner)]));
}

function warn(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : new Error(String(error)));
}
