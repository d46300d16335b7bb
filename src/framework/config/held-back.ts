import { isDeepStrictEqual } from 'node:util';
import type { ConfigLayer } from './layer.js';

/** Layers that were put back. Each stays out until its source says something else, whatever else changes meanwhile. */
export class HeldBack {
  #layers: ReadonlyMap<string, ConfigLayer> = new Map();

  /** `before` were effective, `after` are: what is of `before` alone stays out, what is back is held no longer. */
  note(before: readonly ConfigLayer[], after: readonly ConfigLayer[]): void {
    const back = new Set(after);
    const held = [...this.#layers.values()].filter((layer) => !back.has(layer));
    const out = [...held, ...before.filter((layer) => !back.has(layer))];
    this.#layers = new Map(out.map((layer) => [layer.name, layer]));
  }

  /** Those of `fresh` that say something else than what is held. */
  admitted(fresh: readonly ConfigLayer[]): readonly ConfigLayer[] {
    if (this.#layers.size === 0) return fresh;
    return fresh.filter(({ name, tree }) => !isDeepStrictEqual(this.#layers.get(name)?.tree, tree));
  }

  /** `layers` are effective: what their sources said before is forgotten. */
  forget(layers: readonly ConfigLayer[]): void {
    if (this.#layers.size === 0) return;
    const names = new Set(layers.map(({ name }) => name));
    this.#layers = new Map([...this.#layers].filter(([name]) => !names.has(name)));
  }
}
