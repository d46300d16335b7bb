import { configPrefixOf, type Live, type OptionsClass } from '../core/index.js';
import { type ConfigTree, isTree } from './layer.js';

/** A section of the configuration and the class that describes it. */
export type Section<T extends object = object> = readonly [prefix: string, options: OptionsClass<T>];

/** The `Live` values of a list of sections, in its order. */
export type LiveOf<S extends readonly Section[]> = {
  [K in keyof S]: S[K] extends Section<infer T> ? Live<T> : never;
};

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

/** What tells sections apart: two classes may bear the same name. */
export function sectionKey([prefix, options]: Section): string {
  const id = ids.get(options) ?? ++lastId;
  ids.set(options, id);
  return `${prefix} ${id}`;
}

/** The paths inside `prefix` that are sections of their own. */
export function foreignTo(prefix: string, prefixes: ReadonlySet<string>): readonly string[] {
  return [...prefixes].filter((other) => other.startsWith(`${prefix}.`));
}

/** Puts the values of a section into a tree, as plain data, over what the tree has there. */
export function overlay(tree: ConfigTree, prefix: string, value: object): void {
  const keys = prefix.split('.');
  const last = keys.pop() as string;
  let node = tree;
  for (const key of keys) {
    const below = isTree(node[key]) ? node[key] : {};
    node[key] = below;
    node = below;
  }
  const present = node[last];
  const plain = plainCopy(value) as ConfigTree;
  node[last] = isTree(present) ? { ...present, ...plain } : plain;
}

function plainCopy(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plainCopy);
  if (!isTree(value)) return value;
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
  return Object.fromEntries(entries.map(([key, inner]) => [key, plainCopy(inner)]));
}
