import { type TypedChannel, typedChannel } from '../core/index.js';
import type { ConfigFailure, ConfigVersion } from './config-history.js';

/** Published when a new version is effective and its subscribers have been told. */
export interface ConfigChanged {
  /** The `ConfigStore` it happened in: a process may have several. */
  readonly store: object;
  readonly version: ConfigVersion;
}

/** Published when a source brought something that was not applied, or could not be reached. */
export interface ConfigFailed {
  readonly store: object;
  readonly failure: ConfigFailure;
}

/** Every version after the first. */
export const configChangeChannel: TypedChannel<ConfigChanged> = typedChannel('rookery:config.change');

/** Every failure; the last good values serve on. */
export const configFailureChannel: TypedChannel<ConfigFailed> = typedChannel('rookery:config.failure');
