import { plainToInstance } from 'class-transformer';
import { validateSync } from 'class-validator';
import {
  isLocalEnvironment,
  LiveValue,
  localDefaultsOf,
  movedOption,
  type OptionsClass,
  spellingsOf,
} from '../core/index.js';
import type { ConfigProblem } from './config.errors.js';
import { type ConfigTree, isTree, joinPath, type MergedConfig, originOf, valueAt } from './layer.js';
import { OptionsShape } from './options-shape.js';
import { movedKey, problemsOf, unknownKey } from './problem.js';
import { readText } from './text-value.js';

/** A section read into its class, and what is wrong with it. */
export interface Reading<T> {
  readonly value: T;
  readonly problems: readonly ConfigProblem[];
}

/**
 * Reads the section at `prefix` into a new, frozen instance of `options`.
 *
 * @param foreign the paths below that other classes are bound to: they are neither unknown nor read
 * @param env the environment's name, by which some defaults differ
 */
export function readSection<T extends object>(
  prefix: string,
  options: OptionsClass<T>,
  merged: MergedConfig,
  foreign: readonly string[],
  env: string,
): Reading<T> {
  const section = valueAt(merged.tree, prefix);
  if (section !== undefined && !isTree(section)) {
    const source = originOf(merged.origins, prefix)?.source;
    const message = `${prefix}: not a mapping (expected: keys below it${source === undefined ? '' : `; from ${source}`})`;
    return { value: new options(), problems: [{ path: prefix, message, source }] };
  }
  return new SectionReader(merged, foreign).read(prefix, options, completed(options, section ?? {}, env));
}

// A copy of `section` with values in their own words, and the defaults of the environment where nothing is said.
function completed(options: OptionsClass, section: ConfigTree, env: string): ConfigTree {
  const copy = { ...section };
  for (const [name, words] of spellingsOf(options)) {
    const word = String(copy[name]).trim().toLowerCase();
    if (!Object.hasOwn(copy, name) || !Object.hasOwn(words, word)) continue;
    const value = words[word];
    if (value === undefined) delete copy[name];
    else copy[name] = value;
  }
  if (!isLocalEnvironment(env)) return copy;
  for (const [name, value] of localDefaultsOf(options)) if (!Object.hasOwn(copy, name)) copy[name] = value;
  return copy;
}

class SectionReader {
  readonly #problems: ConfigProblem[] = [];
  #hasGrown = false;

  constructor(
    readonly merged: MergedConfig,
    readonly foreign: readonly string[],
  ) {}

  read<T extends object>(prefix: string, options: OptionsClass<T>, section: ConfigTree): Reading<T> {
    // A first instance shows which class stands at which place, which tells how to read texts. A text that held JSON
    // brings new places, so they are looked at in a second round.
    let prepared = section;
    do {
      this.#hasGrown = false;
      prepared = this.#prepare(prepared, instantiate(options, prepared), prefix) as ConfigTree;
    } while (this.#hasGrown);
    const value = instantiate(options, prepared);
    // A class without any rule is one that class-validator does not know; without any property it needs none.
    const isEmpty = OptionsShape.of(options).properties.size === 0;
    const errors = isEmpty ? [] : validateSync(value, { forbidUnknownValues: true, whitelist: false });
    const problems = [...this.#problems, ...problemsOf(errors, prefix, this.merged.origins)];
    return { value: freeze(value), problems };
  }

  // A copy of `plain` with texts read and foreign sections left out. Unknown keys are reported on the way, and left out.
  #prepare(plain: unknown, sketch: unknown, at: string): unknown {
    if (Array.isArray(plain)) {
      return plain.map((item, index) =>
        this.#prepare(item, Array.isArray(sketch) ? sketch[index] : undefined, `${at}[${index}]`),
      );
    }
    if (!isTree(plain)) return plain;
    const options = classOf(sketch);
    const shape = options === undefined ? undefined : OptionsShape.of(options);
    const copy: ConfigTree = {};
    for (const [key, value] of Object.entries(plain)) {
      const path = joinPath(at, key);
      if (this.foreign.includes(path)) continue;
      if (shape !== undefined && !shape.properties.has(key)) {
        const moved = options === undefined ? undefined : movedOption(options, key);
        this.#problems.push(
          moved === undefined
            ? unknownKey(at, key, [...shape.properties, ...this.#sectionsAt(at)], this.merged.origins)
            : movedKey(path, moved, this.merged.origins),
        );
        continue;
      }
      if (typeof value === 'string' && shape !== undefined) copy[key] = this.#text(value, key, path, shape);
      else copy[key] = this.#prepare(value, (sketch as ConfigTree | undefined)?.[key], path);
    }
    return copy;
  }

  /** Names of the sections right below `at`. */
  #sectionsAt(at: string): string[] {
    const inside = this.foreign.filter((path) => path.startsWith(`${at}.`)).map((path) => path.slice(at.length + 1));
    return inside.map((path) => path.split('.', 1)[0] as string);
  }

  #text(text: string, key: string, path: string, shape: OptionsShape): unknown {
    if (originOf(this.merged.origins, path)?.isText !== true) return text;
    const value = readText(text, key, shape);
    this.#hasGrown ||= typeof value === 'object';
    return value;
  }
}

function instantiate<T extends object>(options: OptionsClass<T>, plain: ConfigTree): T {
  return plainToInstance(options, plain, { exposeDefaultValues: true });
}

// `undefined` for what has no class of its own, such as a record: any key is known there.
function classOf(value: unknown): OptionsClass | undefined {
  if (!isTree(value)) return undefined;
  const { constructor } = value;
  return typeof constructor === 'function' && constructor !== Object ? (constructor as OptionsClass) : undefined;
}

function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const inner of Object.values(value)) freeze(inner);
  return value;
}

/** The `Live` of one section. */
export class BoundLive<T extends object> extends LiveValue<T> {
  readonly prefix: string;
  readonly options: OptionsClass<T>;
  /** What the process began with, and what those of its options that need a restart still have. */
  started: T;

  constructor(prefix: string, options: OptionsClass<T>, value: T) {
    super(value);
    this.prefix = prefix;
    this.options = options;
    this.started = value;
  }
}
