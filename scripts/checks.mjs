// `npm run check`: all that is asked of a change besides its tests, one line per check. `npm run check -- lint types` runs only those.
import { appendFileSync } from 'node:fs';
import { packageChecks } from './package-check.mjs';
import { prepare } from './prepare.mjs';
import { StepError, execute, secondsSince, withHeartbeat } from './progress.mjs';
import { ROOT, runTool, toolEnvironment } from './tools.mjs';

/** Of a failed check's output: more is not read anyway, and hides the checks behind it. */
const SHOWN_LINES = 200;

/**
 * @typedef {object} Check
 * @property {string} name
 * @property {string} asks what it makes sure of
 * @property {() => Promise<void>} run throws a StepError when the answer is no
 */

/**
 * @param {string} packageName
 * @param {string} command
 * @param {...string} args
 */
async function tool(packageName, command, ...args) {
  const { code, output } = await runTool(packageName, command, args);
  if (code !== 0) throw new StepError(`${command} ended with ${code}`, output);
}

/** @param {...string} args the script and its arguments */
async function script(...args) {
  const { code, output } = await execute(process.execPath, args, { cwd: ROOT, env: toolEnvironment() });
  if (code !== 0) throw new StepError(`${args[0]} ended with ${code}`, output);
}

/** @type {Check[]} */
const checks = [
  {
    name: 'lock',
    asks: 'the lock file installs everywhere and names no host',
    run: () => script('scripts/lock-check.mjs'),
  },
  { name: 'format', asks: 'biome would change nothing', run: () => tool('@biomejs/biome', 'biome', 'format', '.') },
  {
    name: 'lint',
    asks: 'no finding of oxlint with types',
    run: () => tool('oxlint', 'oxlint', '--type-aware', '--deny-warnings'),
  },
  {
    name: 'types',
    asks: 'sources, tests, scripts and benchmark agree with the compiler',
    async run() {
      await tool('typescript', 'tsc', '-p', 'tsconfig.json', '--pretty', 'false');
      await tool('typescript', 'tsc', '-p', 'scripts/tsconfig.json', '--pretty', 'false');
      await tool('typescript', 'tsc', '-p', 'bench/tsconfig.json', '--pretty', 'false');
    },
  },
  {
    name: 'layers',
    asks: 'imports go down the layers and through front doors',
    run: () => tool('dependency-cruiser', 'depcruise', 'src', '--config', '.dependency-cruiser.js'),
  },
  {
    name: 'proto',
    asks: 'the wire contracts follow buf lint',
    async run() {
      await tool('@bufbuild/buf', 'buf', 'lint');
      await tool('@bufbuild/buf', 'buf', 'lint', 'bench');
    },
  },
  { name: 'unused', asks: 'no unused file, export or package', run: () => tool('knip', 'knip') },
  { name: 'build', asks: 'dist can be built', run: () => prepare({ build: true }) },
  {
    name: 'docs',
    asks: 'the generated pages are what the code says',
    run: () => script('scripts/generate-docs.mjs', '--check'),
  },
  ...packageChecks,
];

/**
 * Runs the checks one after the other and goes on after a failed one.
 *
 * @param {readonly string[]} wanted names; none means all
 * @returns {Promise<boolean>} whether all passed
 */
export async function runChecks(wanted) {
  const unknown = wanted.filter((name) => !checks.some((check) => check.name === name));
  if (unknown.length > 0) {
    throw new StepError(`unknown check ${unknown.join(', ')} (expected: ${checks.map(({ name }) => name).join(', ')})`);
  }
  const chosen = checks.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
  const failed = [];
  for (const check of chosen) {
    if (!(await passes(check))) failed.push(check.name);
  }
  const passed = chosen.length - failed.length;
  console.log(`checks: ${passed} passed, ${failed.length} failed${failed.length > 0 ? `: ${failed.join(', ')}` : ''}`);
  const file = process.env['RESULTS_FILE'];
  if (file) appendFileSync(file, `${JSON.stringify({ suite: 'check', passed, failed: failed.length })}\n`);
  return failed.length === 0;
}

/** @param {Check} check */
async function passes({ name, asks, run }) {
  const startedAt = Date.now();
  const line = (/** @type {string} */ verdict) =>
    console.log(`${verdict} ${name.padEnd(9)} ${secondsSince(startedAt).toFixed(1).padStart(5)} s  ${asks}`);
  try {
    await withHeartbeat(`checking ${name}`, run);
    line('ok  ');
    return true;
  } catch (error) {
    line('FAIL');
    const { message } = /** @type {Error} */ (error);
    const output = error instanceof StepError ? error.output : /** @type {Error} */ (error).stack;
    console.log(`${output ? `${shortened(output)}\n` : ''}check ${name} failed: ${message}\n`);
    return false;
  }
}

/** @param {string} output */
function shortened(output) {
  const lines = output.split('\n');
  if (lines.length <= SHOWN_LINES) return output;
  return [...lines.slice(0, SHOWN_LINES), `… ${lines.length - SHOWN_LINES} more lines`].join('\n');
}
