// `validation.mjs` measures the compiled validation against class-validator in one process; here its word is taken over.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { execute } from '../scripts/progress.mjs';
import { ROOT } from '../scripts/tools.mjs';

/** Highest ratio of time per object: compiled over class-validator. */
const TARGET = 0.05;

/** @typedef {{ text: string, ok: boolean }} ValidationResult */

/**
 * Runs `validation.mjs`, pinned to a core. It prints for people, and among that one line of JSON with a numeric `ratio`.
 *
 * @param {string} core
 * @returns {Promise<ValidationResult>}
 */
export async function measureValidation(core) {
  const file = join(ROOT, 'bench/validation.mjs');
  if (!existsSync(file)) return { text: '**not measured**: there is no `bench/validation.mjs`', ok: false };
  const { code, output } = await execute('taskset', ['-c', core, process.execPath, file], { cwd: ROOT });
  if (code !== 0)
    return { text: `**not measured**: \`validation.mjs\` ended with ${code}\n\n${fenced(output)}`, ok: false };
  const ratio = output
    .split('\n')
    .map(ratioIn)
    .find((one) => one !== undefined);
  if (ratio === undefined)
    return { text: `No ratio in what \`validation.mjs\` printed:\n\n${fenced(output)}`, ok: false };
  const verdict = ratio <= TARGET ? 'met' : `**missed** by a factor of ${(ratio / TARGET).toFixed(2)}`;
  return {
    text: `Ratio to class-validator **${ratio.toFixed(3)}**, target ≤ ${TARGET}: ${verdict}.\n\n${fenced(forPeople(output))}`,
    ok: true,
  };
}

/** @param {string} line */
function ratioIn(line) {
  if (!line.startsWith('{')) return undefined;
  try {
    const { ratio } = JSON.parse(line);
    return typeof ratio === 'number' ? ratio : undefined;
  } catch {
    return undefined;
  }
}

/** @param {string} output */
function forPeople(output) {
  return output
    .split('\n')
    .filter((line) => ratioIn(line) === undefined)
    .join('\n');
}

/** @param {string} text */
function fenced(text) {
  return `\`\`\`text\n${text.trim()}\n\`\`\``;
}
