import { isDeepStrictEqual } from 'node:util';
import type { ConfigService } from '@nestjs/config';
import { type ConfigTree, isTree } from './layer.js';
import { readScalar } from './text-value.js';

/**
 * Shows the effective values in `@nestjs/config`'s `ConfigService`. What `ConfigModule.forFeature(registerAs(…))` put there
 * counts as defaults: the effective values go over it, into the very object that is injected by its `KEY`.
 */
export class ConfigServiceMirror {
  readonly #service: ConfigService;
  /** What features say, by section. */
  readonly #features = new Map<string, ConfigTree>();
  #mirrored: ConfigTree;

  /** @param loaded what the service was filled with */
  constructor(service: ConfigService, loaded: ConfigTree) {
    this.#service = service;
    this.#mirrored = structuredClone(loaded);
  }

  /** Whether a feature reads this section. */
  has(section: string): boolean {
    return this.#features.has(section);
  }

  /** Makes the service show this. */
  show(tree: ConfigTree): void {
    const shown: ConfigTree = {};
    for (const key of new Set([...Object.keys(tree), ...Object.keys(this.#mirrored)])) {
      const held: unknown = this.#service.get([key] as unknown as string);
      if (isTree(held) && !isDeepStrictEqual(held, this.#mirrored[key])) this.#features.set(key, structuredClone(held));
      const feature = this.#features.get(key);
      const value = feature === undefined ? tree[key] : merged(feature, tree[key]);
      if (!isDeepStrictEqual(value, held)) this.#put(key, value, feature === undefined ? undefined : held);
      if (value !== undefined) shown[key] = structuredClone(value);
    }
    this.#mirrored = shown;
  }

  // `set()` copies what it gets under a plain name into process.env, as one string; under a path it does not.
  #put(key: string, value: unknown, held: unknown): void {
    const set = (path: string[], to: unknown): void => this.#service.set(path as unknown as string, to);
    if (!isTree(held) || !isTree(value) || Object.isFrozen(held)) return set([key], value);
    for (const name of new Set([...Object.keys(held), ...Object.keys(value)])) {
      if (!isDeepStrictEqual(held[name], value[name])) set([key, name], value[name]);
    }
  }
}

function merged(below: unknown, above: unknown): unknown {
  if (above === undefined) return structuredClone(below);
  if (!isTree(below) || !isTree(above)) return likeDefault(below, above);
  const tree: ConfigTree = {};
  for (const key of new Set([...Object.keys(below), ...Object.keys(above)])) tree[key] = merged(below[key], above[key]);
  return tree;
}

// The environment and properties have texts only, and there is no class here that says what they stand for.
function likeDefault(below: unknown, above: unknown): unknown {
  if (typeof above !== 'string') return above;
  if (typeof below === 'number') return readScalar(above, 'number');
  return typeof below === 'boolean' ? readScalar(above, 'boolean') : above;
}
