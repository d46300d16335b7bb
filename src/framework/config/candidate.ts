import type { BoundLive } from './binding.js';
import type { Difference } from './config-diff.js';
import type { ConfigLayer, MergedConfig } from './layer.js';

/** A section with another value. */
export interface Change {
  readonly live: BoundLive<object>;
  readonly value: object;
  readonly paths: readonly string[];
}

/** A set of layers that was read and found good, not yet in force. */
export interface Candidate {
  readonly layers: readonly ConfigLayer[];
  readonly merged: MergedConfig;
  readonly changes: readonly Change[];
  readonly found: readonly Difference[];
}
