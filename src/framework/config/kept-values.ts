import type { Candidate } from './candidate.js';
import { ConfigError } from './config.errors.js';
import { type ConfigLayer, type ConfigTree, isTree } from './layer.js';

/**
 * Reads the layers of an earlier state with the present values of all that a rollback keeps: a secret that was replaced
 * because it leaked must not come back because something else went wrong at the same time.
 *
 * @param prepare reads layers as a change from the present state
 * @throws ConfigError the earlier state is not valid with the present secrets, or would bring an earlier one back by a reference
 * @throws Error nothing but kept values differs
 */
export function prepareRollback(
  earlier: readonly ConfigLayer[],
  present: readonly ConfigLayer[],
  prepare: (layers: readonly ConfigLayer[]) => Candidate,
): Candidate {
  const plain = prepare(earlier);
  const paths = plain.found.filter(({ isKept }) => isKept).map(({ path }) => path);
  if (paths.length === 0) return plain;
  const candidate = prepare(withPresentValues(earlier, present, paths));
  const lost = candidate.found.find(({ isKept }) => isKept);
  if (lost !== undefined) {
    throw ConfigError.of(
      lost.path,
      'would take an earlier secret up again (expected: the present one; nothing was put back)',
    );
  }
  if (candidate.found.length === 0) throw new Error('nothing to put back: secrets and keys keep their present values');
  return candidate;
}

/** `earlier` with what `present` says at `paths`, layer by layer. */
export function withPresentValues(
  earlier: readonly ConfigLayer[],
  present: readonly ConfigLayer[],
  paths: readonly string[],
): readonly ConfigLayer[] {
  const names = new Set([...earlier, ...present].map(({ name }) => name));
  const find = (layers: readonly ConfigLayer[], name: string) => layers.find((layer) => layer.name === name);
  return [...names].flatMap((name) => {
    const [old, fresh] = [find(earlier, name), find(present, name)];
    const layer = paths.reduce<ConfigLayer | undefined>((kept, path) => withValue(kept, fresh, path), old);
    return layer === undefined ? [] : [layer];
  });
}

// Takes over the value at `path`, or at the nearest holder that is one value: a list, a text that holds JSON, a reference.
function withValue(
  old: ConfigLayer | undefined,
  fresh: ConfigLayer | undefined,
  path: string,
): ConfigLayer | undefined {
  const keys = anchorOf(path, old?.tree, fresh?.tree);
  const before = at(old?.tree, keys);
  const after = at(fresh?.tree, keys);
  if (before === after) return old;
  const base = old ?? { ...(fresh as ConfigLayer), tree: {}, sources: new Map<string, string>() };
  const anchor = keys.join('.');
  const isInside = (each: string): boolean =>
    each === anchor || each.startsWith(`${anchor}.`) || each.startsWith(`${anchor}[`);
  const sources = new Map([
    ...[...base.sources].filter(([each]) => !isInside(each)),
    ...[...(fresh?.sources ?? [])].filter(([each]) => isInside(each)),
  ]);
  return { ...base, tree: replaced(base.tree, keys, after), sources };
}

function anchorOf(path: string, ...trees: readonly (ConfigTree | undefined)[]): readonly string[] {
  const keys = path.replace(/\[.*$/, '').split('.');
  for (let length = 1; length < keys.length; length += 1) {
    const holder = keys.slice(0, length);
    const isValue = (value: unknown): boolean => value !== undefined && !isTree(value);
    if (trees.some((tree) => isValue(at(tree, holder)))) return holder;
  }
  return keys;
}

function at(tree: ConfigTree | undefined, keys: readonly string[]): unknown {
  let value: unknown = tree;
  for (const key of keys) value = isTree(value) && Object.hasOwn(value, key) ? value[key] : undefined;
  return value;
}

function replaced(tree: ConfigTree, [key = '', ...rest]: readonly string[], value: unknown): ConfigTree {
  const copy = { ...tree };
  if (rest.length > 0) {
    const inner = at(tree, [key]);
    copy[key] = replaced(isTree(inner) ? inner : {}, rest, value);
  } else if (value === undefined) delete copy[key];
  else copy[key] = value;
  return copy;
}
