// `npm run bench`: builds what is measured, runs the pairs, and writes RESULTS.md, results/ratios.svg and results/rounds.csv.
//   --quick          a rough ratio in seconds; writes nothing
//   --only <name>    a case, all cases of one load, or `validation`, `memory` or `idle`; may be repeated; writes nothing
//   --rounds <n>     instead of 7
//   --server-core, --load-core   instead of 0 and 1
import { parseArgs } from 'node:util';
import { StepError } from '../scripts/progress.mjs';
import { build } from './build.mjs';
import { cases } from './cases.mjs';
import { idleCases, measureIdle } from './idle.mjs';
import { assertTools, describeMachine } from './machine.mjs';
import { compare } from './measure.mjs';
import { measureFootprints, memoryCases } from './memory.mjs';
import { verdictOf, writeReport } from './report.mjs';
import { endServersWithProcess } from './servers.mjs';
import { measureValidation } from './validation-case.mjs';

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
    rounds: { type: 'string' },
    'server-core': { type: 'string', default: '0' },
    'load-core': { type: 'string', default: '1' },
  },
});

/** @type {import('./measure.mjs').Plan} */
const plan = {
  rounds: Number(values.rounds ?? (values.quick ? 3 : 7)),
  seconds: values.quick ? 1 : 2,
  warmUpShare: values.quick ? 0.5 : 1,
  serverCore: values['server-core'],
  loadCore: values['load-core'],
};
const idleSeconds = values.quick ? 5 : 60;
const idleCount = values.quick ? 1000 : 10_000;
const isWhole = values.only.length === 0 && !values.quick;

/** @param {string} name */
function isWanted(name) {
  return values.only.length === 0 || values.only.some((one) => name === one || name.startsWith(`${one}/`));
}

/** @param {unknown} error */
function messageOf(error) {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? `: ${error.cause.message}` : '';
  return `${error.message}${cause}`.split('\n', 1)[0] ?? '';
}

/** @returns {Promise<import('./report.mjs').Result[]>} */
async function comparePairs() {
  const results = [];
  for (const one of cases.filter(({ name }) => isWanted(name))) {
    try {
      const comparison = await compare(one.load, [one.subject, one.peer], plan);
      const { ratio, ratios, costs } = comparison;
      results.push({ ...one, comparison });
      const range = `${Math.min(...ratios).toFixed(3)} to ${Math.max(...ratios).toFixed(3)}`;
      const against = costs.map((cost) => cost.toFixed(2)).join(' µs against ');
      const target = one.target === undefined ? '' : ` ≤ ${one.target}`;
      console.log(
        `${one.name}: ratio ${ratio.toFixed(3)} (${range}), ${against} µs, ${verdictOf({ ...one, comparison })}${target}`,
      );
      const shown = (comparison.latencies ?? []).map(({ p50Us, p99Us }) => `${p50Us} / ${p99Us}`);
      console.log(`${one.name}: p50 / p99 ${shown.join(' against ')} µs`);
    } catch (error) {
      console.error(`${one.name}: not measured`, error);
      results.push({ ...one, failure: messageOf(error) });
    }
  }
  return results;
}

/** @returns {Promise<import('./report.mjs').FootprintResult[]>} */
async function measureMemory() {
  const wanted = memoryCases.filter(({ server, load }) => isWanted(`memory/${server}/${load}`));
  if (wanted.length === 0) return [];
  try {
    const footprints = await measureFootprints(wanted, plan, idleSeconds);
    return wanted.map((one, index) => {
      const { atStart = 0, afterLoad = 0, afterIdle = 0 } = footprints[index] ?? {};
      const shown = [atStart, afterLoad, afterIdle].map((bytes) => `${(bytes / 2 ** 20).toFixed(0)} MiB`);
      console.log(`memory/${one.server}/${one.load}: RSS ${shown.join(', ')} (start, load, ${idleSeconds} s idle)`);
      return { ...one, footprint: { atStart, afterLoad, afterIdle } };
    });
  } catch (error) {
    console.error('memory: not measured', error);
    return wanted.map((one) => ({ ...one, failure: messageOf(error) }));
  }
}

/** @returns {Promise<import('./report.mjs').IdleResult[]>} */
async function measureIdleConnections() {
  const results = [];
  for (const one of idleCases.filter(({ server, load }) => isWanted(`idle/${server}/${load}`))) {
    try {
      const memory = await measureIdle(one, { count: idleCount, core: plan.serverCore });
      results.push({ ...one, memory });
      const shown = Object.entries(memory).map(([key, bytes]) => `${key} ${(bytes / 1024).toFixed(1)} KiB`);
      console.log(`idle/${one.server}/${one.load}: ${shown.join(', ')} per connection`);
    } catch (error) {
      console.error(`idle/${one.server}/${one.load}: not measured`, error);
      results.push({ ...one, failure: messageOf(error) });
    }
  }
  return results;
}

async function main() {
  endServersWithProcess();
  assertTools();
  const machine = describeMachine();
  await build();
  const results = await comparePairs();
  const validation = isWanted('validation') ? await measureValidation(plan.serverCore) : { text: '', ok: true };
  if (validation.text !== '') console.log(`validation: ${validation.text}`);
  const footprints = await measureMemory();
  const idle = await measureIdleConnections();
  if (isWhole) {
    const date = new Date().toISOString().slice(0, 10);
    writeReport({ machine, plan, results, idle, idleCount, footprints, idleSeconds, validation, date });
    console.log('written: bench/RESULTS.md, bench/results/');
  }
  // A missed target is a result; what could not be measured is a failure.
  if (!validation.ok || [...results, ...footprints, ...idle].some(({ failure }) => failure !== undefined))
    process.exitCode = 1;
}

try {
  await main();
} catch (error) {
  if (error instanceof StepError && error.output) console.error(error.output);
  console.error(`bench: ${/** @type {Error} */ (error).message}`);
  process.exitCode = 1;
}
