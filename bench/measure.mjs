// Two servers, loaded in turn: what a request costs on the one in terms of the other.
import { setTimeout as sleep } from 'node:timers/promises';

import { cpuTimeUs, median } from './cpu-time.mjs';
import { Generator } from './generators.mjs';
import { loads, verify } from './loads.mjs';
import { startServer } from './servers.mjs';

/** Rounds for the latencies, of which the medians count. */
const LATENCY_ROUNDS = 3;

/** Time for a server to give its first answer, in ms. */
const START_MS = 30_000;

/**
 * @typedef {import('./loads.mjs').Load} Load
 * @typedef {import('./servers.mjs').Server} Server
 * @typedef {import('./generators.mjs').Latency} Latency
 */

/**
 * @typedef {object} Plan
 * @property {number} rounds
 * @property {number} seconds of one server's part of a round
 * @property {number} warmUpShare of the load's warm-up; 1 but for a quick look
 * @property {string} serverCore
 * @property {string} loadCore
 */

/**
 * @typedef {object} Sample
 * @property {number} round
 * @property {'subject' | 'peer'} position
 * @property {string} server
 * @property {number} requests
 * @property {number} cpuUs of the server's process
 * @property {number} seconds
 */

/**
 * @typedef {object} Comparison
 * @property {Sample[]} samples
 * @property {number[]} ratios per round, first server over second
 * @property {number} ratio median
 * @property {[number, number]} costs µs per unit, medians
 * @property {[Latency, Latency]} [latencies] of the same servers, after the rounds
 */

/**
 * @param {string} loadName
 * @param {readonly [string, string]} names
 * @param {Plan} plan
 * @returns {Promise<Comparison>}
 */
export async function compare(loadName, names, plan) {
  const load = loadNamed(loadName);
  /** @type {Server[]} */
  const servers = [];
  const generator = new Generator(load, await load.request(), plan.loadCore);
  try {
    for (const name of names) servers.push(await startServer(name, { core: plan.serverCore }));
    const subjects = [];
    for (const server of servers) {
      const size = await untilRight(server, load);
      subjects.push({ server, size, requests: await warmUp(generator, server, load, size, plan) });
    }
    /** @type {Sample[]} */
    const samples = [];
    for (let round = 1; round <= plan.rounds; round += 1) {
      for (const [index, { server, size, requests }] of subjects.entries()) {
        const before = cpuTimeUs(server.pid);
        const volley = await generator.fire(server.port, { requests, seconds: plan.seconds }, size);
        const cpuUs = cpuTimeUs(server.pid) - before;
        const position = index === 0 ? 'subject' : 'peer';
        samples.push({ round, position, server: server.name, cpuUs, ...volley });
      }
    }
    const latencies = await latenciesOf(subjects, generator, plan);
    for (const server of servers) await untilRight(server, load);
    return { ...evaluate(samples, load.perRequest), latencies };
  } finally {
    generator.close();
    await Promise.all(servers.map((server) => server.stop()));
  }
}

/**
 * @param {{ server: Server, size: { bodyBytes: number, wireBytes: number }, requests: number }[]} subjects
 * @param {Generator} generator
 * @param {Plan} plan
 * @returns {Promise<[Latency, Latency]>}
 */
async function latenciesOf(subjects, generator, { seconds }) {
  /** @type {Latency[][]} */
  const seen = subjects.map(() => []);
  for (let round = 0; round < LATENCY_ROUNDS; round += 1)
    for (const [index, { server, size, requests }] of subjects.entries())
      seen[index]?.push(await generator.latency(server.port, { requests, seconds }, size));
  const [first, second] = seen.map((each) => ({
    p50Us: median(each.map(({ p50Us }) => p50Us)),
    p99Us: median(each.map(({ p99Us }) => p99Us)),
  }));
  return [/** @type {Latency} */ (first), /** @type {Latency} */ (second)];
}

/** @param {string} name */
export function loadNamed(name) {
  const load = loads[name];
  if (!load) throw new Error(`unknown load "${name}" (expected: ${Object.keys(loads).join(', ')})`);
  return load;
}

/**
 * @param {Server} server
 * @param {Load} load
 */
export async function untilRight(server, load) {
  const until = performance.now() + START_MS;
  for (;;) {
    try {
      return await verify(server.port, load);
    } catch (error) {
      const isStarting = /** @type {NodeJS.ErrnoException} */ (error).code === 'ECONNREFUSED';
      const { exitCode } = server.child;
      if (exitCode !== null) throw new Error(`${server.name}: ended with ${exitCode}`, { cause: error });
      if (!isStarting || performance.now() > until)
        throw new Error(`${server.name}: not the right answer to "${load.title}"`, { cause: error });
      await sleep(50);
    }
  }
}

/**
 * Warms the server up, and finds out how many requests it answers in a round.
 *
 * @param {Generator} generator
 * @param {Server} server
 * @param {Load} load
 * @param {{ bodyBytes: number, wireBytes: number }} size
 * @param {Pick<Plan, 'seconds' | 'warmUpShare'>} plan
 */
export async function warmUp(generator, server, load, size, { seconds, warmUpShare }) {
  const wanted = Math.ceil(load.warmUp * warmUpShare);
  let done = 0;
  let perSecond = 0;
  // In parts: the rate of the last one is that of a warm server.
  while (done < wanted) {
    const volley = await generator.fire(server.port, { requests: Math.ceil(wanted / 2), seconds: 1 }, size);
    done += volley.requests;
    perSecond = volley.requests / volley.seconds;
  }
  return Math.max(load.connections * load.streams, Math.round(perSecond * seconds));
}

/**
 * @param {Sample[]} samples
 * @param {number} perRequest
 * @returns {Comparison}
 */
function evaluate(samples, perRequest) {
  const cost = (/** @type {Sample} */ { cpuUs, requests }) => cpuUs / requests / perRequest;
  const first = samples.filter(({ position }) => position === 'subject').map(cost);
  const second = samples.filter(({ position }) => position === 'peer').map(cost);
  const ratios = first.map((one, index) => one / (second[index] ?? Number.NaN));
  return { samples, ratios, ratio: median(ratios), costs: [median(first), median(second)] };
}
