import { ConfigError, type ConfigProblem } from './config.errors.js';
import { type ConfigLayer, type ConfigTree, isRefusedKey, isTree, type LayerKind } from './layer.js';

/** The environment as Node gives it. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Well-known variables that do without the prefix, and the paths they set. */
export const shortVariables: Readonly<Record<string, string>> = {
  DATABASE_URL: 'database.url',
  HOST: 'server.host',
  PORT: 'server.port',
};

// Says which files are read, so it is no value itself.
const environmentName = 'ROOKERY_ENV';

/**
 * Reads `ROOKERY_…` variables: `__` between the segments of the path, snake case for camel case, so
 * `ROOKERY_CACHE__DEFAULT_TTL_MS` is `cache.defaultTtlMs`. `PORT`, `HOST` and `DATABASE_URL` are short for
 * `server.port`, `server.host` and `database.url`; the long name wins. An empty variable counts as not set, since
 * container platforms cannot leave one out.
 *
 * @throws ConfigError a name that is no path, or two that contradict each other
 */
export function environmentLayer(environment: Environment): ConfigLayer {
  const builder = new TextTree();
  for (const [name, path] of Object.entries(shortVariables)) {
    const value = environment[name];
    if (value !== undefined && value !== '') builder.set(path, value, name);
  }
  for (const name of Object.keys(environment).toSorted()) {
    const value = environment[name];
    if (!name.startsWith('ROOKERY_') || name === environmentName || value === undefined || value === '') continue;
    builder.set(pathOfVariable(name), value, name);
  }
  return builder.layer('environment', 'environment');
}

/**
 * Reads `--set path=value` and `--set=path=value`, any number of them; other arguments are left alone.
 *
 * @throws ConfigError no `=` in it, or not a path before it
 */
export function argumentsLayer(argv: readonly string[]): ConfigLayer {
  const builder = new TextTree();
  for (const [index, argument] of argv.entries()) {
    const isLong = argument.startsWith('--set=');
    if (argument !== '--set' && !isLong) continue;
    const setting = isLong ? argument.slice('--set='.length) : (argv[index + 1] ?? '');
    const equals = setting.indexOf('=');
    if (equals < 1) builder.refuse('--set', `${JSON.stringify(setting.slice(0, 64))} (expected: path=value)`);
    else builder.set(setting.slice(0, equals), setting.slice(equals + 1), `--set ${setting.slice(0, equals)}`);
  }
  return builder.layer('arguments', 'arguments');
}

/** The variable that sets `path`: `cache.defaultTtlMs` gives `ROOKERY_CACHE__DEFAULT_TTL_MS`. */
export function variableOf(path: string): string {
  const segments = path.split('.').map((segment) => segment.replace(/[A-Z]/g, (letter) => `_${letter}`));
  return `ROOKERY_${segments.join('__').toUpperCase()}`;
}

function pathOfVariable(name: string): string {
  return name
    .slice('ROOKERY_'.length)
    .split('__')
    .map((segment) => segment.toLowerCase().replace(/(?<=.)_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase()))
    .join('.');
}

/** A tree made of paths and texts. */
export class TextTree {
  readonly #tree: ConfigTree = {};
  readonly #sources = new Map<string, string>();
  readonly #problems: ConfigProblem[] = [];

  set(path: string, value: string, source: string): void {
    const keys = path.split('.');
    if (keys.some((key) => !/^[A-Za-z][\w-]*$/.test(key) || isRefusedKey(key))) {
      this.refuse(source, `not a path of the configuration: ${JSON.stringify(path)}`);
      return;
    }
    let node = this.#tree;
    for (const [depth, key] of keys.slice(0, -1).entries()) {
      const below = node[key] ?? {};
      if (!isTree(below)) {
        this.refuse(
          source,
          `contradicts ${this.#sources.get(keys.slice(0, depth + 1).join('.'))}, which sets a part of its path`,
        );
        return;
      }
      node[key] = below;
      node = below;
    }
    const last = keys.at(-1) as string;
    if (isTree(node[last])) {
      this.refuse(source, 'contradicts another setting, which sets a value below it');
      return;
    }
    node[last] = value;
    this.#sources.set(path, source);
  }

  refuse(source: string, message: string): void {
    this.#problems.push({ path: '', message: `${source}: ${message}`, source });
  }

  layer(name: string, kind: LayerKind): ConfigLayer {
    if (this.#problems.length > 0) throw new ConfigError(this.#problems);
    return { name, kind, tree: this.#tree, sources: this.#sources };
  }
}
