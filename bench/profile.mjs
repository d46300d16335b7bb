// Where a server spends its time under a load: `npm run bench -- profile rookery grpc-unary`, or
// `node bench/profile.mjs <server> <load> [--top 40] [--seconds 5]`. The profile of the warm server is kept for DevTools.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT } from '../scripts/tools.mjs';
import { build } from './build.mjs';
import { cpuTimeUs } from './cpu-time.mjs';
import { Generator } from './generators.mjs';
import { loadNamed, untilRight, warmUp } from './measure.mjs';
import { endServersWithProcess, startServer } from './servers.mjs';

/**
 * @typedef {object} CallFrame
 * @property {string} functionName
 * @property {string} url
 * @property {number} lineNumber
 */

/**
 * @typedef {object} Profile
 * @property {{ id: number, callFrame: CallFrame }[]} nodes
 * @property {number[]} samples
 * @property {number[]} timeDeltas µs
 */

/** A client of the inspector of a Node process. */
class Inspector {
  /** @type {WebSocket} */
  #socket;
  #lastId = 0;

  /** @param {WebSocket} socket */
  constructor(socket) {
    this.#socket = socket;
  }

  /** @param {import('./servers.mjs').Server} server started with `--inspect` */
  static async of({ child, name }) {
    const url = await new Promise((resolve, reject) => {
      child.stderr?.on('data', (text) => {
        const found = /ws:\/\/\S+/.exec(String(text))?.[0];
        if (found) resolve(found);
      });
      child.once('exit', () => reject(new Error(`${name}: ended before its inspector was up`)));
    });
    const socket = new WebSocket(url);
    await new Promise((resolve, reject) => {
      socket.addEventListener('open', resolve, { once: true });
      socket.addEventListener('error', reject, { once: true });
    });
    return new Inspector(socket);
  }

  /**
   * @param {string} method
   * @param {object} [params]
   * @returns {Promise<any>}
   */
  ask(method, params = {}) {
    this.#lastId += 1;
    const id = this.#lastId;
    const { promise, resolve, reject } = Promise.withResolvers();
    const onMessage = (/** @type {MessageEvent} */ { data }) => {
      const message = JSON.parse(String(data));
      if (message.id !== id) return;
      this.#socket.removeEventListener('message', onMessage);
      if (message.error) reject(new Error(`${method}: ${message.error.message}`));
      else resolve(message.result);
    };
    this.#socket.addEventListener('message', onMessage);
    this.#socket.send(JSON.stringify({ id, method, params }));
    return promise;
  }

  close() {
    this.#socket.close();
  }
}

/**
 * @param {string} serverName
 * @param {string} loadName
 * @param {number} seconds
 */
async function takeProfile(serverName, loadName, seconds) {
  const load = loadNamed(loadName);
  const generator = new Generator(load, await load.request(), '1');
  const server = await startServer(serverName, { core: '0', nodeArgs: ['--inspect=127.0.0.1:0'] });
  try {
    const inspector = await Inspector.of(server);
    const size = await untilRight(server, load);
    const requests = await warmUp(generator, server, load, size, { seconds, warmUpShare: 1 });
    await inspector.ask('Profiler.enable');
    await inspector.ask('Profiler.setSamplingInterval', { interval: 200 });
    await inspector.ask('Profiler.start');
    const before = cpuTimeUs(server.pid);
    const volley = await generator.fire(server.port, { requests, seconds }, size);
    const cpuUs = cpuTimeUs(server.pid) - before;
    const { profile } = await inspector.ask('Profiler.stop');
    inspector.close();
    return { profile: /** @type {Profile} */ (profile), units: volley.requests * load.perRequest, cpuUs };
  } finally {
    generator.close();
    await server.stop();
  }
}

/**
 * Self time in µs by a key of the function.
 *
 * @param {Profile} profile
 * @param {(frame: CallFrame) => string} keyOf
 * @returns {[string, number][]} the largest first; idle time left out
 */
function selfTimes({ nodes, samples, timeDeltas }, keyOf) {
  const keys = new Map(nodes.map(({ id, callFrame }) => [id, keyOf(callFrame)]));
  /** @type {Map<string, number>} */
  const times = new Map();
  for (const [index, id] of samples.entries()) {
    const key = keys.get(id) ?? '?';
    times.set(key, (times.get(key) ?? 0) + (timeDeltas[index] ?? 0));
  }
  times.delete('(idle)');
  return [...times].sort((a, b) => b[1] - a[1]);
}

/** @param {CallFrame} frame */
function fileOf({ functionName, url }) {
  if (url === '') return functionName.startsWith('(') ? functionName : '(built-in)';
  return decodeURI(url.replace('file://', ''))
    .replace(ROOT, '')
    .replace(/^.*node_modules\//, '');
}

/**
 * @param {string} title
 * @param {[string, number][]} times
 * @param {number} units
 * @param {number} count
 */
function printTimes(title, times, units, count) {
  const total = times.reduce((sum, [, time]) => sum + time, 0);
  console.log(`\n${title}\n   µs each    share`);
  for (const [key, time] of times.slice(0, count)) {
    const share = ((time / total) * 100).toFixed(1);
    console.log(`${(time / units).toFixed(3).padStart(10)} ${share.padStart(6)} %  ${key}`);
  }
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { top: { type: 'string', default: '40' }, seconds: { type: 'string', default: '5' } },
});
const [serverName = 'rookery', loadName = 'grpc-unary'] = positionals;
endServersWithProcess();
await build();
const { profile, units, cpuUs } = await takeProfile(serverName, loadName, Number(values.seconds));
const folder = join(ROOT, '.cache/bench/profiles');
mkdirSync(folder, { recursive: true });
const file = join(folder, `${serverName}-${loadName}.cpuprofile`);
writeFileSync(file, JSON.stringify(profile));
console.log(`${serverName}, ${loadName}: ${(cpuUs / units).toFixed(2)} µs each with the profiler on, ${units} of them`);
const byFunction = (/** @type {CallFrame} */ frame) =>
  frame.url === '' && frame.functionName.startsWith('(')
    ? frame.functionName
    : `${frame.functionName || '(anonymous)'} ${fileOf(frame)}:${frame.lineNumber + 1}`;
printTimes('by function, self time', selfTimes(profile, byFunction), units, Number(values.top));
printTimes('by file, self time', selfTimes(profile, fileOf), units, Math.ceil(Number(values.top) / 2));
console.log(
  '\n(program) is native code, system calls, and on a busy machine the time that the server waited for its core.',
);
console.log(`for DevTools: ${file}`);
