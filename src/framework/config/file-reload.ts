import { stat } from 'node:fs/promises';
import { ConfigFiles } from './config-files.js';
import { ConfigError } from './config.errors.js';
import type { ConfigStore } from './config-store.js';

// The watch reports under the same name, so that either clears what the other could not read.
const source = 'files';

/**
 * Reads the files of the configuration now and applies them as one change, whether or not they are watched. When anything is
 * wrong, the values stay, and the store reports it as it does for the watch.
 *
 * @returns the number of the version that is effective now; unchanged when the files say nothing new
 * @throws ConfigError nothing was changed
 */
export async function reloadConfigFiles(store: ConfigStore, directory: string): Promise<number> {
  try {
    // A volume that is no longer mounted is no decision to go back to the defaults.
    const isThere = await stat(directory).then(
      (stats) => stats.isDirectory(),
      () => false,
    );
    if (!isThere) throw ConfigError.of(directory, 'is gone (expected: the folder of the configuration)');
    return store.apply(await new ConfigFiles(directory, store.env).read(), { source });
  } catch (error) {
    store.fail(source, error);
    throw error;
  }
}
