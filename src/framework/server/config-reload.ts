import type { Logger } from 'pino';
import { ConfigError, type ConfigStore, reloadConfigFiles } from '../config/index.js';
import { serializeError } from '../telemetry/index.js';

/** Reads the files of the configuration now and logs the outcome. Never rejects: when anything is wrong, the values stay. */
export async function reloadAndReport(store: ConfigStore, directory: string, logger: Logger): Promise<void> {
  const before = store.version;
  try {
    const version = await reloadConfigFiles(store, directory);
    logger.info({ version, isChanged: version !== before }, 'configuration files reloaded');
  } catch (error) {
    const problems = error instanceof ConfigError ? error.problems.map((each) => each.masked ?? each.message) : [];
    logger.warn(
      { version: store.version, problems, ...(problems.length === 0 && { err: serializeError(error) }) },
      'configuration files not reloaded',
    );
  }
}
