import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import {
  ConfigError,
  type ConfigProblem,
  ConfigOptions,
  type ConfigStore,
  defaultConfigDirectory,
  environmentNotices,
  type Environment,
  injectedConfigs,
  loadConfig,
  NacosConfigOptions,
  NacosError,
  sectionOf,
} from '../config/index.js';
import { bindOptions } from './bound-options.js';
import { publishDocument, type PublishCommand } from './config-publish.js';

/** What the command reads and writes besides files. */
export interface CommandSurroundings {
  readonly environment: Environment;
  readonly out: (line: string) => void;
  readonly err: (line: string) => void;
}

const usage = `usage: rookery config print|check [--directory config] [--env <name>] [--set path=value] [--app <file>]
       rookery config publish <data id> <file> [--group <group>] [--directory config] [--env <name>] [--set path=value]

  print   writes every effective value and where it comes from, Nacos included if it can be reached; secrets as ***
  check   tells what is wrong, with file and line, and ends with 1 if anything is
  publish writes the file into Nacos, if it can be read as what the data id says it is

  --app   a built module, such as dist/service/app.module.js: the classes that its code asks for by @Config() count too`;

/**
 * `rookery config print` and `rookery config check`: what a start would find, without one. `rookery config publish`: a file
 * into the centre.
 *
 * @returns the exit code: 0; 1 the configuration is not valid, or the centre does not take the file; 2 the command was not understood
 */
export async function runConfigCommand(argv: readonly string[], surroundings: CommandSurroundings): Promise<0 | 1 | 2> {
  const { out, err } = surroundings;
  const command = parsed(argv);
  if (command === undefined) {
    err(usage);
    return 2;
  }
  if ('dataId' in command) return publish(command, surroundings);
  const { action, app } = command;
  try {
    if (app !== undefined) await import(pathToFileURL(resolve(app)).href);
  } catch (error) {
    err(`--app ${app}: cannot be loaded: ${error instanceof Error ? error.message : String(error)}`);
    return 2;
  }
  let store: ConfigStore | undefined;
  try {
    const environment = withEnv(surroundings.environment, command.env);
    for (const notice of await environmentNotices(environment, command.directory ?? defaultConfigDirectory)) {
      err(`warning: ${notice}`);
    }
    store = await load(command, surroundings.environment);
    bind(store);
    for (const { source, message } of store.failures) {
      err(`warning: ${message.startsWith(`${source}:`) ? '' : `${source}: `}${message}`);
    }
    if (action === 'print') {
      for (const { path, value, source } of store.effective()) out(`${path} = ${value}  # ${source}`);
      if (app === undefined) warnOfUnmarked(store, err);
    }
    // Without the application's classes everything of its own would be unknown.
    if (app !== undefined) for (const line of store.unclaimed()) err(`warning: ${line}`);
    return 0;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const problem of error.problems) err(lineOf(problem));
    return 1;
  } finally {
    await store?.close();
  }
}

// By their names alone not all secrets are known.
function warnOfUnmarked(store: ConfigStore, err: CommandSurroundings['err']): void {
  const sections = store
    .unclaimed()
    .map((line) => line.slice(0, line.indexOf(': ')))
    .join(', ');
  if (sections !== '') {
    err(`warning: ${sections}: what its classes mark as secret is not masked (expected: --app <file>)`);
  }
}

async function publish(
  command: PublishCommand & { readonly env: string | undefined },
  { environment, out, err }: CommandSurroundings,
): Promise<0 | 1> {
  try {
    out(await publishDocument(command, withEnv(environment, command.env)));
    return 0;
  } catch (error) {
    if (error instanceof ConfigError) for (const problem of error.problems) err(lineOf(problem));
    else if (error instanceof NacosError) err(`${command.dataId}: not published: ${error.message}`);
    else throw error;
    return 1;
  }
}

function withEnv(environment: Environment, env: string | undefined): Environment {
  return env === undefined ? environment : { ...environment, ROOKERY_ENV: env };
}

interface Command {
  readonly action: 'print' | 'check';
  readonly directory: string | undefined;
  readonly env: string | undefined;
  readonly app: string | undefined;
  readonly set: readonly string[];
}

function parsed(argv: readonly string[]): Command | (PublishCommand & { env: string | undefined }) | undefined {
  const text = { type: 'string' } as const;
  try {
    const { positionals, values } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: { app: text, directory: text, env: text, group: text, set: { type: 'string', multiple: true } },
    });
    const [subject, action, ...rest] = positionals;
    const { directory, env, group, set = [] } = values;
    const [dataId, file, ...others] = rest;
    if (subject === 'config' && action === 'publish' && dataId !== undefined && file !== undefined) {
      return others.length > 0 ? undefined : { dataId, file, group, directory, env, set };
    }
    if (subject !== 'config' || rest.length > 0 || (action !== 'print' && action !== 'check')) return undefined;
    return { action, app: values.app, directory, env, set };
  } catch {
    return undefined;
  }
}

function load({ action, directory, env, set }: Command, environment: Environment): Promise<ConfigStore> {
  return loadConfig({
    // The effective values need the config server; problems of the files do not.
    centre: action === 'print' ? 'look' : 'ignore',
    environment: withEnv(environment, env),
    argv: set.flatMap((each) => ['--set', each]),
    ...(directory !== undefined && { directory }),
  });
}

function bind(store: ConfigStore): void {
  // The problems of the framework's sections and of the application's, all at once.
  const problems: ConfigProblem[] = [];
  const tryTo = (work: () => unknown): void => {
    try {
      work();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      problems.push(...error.problems);
    }
  };
  tryTo(() => bindOptions(store));
  tryTo(() => store.of(ConfigOptions));
  tryTo(() => store.of(NacosConfigOptions));
  tryTo(() => store.bindAll(injectedConfigs().map(sectionOf)));
  if (problems.length > 0) throw new ConfigError(problems);
}

// The place first, as compilers have it, so that editors find it.
function lineOf({ message, source }: ConfigProblem): string {
  return source === undefined || message.startsWith(source) ? message : `${source}: ${message}`;
}
