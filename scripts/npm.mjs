// How the npm client is called: with the Node that runs us, so that its engine check sees the right version.
import { existsSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { StepError, execute } from './progress.mjs';

/**
 * Finds npm's own program, so that it can be run by any Node: the one that started us, the one beside our Node, the one on PATH.
 *
 * @returns {{ file: string, args: string[] }}
 */
function findNpm() {
  const started = process.env['npm_execpath'];
  const besideNode = dirname(process.execPath);
  const candidates = [
    ...(started?.endsWith('npm-cli.js') ? [started] : []),
    join(besideNode, 'node_modules/npm/bin/npm-cli.js'),
    join(besideNode, '../lib/node_modules/npm/bin/npm-cli.js'),
  ];
  const program = candidates.find((candidate) => existsSync(candidate));
  return program ? { file: process.execPath, args: [program] } : { file: 'npm', args: [] };
}

/**
 * The environment for a nested npm: its settings stay, what the outer npm told about its own run goes.
 *
 * @returns {NodeJS.ProcessEnv}
 */
function npmEnvironment() {
  const ownRun = /^npm_(?:lifecycle|package|command|config_(?:local|global)_prefix)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !ownRun.test(name)));
}

/**
 * Runs npm quietly; its output is shown only when it fails.
 *
 * @param {readonly string[]} args
 * @param {{ cwd: string, onStart?: (pid: number) => void }} options
 * @returns {Promise<string>} what it wrote
 */
export async function npm(args, options) {
  const { file, args: first } = findNpm();
  const quiet = ['--no-audit', '--no-fund', '--no-update-notifier', '--no-progress', '--loglevel=error'];
  const { code, output } = await execute(file, [...first, ...args, ...quiet], { ...options, env: npmEnvironment() });
  // Behind its complaint npm prints two pages of usage.
  if (code !== 0) throw new StepError(`npm ${args[0]} ended with ${code}`, output.split(/^npm error Usage:$/m)[0]);
  return output;
}

/**
 * The environment with `folders` in front of PATH, under whatever spelling the system uses for it.
 *
 * @param {readonly string[]} folders
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {NodeJS.ProcessEnv}
 */
export function withPath(folders, env = process.env) {
  const key = Object.keys(env).find((name) => name.toUpperCase() === 'PATH') ?? 'PATH';
  const rest = (env[key] ?? '').split(delimiter).filter((folder) => folder !== '' && !folders.includes(folder));
  return { ...env, [key]: [...folders, ...rest].join(delimiter) };
}
