import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { isLocalEnvironment } from '../core/index.js';
import { ConfigError } from './config.errors.js';
import { didYouMean } from './did-you-mean.js';
import type { Environment } from './text-layers.js';

const known = ['development', 'test', 'production'] as const;

/**
 * The environment's name: `ROOKERY_ENV`; where that is not set or empty, `production` if `NODE_ENV` has another value than
 * `development` and `test`, else `development`.
 *
 * @throws ConfigError the name cannot be part of a file name
 */
export function environmentNameOf(environment: Environment): string {
  const name = environment['ROOKERY_ENV'];
  if (name === undefined || name === '') return isProductionByNode(environment) ? 'production' : 'development';
  if (/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/.test(name)) return name;
  throw ConfigError.of('ROOKERY_ENV', `${JSON.stringify(name.slice(0, 64))} (expected: letters, digits, - and _)`);
}

/**
 * What an operator may not expect of the environment's name, one line each: it comes from `NODE_ENV`, or it is none that the
 * framework or a file of `directory` knows, so that the rules of production apply.
 *
 * @throws ConfigError as `environmentNameOf()`
 */
export async function environmentNotices(environment: Environment, directory: string): Promise<readonly string[]> {
  const env = environmentNameOf(environment);
  const { ROOKERY_ENV: own, NODE_ENV: nodeEnv } = environment;
  if (own === undefined || own === '') {
    if (!isProductionByNode(environment)) return [];
    const nodeName = JSON.stringify(String(nodeEnv).slice(0, 64));
    return [`ROOKERY_ENV is not set and NODE_ENV is ${nodeName}: the environment is production`];
  }
  const file = join(directory, `application-${env}.yaml`);
  if ((known as readonly string[]).includes(env) || (await exists(file))) return [];
  const near = env.toLowerCase() === 'prod' ? 'production' : didYouMean(env, known);
  const hint = near === undefined ? '' : `; did you mean ${near}?`;
  return [`ROOKERY_ENV: environment ${env} has no ${file}, the rules of production apply${hint}`];
}

// Values of other tools, such as `staging`, are not a developer's machine.
function isProductionByNode({ NODE_ENV: name = '' }: Environment): boolean {
  const word = name.trim().toLowerCase();
  return word !== '' && !isLocalEnvironment(word);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
