// What a whole run leaves behind: RESULTS.md, its chart, and the raw rounds.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../scripts/tools.mjs';
import { chartOf } from './chart.mjs';
import { loads } from './loads.mjs';
import { programs } from './servers.mjs';

/** Further from 1 than this, the control says that the machine was too busy for the figures to mean much. */
const CONTROL_TOLERANCE = 0.1;

/**
 * @typedef {import('./cases.mjs').Case & { comparison?: import('./measure.mjs').Comparison, failure?: string }} Result
 * @typedef {import('./idle.mjs').IdleCase & { memory?: import('./idle.mjs').Memory, failure?: string }} IdleResult
 * @typedef {import('./memory.mjs').MemoryCase & { footprint?: import('./memory.mjs').Footprint, failure?: string }} FootprintResult
 */

/**
 * @typedef {object} Run
 * @property {[string, string][]} machine
 * @property {import('./measure.mjs').Plan} plan
 * @property {Result[]} results
 * @property {IdleResult[]} idle
 * @property {number} idleCount connections
 * @property {FootprintResult[]} footprints
 * @property {number} idleSeconds
 * @property {import('./validation-case.mjs').ValidationResult} validation
 * @property {string} date
 */

/** @param {Run} run */
export function writeReport(run) {
  const folder = join(ROOT, 'bench/results');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'rounds.csv'), csvOf(run.results));
  writeFileSync(join(folder, 'ratios.svg'), chartOf(run.results));
  writeFileSync(join(ROOT, 'bench/RESULTS.md'), markdownOf(run));
}

/** @param {Result[]} results */
function csvOf(results) {
  const lines = results.flatMap(({ name, load, comparison }) =>
    (comparison?.samples ?? []).map(({ round, position, server, requests, cpuUs, seconds }) =>
      [name, load, round, position, server, requests, Math.round(cpuUs), seconds.toFixed(3)].join(','),
    ),
  );
  return `${['case,load,round,position,server,requests,cpu_us,seconds', ...lines].join('\n')}\n`;
}

/** @param {Result} result */
export function verdictOf({ target, comparison, failure }) {
  if (comparison === undefined) return `**not measured**: ${failure}`;
  if (target === undefined) return 'stated';
  if (comparison.ratio <= target) return 'met';
  return `**missed** by a factor of ${(comparison.ratio / target).toFixed(2)}`;
}

/** @param {IdleResult} result */
function idleVerdict({ targetBytes, memory, failure }) {
  if (memory === undefined) return `**not measured**: ${failure}`;
  if (targetBytes === undefined) return 'stated';
  return (memory.heapUsed ?? Number.NaN) <= targetBytes ? 'met' : '**missed**';
}

/** @param {Result} result */
function rowOf(result) {
  const { load, peer, target, comparison } = result;
  const range =
    comparison && `${Math.min(...comparison.ratios).toFixed(3)} – ${Math.max(...comparison.ratios).toFixed(3)}`;
  return row(
    loads[load]?.title ?? load,
    programs[peer]?.title ?? peer,
    comparison?.costs[0].toFixed(2) ?? '–',
    comparison?.costs[1].toFixed(2) ?? '–',
    comparison ? `**${comparison.ratio.toFixed(3)}**` : '–',
    range ?? '–',
    target === undefined ? '–' : `≤ ${target}`,
    verdictOf(result),
  );
}

/** @param {IdleResult} result */
function idleRowOf(result) {
  const { server, load, targetBytes, memory } = result;
  const kibibytes = (/** @type {number | undefined} */ bytes) =>
    bytes === undefined ? '–' : (bytes / 1024).toFixed(1);
  return row(
    programs[server]?.title ?? server,
    loads[load]?.protocol === 'http1' ? 'HTTP/1.1' : 'HTTP/2',
    kibibytes(memory?.heapUsed),
    kibibytes(memory?.external),
    kibibytes(memory?.rss),
    targetBytes === undefined ? '–' : `≤ ${kibibytes(targetBytes)}`,
    idleVerdict(result),
  );
}

