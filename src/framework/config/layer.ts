/** A mapping of the configuration: nested plain objects, lists and scalars, as YAML and JSON know them. */
export type ConfigTree = { [key: string]: unknown };

/**
 * What a layer is. The order of the kinds is the order of precedence, later wins; layers of one kind keep the order in
 * which they were added.
 */
export type LayerKind = 'file' | 'remote' | 'environment' | 'arguments';

/** One source of configuration, parsed but not yet merged. `null` in the tree removes what lower layers say. */
export interface ConfigLayer {
  /** Name of the layer, unique in its store, such as `application` or `environment`. */
  readonly name: string;
  readonly kind: LayerKind;
  readonly tree: ConfigTree;
  /** Where each value stands, by path: `config/application.yaml:3`, `PORT`. */
  readonly sources: ReadonlyMap<string, string>;
  /** Its format knows texts only, as that of properties does. */
  readonly isText?: boolean;
}

/** Where a merged value comes from. */
export interface Origin {
  readonly source: string;
  /** Its layer knows text only: the value is to be read as what the config class expects. */
  readonly isText: boolean;
  /** What it says is taken as it is, without looking for references. */
  readonly isVerbatim: boolean;
  /** It comes from a centre: somebody's slip there is not to be in the log of every process. */
  readonly isRemote?: true;
  /** It refers to a secret, whatever it is called itself. */
  readonly isSecret?: true;
}

/** All layers merged. */
export interface MergedConfig {
  readonly tree: ConfigTree;
  readonly origins: ReadonlyMap<string, Origin>;
}

const kindOrder: readonly LayerKind[] = ['file', 'remote', 'environment', 'arguments'];

// They would reach the prototype of every object, or look as if they did.
const refusedKeys: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

/** Whether `key` may not stand anywhere in a configuration. */
export function isRefusedKey(key: string): boolean {
  return refusedKeys.has(key);
}

/** Whether a value is a mapping, which is merged key by key, and not a list or scalar, which is replaced. */
export function isTree(value: unknown): value is ConfigTree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `a.b` and `c` make `a.b.c`. */
export function joinPath(prefix: string, key: string): string {
  return prefix === '' ? key : `${prefix}.${key}`;
}

/** The value at `path`, or `undefined`. */
export function valueAt(tree: ConfigTree, path: string): unknown {
  let value: unknown = tree;
  for (const key of path.split('.')) {
    if (!isTree(value) || !Object.hasOwn(value, key)) return undefined;
    value = value[key];
  }
  return value;
}

/** Layers in the order of precedence, the weakest first. */
function inOrder(layers: readonly ConfigLayer[]): readonly ConfigLayer[] {
  return layers.toSorted((a, b) => kindOrder.indexOf(a.kind) - kindOrder.indexOf(b.kind));
}

/** `present` with each of `fresh` in the place of the one with its name, or behind. */
export function withLayers(present: readonly ConfigLayer[], fresh: readonly ConfigLayer[]): readonly ConfigLayer[] {
  const byName = new Map(present.map((layer) => [layer.name, layer]));
  for (const layer of fresh) byName.set(layer.name, layer);
  return [...byName.values()];
}

/** Merges layers, the weakest first: mappings key by key, lists and scalars replace, `null` removes. */
export function mergeLayers(layers: readonly ConfigLayer[]): MergedConfig {
  const tree: ConfigTree = {};
  const origins = new Map<string, Origin>();
  for (const layer of inOrder(layers)) mergeInto(tree, layer.tree, '', layer, origins);
  return { tree, origins };
}

function mergeInto(
  target: ConfigTree,
  from: ConfigTree,
  at: string,
  layer: ConfigLayer,
  origins: Map<string, Origin>,
): void {
  const isVerbatim = layer.kind === 'environment' || layer.kind === 'arguments';
  const isText = isVerbatim || layer.isText === true;
  const nature = { isText, isVerbatim, ...(layer.kind === 'remote' && ({ isRemote: true } as const)) };
  for (const [key, value] of Object.entries(from)) {
    if (isRefusedKey(key)) continue;
    const path = joinPath(at, key);
    const present = target[key];
    if (isTree(value) && isTree(present)) {
      mergeInto(present, value, path, layer, origins);
      continue;
    }
    forget(origins, path, present);
    delete target[key];
    if (value === null || value === undefined) continue;
    origins.set(path, { source: layer.sources.get(path) ?? layer.name, ...nature });
    if (!isTree(value)) {
      target[key] = structuredClone(value);
      recordItems(value, path, layer, nature, origins);
      continue;
    }
    const fresh: ConfigTree = {};
    target[key] = fresh;
    mergeInto(fresh, value, path, layer, origins);
  }
}

// Items of lists have places of their own, so that a message about `origins[3]` names its line.
function recordItems(
  value: unknown,
  at: string,
  layer: ConfigLayer,
  nature: Omit<Origin, 'source'>,
  origins: Map<string, Origin>,
): void {
  if (!Array.isArray(value) && !isTree(value)) return;
  for (const [key, item] of Object.entries(value)) {
    const path = Array.isArray(value) ? `${at}[${key}]` : joinPath(at, key);
    const source = layer.sources.get(path);
    if (source !== undefined) origins.set(path, { source, ...nature });
    recordItems(item, path, layer, nature, origins);
  }
}

// Only what held something below itself can have left places of its own.
function forget(origins: Map<string, Origin>, path: string, present: unknown): void {
  if (typeof present !== 'object' || present === null) return;
  for (const known of [...origins.keys()]) {
    if (known.startsWith(`${path}.`) || known.startsWith(`${path}[`)) origins.delete(known);
  }
}

/** Where the value at `path` comes from; for a value inside a list or an absent one, where its nearest holder does. */
export function originOf(origins: ReadonlyMap<string, Origin>, path: string): Origin | undefined {
  for (let at = path; at !== ''; at = at.slice(0, Math.max(0, at.search(/(\.[^.[\]]*|\[[^[\]]*\])$/)))) {
    const origin = origins.get(at);
    if (origin !== undefined) return origin;
  }
  return undefined;
}
