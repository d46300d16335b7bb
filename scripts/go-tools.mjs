// Programs that are written in Go and that tests need: built once per machine, into the folder that all checkouts share.
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ENDED_BY_SIGNAL, StepError, execute, step } from './progress.mjs';
import { cacheFolder } from './toolchain.mjs';

/**
 * @typedef {object} GoTool
 * @property {string} name of the program, and of its folder together with the version
 * @property {string} source the package of its `main`
 * @property {string} version such as `v1.0.7`
 * @property {string} neededFor for people
 * @property {(folder: string) => Promise<void>} [complete] puts what else belongs to it beside the program
 */

/**
 * @param {GoTool} tool
 * @returns {Promise<string>} the folder that holds the program
 */
export async function goTool(tool) {
  const home = join(cacheFolder(), `${tool.name}-${tool.version}`);
  // The folder gets its name only when all is in it, so that its presence says that it is complete.
  if (!existsSync(home)) {
    await step(`building ${tool.name} ${tool.version}`, 'once per machine, a minute or two', () =>
      buildInto(home, tool),
    );
  }
  return home;
}

/**
 * @param {string} home
 * @param {GoTool} tool
 */
async function buildInto(home, { name, source, version, neededFor, complete }) {
  mkdirSync(dirname(home), { recursive: true });
  const draft = mkdtempSync(`${home}.partial-`);
  try {
    await go(['install', '-trimpath', `${source}@${version}`], { cwd: draft, neededFor, env: { GOBIN: draft } });
    if (!existsSync(join(draft, name))) throw new StepError(`go install ${source} has not made ${name}`);
    await complete?.(draft);
    try {
      renameSync(draft, home);
    } catch (error) {
      // Another run was faster, and its folder is as good as ours.
      if (!existsSync(home)) throw error;
    }
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

/**
 * Runs `go`.
 *
 * @param {readonly string[]} args
 * @param {{ cwd: string, neededFor: string, env?: Record<string, string> }} options `cwd` outside of any Go module
 * @returns {Promise<string>} what it wrote
 */
export async function go(args, { cwd, neededFor, env = {} }) {
  let ended;
  try {
    ended = await execute('go', args, { cwd, env: { ...process.env, ...env } });
  } catch {
    throw new StepError(`go is not installed, and ${neededFor} needs it (expected: Go 1.24 or newer on PATH)`);
  }
  const { code, output } = ended;
  if (code === ENDED_BY_SIGNAL) throw new StepError(`go ${args[0]} was ended by a signal`, output);
  if (code !== 0) throw new StepError(`go ${args.join(' ')} ended with ${code}`, output);
  return output;
}