/** @param {Result} result */
function latencyRowOf({ load, peer, comparison }) {
  const [own, others] = comparison?.latencies ?? [];
  const ms = (/** @type {number | undefined} */ us) => (us === undefined ? '–' : (us / 1000).toFixed(2));
  return row(
    loads[load]?.title ?? load,
    programs[peer]?.title ?? peer,
    ...[own?.p50Us, others?.p50Us, own?.p99Us, others?.p99Us].map(ms),
  );
}

/** @param {FootprintResult} result */
function footprintRowOf({ server, load, footprint, failure }) {
  const mebibytes = (/** @type {number | undefined} */ bytes) =>
    bytes === undefined ? '–' : (bytes / 2 ** 20).toFixed(0);
  return row(
    programs[server]?.title ?? server,
    loads[load]?.title ?? load,
    ...[footprint?.atStart, footprint?.afterLoad, footprint?.afterIdle].map(mebibytes),
    failure === undefined ? 'stated' : `**not measured**: ${failure}`,
  );
}

/** @param {...string} cells */
function row(...cells) {
  return `| ${cells.join(' | ')} |`;
}

/** @param {Result | undefined} control */
function controlSentence(control) {
  const ratio = control?.comparison?.ratio;
  if (ratio === undefined) return '**The control was not measured.**';
  const text = `The same server against itself: ${ratio.toFixed(3)}.`;
  return Math.abs(ratio - 1) <= CONTROL_TOLERANCE
    ? text
    : `${text} **It should be 1: the machine was too busy, and no figure here means much.**`;
}

/** @param {Run} run */
export function markdownOf({ machine, plan, results, idle, idleCount, footprints, idleSeconds, validation, date }) {
  const pairs = results.filter(({ name }) => name !== 'control');
  const head = [
    row('load', 'against', 'Rookery, µs', 'peer, µs', 'ratio', 'rounds from – to', 'target', ''),
    row('---', '---', '--:', '--:', '--:', '--:', '--:', '---'),
  ];
  const lines = [
    '# Results',
    '',
    `Written by \`npm run bench\` on ${date}; do not edit. How it is measured: [README.md](README.md).`,
    '',
    `CPU time per request of the server's process, whole pipeline on, and its ratio to that of the peer in the same run: the`,
    `median of ${plan.rounds} rounds. Only the ratios mean something, and below 10 % they do not. ${controlSentence(results.find(({ name }) => name === 'control'))}`,
    '',
    '![ratios](results/ratios.svg)',
    '',
    '## With a target',
    '',
    ...head,
    ...pairs.filter(({ target }) => target !== undefined).map(rowOf),
    '',
    '## Stated',
    '',
    ...head,
    ...pairs.filter(({ target }) => target === undefined).map(rowOf),
    '',
    '## Latency',
    '',
    'Stated, in ms as the generator sees it, with as many requests open as in the rounds: it says how long they queue as much as',
    'how long one takes. Medians of three rounds in the same run, A B A B.',
    '',
    row('load', 'against', 'Rookery p50', 'peer p50', 'Rookery p99', 'peer p99'),
    row('---', '---', '--:', '--:', '--:', '--:'),
    ...pairs.filter(({ comparison }) => comparison?.latencies !== undefined).map(latencyRowOf),
    '',
    '## Memory of a process',
    '',
    `RSS in MiB: after the first answer, after the load, and after ${idleSeconds} s without any request.`,
    '',
    row('server', 'load', 'start', 'after the load', 'after the rest', ''),
    row('---', '---', '--:', '--:', '--:', '---'),
    ...footprints.map(footprintRowOf),
    '',
    '## Validation of a DTO with six fields',
    '',
    validation.text,
    '',
    `## ${idleCount} idle connections`,
    '',
    'Growth per connection in KiB, each having had one request answered. `heap` after a full collection; `external` is memory',
    'outside of it that JavaScript holds; `RSS` is what the system counts, native parts of sockets included.',
    '',
    row('server', 'protocol', 'heap', 'external', 'RSS', 'target', ''),
    row('---', '---', '--:', '--:', '--:', '--:', '---'),
    ...idle.map(idleRowOf),
    '',
    '## Machine',
    '',
    row('', ''),
    row('---', '---'),
    ...machine.map(([name, value]) => row(name, value)),
    '',
    'Raw rounds: [results/rounds.csv](results/rounds.csv).',
  ];
  return `${lines.join('\n')}\n`;
}
