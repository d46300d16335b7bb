import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError, type ConfigProblem } from './config.errors.js';
import { ConfigStore } from './config-store.js';
import type { ConfigLayer } from './layer.js';
import { argumentsLayer, type Environment, environmentLayer } from './text-layers.js';
import { yamlLayer } from './yaml-layer.js';

/** Where configuration is looked for. */
export interface LoadConfigInit {
  /** Folder of `application.yaml` and `application-<env>.yaml`, either of which may be missing; `config` by default. */
  readonly directory?: string;
  /** The process's environment by default. */
  readonly environment?: Environment;
  /** The process's arguments by default. */
  readonly argv?: readonly string[];
}

/**
 * Reads the configuration of the process. Layers, later wins: the defaults of the config classes, `application.yaml`,
 * `application-<env>.yaml` (`ROOKERY_ENV`, default `development`), the environment, `--set path=value`.
 *
 * @throws ConfigError with the problems of all sources; sections are validated later, when classes are bound to them
 */
export async function loadConfig(sources: LoadConfigInit = {}): Promise<ConfigStore> {
  const { directory = 'config', environment = process.env, argv = process.argv.slice(2) } = sources;
  const env = environmentNameOf(environment);
  const results = await Promise.allSettled([
    fileLayer(directory, 'application'),
    fileLayer(directory, `application-${env}`),
    (async () => environmentLayer(environment))(),
    (async () => argumentsLayer(argv))(),
  ]);
  const problems = results.flatMap((result) => (result.status === 'rejected' ? problemsIn(result.reason) : []));
  if (problems.length > 0) throw new ConfigError(problems);
  return new ConfigStore(
    env,
    results.flatMap((result) => (result.status === 'fulfilled' && result.value !== undefined ? [result.value] : [])),
  );
}

function problemsIn(reason: unknown): readonly ConfigProblem[] {
  if (reason instanceof ConfigError) return reason.problems;
  throw reason;
}

function environmentNameOf(environment: Environment): string {
  const name = environment['ROOKERY_ENV'] || 'development';
  // It becomes part of a file name.
  if (/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/.test(name)) return name;
  throw ConfigError.of('ROOKERY_ENV', `${JSON.stringify(name.slice(0, 64))} (expected: letters, digits, - and _)`);
}

async function fileLayer(directory: string, name: string): Promise<ConfigLayer | undefined> {
  const text = await readIfPresent(join(directory, `${name}.yaml`));
  if (text !== undefined) return yamlLayer(text, { name, kind: 'file', origin: join(directory, `${name}.yaml`) });
  const misnamed = join(directory, `${name}.yml`);
  if ((await readIfPresent(misnamed)) !== undefined)
    throw ConfigError.of(misnamed, `is not read (expected name: ${name}.yaml)`);
  return undefined;
}

async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(path));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw ConfigError.of(path, code === 'ERR_ENCODING_INVALID_ENCODED_DATA' ? 'not UTF-8' : `cannot be read (${code})`);
  }
}
