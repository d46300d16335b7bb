// How the development tools are called: by the Node that runs us and from this checkout's node_modules, never through a shell.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withPath } from './npm.mjs';
import { execute } from './progress.mjs';
import { environmentFor } from './toolchain.mjs';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));

/**
 * @param {string} packageName
 * @param {string} command one of the package's programs
 * @returns {string} the JavaScript file behind it
 */
export function toolPath(packageName, command) {
  const folder = join(ROOT, 'node_modules', packageName);
  const { bin } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  return join(folder, typeof bin === 'string' ? bin : bin[command]);
}

/** @returns {NodeJS.ProcessEnv} this Node and the installed programs first on PATH, for tools that call other tools */
export function toolEnvironment() {
  const node = process.execPath;
  return withPath([dirname(node), join(ROOT, 'node_modules/.bin')], environmentFor(node));
}

/**
 * @param {string} packageName
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, onStart?: (pid: number) => void }} [options]
 */
export function runTool(packageName, command, args, { cwd = ROOT, onStart } = {}) {
  const options = { cwd, env: toolEnvironment(), ...(onStart && { onStart }) };
  return execute(process.execPath, [toolPath(packageName, command), ...args], options);
}
