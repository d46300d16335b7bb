import { isLocalEnvironment, localDefaultsOf } from '../core/index.js';
import type { BoundLive } from './binding.js';
import { differences, printable, withReferences } from './config-diff.js';
import { type MergedConfig, originOf, valueAt } from './layer.js';

/** One effective value, as it may be printed. */
export interface EffectiveValue {
  readonly path: string;
  /** `***` for a secret. */
  readonly value: string;
  /** File and line, variable or argument; `default` where only the class says it, with the environment where that decides it. */
  readonly source: string;
}

/** All effective values by path: those of the bound classes, and what no class is bound to as its source has it. */
export function effectiveValues(
  bound: readonly BoundLive<object>[],
  merged: MergedConfig,
  env: string,
): EffectiveValue[] {
  const isBound = (path: string): boolean => bound.some(({ prefix }) => path.startsWith(`${prefix}.`));
  const found = [
    ...differences(undefined, merged.tree, '').filter(({ path }) => !isBound(path)),
    ...bound.flatMap(({ prefix, value }) => differences(undefined, value, prefix)),
  ];
  const byPath = new Map(
    withReferences(found, merged.origins)
      .filter(({ path }) => path !== '')
      .map((each) => [each.path, { ...printable(each), isSet: isSet(merged, each.path) }]),
  );
  const byEnvironment = new Set(
    bound.flatMap(({ prefix, options }) => [...localDefaultsOf(options).keys()].map((name) => `${prefix}.${name}`)),
  );
  const defaultOf = (path: string): string =>
    byEnvironment.has(path) && isLocalEnvironment(env) ? `default of ${env}` : 'default';
  return [...byPath.values()]
    .map(({ path, after, isSet: set }) => ({
      path,
      value: after,
      source: set ? (originOf(merged.origins, path)?.source ?? 'unknown') : defaultOf(path),
    }))
    .toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

// An item of a list is set where its list is; a nested text that held JSON, where the text is.
function isSet({ tree }: MergedConfig, path: string): boolean {
  const outer = path.replace(/\[.*$/, '');
  if (valueAt(tree, outer) !== undefined) return true;
  const keys = outer.split('.');
  return keys.some((_, length) => typeof valueAt(tree, keys.slice(0, length).join('.')) === 'string');
}
