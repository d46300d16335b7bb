import type { BoundLive } from './binding.js';
import type { Difference } from './config-diff.js';
import { ConfigError } from './config.errors.js';
import type { ConfigLayer, MergedConfig } from './layer.js';

/** A section with another value. */
export interface Change {
  readonly live: BoundLive<object>;
  readonly value: object;
  readonly paths: readonly string[];
}

/** A set of layers that was read and found good, not yet effective. */
export interface Candidate {
  readonly layers: readonly ConfigLayer[];
  readonly merged: MergedConfig;
  readonly changes: readonly Change[];
  readonly found: readonly Difference[];
}

/** A state of the configuration that can be put back. */
export interface ConfigCheckpoint {
  readonly version: number;
  /** @internal */
  readonly layers: readonly ConfigLayer[];
}

/**
 * Asks every subscriber whether it can take its new value.
 *
 * @throws ConfigError one cannot, and says why
 */
export function askSubscribers(changes: readonly Change[]): void {
  for (const { live, value, paths } of changes) {
    try {
      live.prepare(value, paths);
    } catch (error) {
      throw ConfigError.of(live.prefix, `refused: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}
