import { ConfigFiles, problemsIn } from './config-files.js';
import type { ConfigDecryptor } from './config-cipher.js';
import { ConfigError } from './config.errors.js';
import { ConfigStore } from './config-store.js';
import { environmentNameOf } from './environment-name.js';
import { withCentre } from './with-centre.js';
import { argumentsLayer, type Environment, environmentLayer } from './text-layers.js';

/** Where files are looked for unless something else is said. */
export const defaultConfigDirectory = 'config';

/** Where configuration is looked for. */
export interface LoadConfigInit {
  /** Folder of `application.yaml` and `application-<env>.yaml`, either of which may be missing; `config` by default. */
  readonly directory?: string;
  /** The process's environment by default. */
  readonly environment?: Environment;
  /** The process's arguments by default. */
  readonly argv?: readonly string[];
  /**
   * What becomes of the centre that `nacos.address` names: `follow` (default) reads it, and keeps what is needed to follow it;
   * `look` reads it once, does without where it cannot be reached, and writes nothing; `ignore` does not ask it.
   */
  readonly centre?: 'follow' | 'look' | 'ignore';
  /** Makes plain text of the data ids that begin with `cipher-`; without one, such a data id is an error. */
  readonly decryptor?: ConfigDecryptor;
}

/**
 * Reads the configuration of the process. Layers, later wins: the defaults of the config classes, `application.yaml`,
 * `application-<env>.yaml` (`environmentNameOf()`), the data ids of Nacos, if `nacos.address` is set, the
 * environment, `--set path=value`.
 *
 * What it opened for a centre belongs to the store: `RookeryConfigModule` follows the centre and closes it; without that
 * module, call `close()` of the store.
 *
 * @throws ConfigError with the problems of all sources; sections are validated later, when classes are bound to them
 */
export async function loadConfig(sources: LoadConfigInit = {}): Promise<ConfigStore> {
  const { directory = defaultConfigDirectory, environment = process.env, argv = process.argv.slice(2) } = sources;
  const env = environmentNameOf(environment);
  const results = await Promise.allSettled([
    new ConfigFiles(directory, env).read(),
    (async () => [environmentLayer(environment)])(),
    (async () => [argumentsLayer(argv)])(),
  ]);
  const problems = results.flatMap((result) => (result.status === 'rejected' ? problemsIn(result.reason) : []));
  if (problems.length > 0) throw new ConfigError(problems);
  const layers = results.flatMap((result) => (result.status === 'fulfilled' ? result.value : []));
  const { centre = 'follow' } = sources;
  if (centre === 'ignore') return new ConfigStore(env, layers, environment);
  return withCentre({ env, layers, environment, isFollowed: centre === 'follow', decryptor: sources.decryptor });
}
