import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import {
  ConfigError,
  type ConfigProblem,
  ConfigOptions,
  type ConfigStore,
  type Environment,
  injectedConfigs,
  loadConfig,
  NacosConfigOptions,
  sectionOf,
} from '../config/index.js';
import { bindOptions } from './bound-options.js';

/** What the command reads and writes besides files. */
export interface CommandSurroundings {
  readonly environment: Environment;
  readonly out: (line: string) => void;
  readonly err: (line: string) => void;
}

const usage = `usage: rookery config print|check [--directory config] [--env <name>] [--set path=value] [--app <file>]

  print   writes every value in force and where it comes from, Nacos included if it can be reached; secrets as ***
  check   tells what is wrong, with file and line, and ends with 1 if anything is

  --app   a built module, such as dist/app.module.js: the classes that its code asks for by @Config() count too`;

/**
 * `rookery config print` and `rookery config check`: what a start would find, without one.
 *
 * @returns the exit code: 0; 1 the configuration is not valid; 2 the command was not understood
 */
export async function runConfigCommand(argv: readonly string[], surroundings: CommandSurroundings): Promise<0 | 1 | 2> {
  const { out, err } = surroundings;
  const command = parsed(argv);
  if (command === undefined) {
    err(usage);
    return 2;
  }
  const { action, app } = command;
  try {
    if (app !== undefined) await import(pathToFileURL(resolve(app)).href);
  } catch (error) {
    err(`--app ${app}: cannot be loaded: ${error instanceof Error ? error.message : String(error)}`);
    return 2;
  }
  let store: ConfigStore | undefined;
  try {
    store = await load(command, surroundings.environment);
    bind(store);
    for (const { source, message } of store.failures) {
      err(`warning: ${message.startsWith(`${source}:`) ? '' : `${source}: `}${message}`);
    }
    if (action === 'print')
      for (const { path, value, source } of store.effective()) out(`${path} = ${value}  # ${source}`);
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

interface Command {
  readonly action: 'print' | 'check';
  readonly directory: string | undefined;
  readonly env: string | undefined;
  readonly app: string | undefined;
  readonly set: readonly string[];
}

function parsed(argv: readonly string[]): Command | undefined {
  const text = { type: 'string' } as const;
  try {
    const { positionals, values } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: { app: text, directory: text, env: text, set: { type: 'string', multiple: true } },
    });
    const [subject, action, ...rest] = positionals;
    if (subject !== 'config' || rest.length > 0 || (action !== 'print' && action !== 'check')) return undefined;
    return { action, app: values.app, directory: values.directory, env: values.env, set: values.set ?? [] };
  } catch {
    return undefined;
  }
}

function load({ action, directory, env, set }: Command, environment: Environment): Promise<ConfigStore> {
  return loadConfig({
    // What is in force needs the centre, what is wrong with the files does not.
    centre: action === 'print' ? 'look' : 'ignore',
    environment: env === undefined ? environment : { ...environment, ROOKERY_ENV: env },
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
