// The programs that are measured: how each is started, pinned to a core, and stopped.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { ROOT } from '../scripts/tools.mjs';
import { secret } from './token.mjs';

/** Time for an orderly end, in ms. */
const STOP_MS = 5000;

/**
 * @typedef {object} Program
 * @property {string} title
 * @property {string} file relative to the root; a `.js` or `.mjs` runs on this Node
 * @property {string[]} [args]
 * @property {Record<string, string>} [env]
 */

/** @type {Record<string, Program>} */
export const programs = {
  rookery: { title: 'Rookery', file: '.cache/bench/js/service/main.js' },
  'rookery-uncounted': {
    title: 'Rookery without its request metrics',
    file: '.cache/bench/js/service/main.js',
    env: { BENCH_METRICS: 'off' },
  },
  'go-grpc': { title: 'bare grpc-go', file: '.cache/bench/bin/go-peer', args: ['grpc'] },
  'go-gin': { title: 'Gin + grpc-go + cmux', file: '.cache/bench/bin/go-peer', args: ['hybrid'] },
  'grpc-js': { title: 'bare grpc-js', file: 'bench/peers/grpc-js.mjs' },
  'node-http': { title: 'bare node:http', file: 'bench/peers/node-http.mjs' },
  'nest-rest': { title: 'Nest + Fastify, same pipeline', file: '.cache/bench/js/peers/nest/rest.js' },
  'nest-rest-h2': {
    title: 'Nest + Fastify on node:http2, same pipeline',
    file: '.cache/bench/js/peers/nest/rest.js',
    env: { HTTP2: '1' },
  },
  'nest-grpc': { title: 'Nest gRPC, same pipeline', file: '.cache/bench/js/peers/nest/grpc.js' },
};

/**
 * @typedef {object} Server
 * @property {string} name
 * @property {string} title
 * @property {number} port
 * @property {number} pid
 * @property {import('node:child_process').ChildProcess} child
 * @property {() => Promise<void>} stop
 */

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();

/** For a command: whatever ends it ends the servers too. */
export function endServersWithProcess() {
  process.on('exit', () => {
    for (const child of running) child.kill('SIGKILL');
  });
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']))
    process.on(signal, () => process.exit(1));
}

/**
 * Starts a program on a free port; whether it answers is for a probe to find out.
 *
 * @param {string} name
 * @param {{ core: string, nodeArgs?: string[], ipc?: boolean }} options `ipc` for a Node program that is asked questions
 * @returns {Promise<Server>}
 */
export async function startServer(name, { core, nodeArgs = [], ipc = false }) {
  const program = programs[name];
  if (!program) throw new Error(`unknown server "${name}" (expected: ${Object.keys(programs).join(', ')})`);
  const port = await freePort();
  const file = join(ROOT, program.file);
  const command = /\.m?js$/.test(file) ? [process.execPath, ...nodeArgs, file] : [file];
  const child = spawn('taskset', ['-c', core, ...command, ...(program.args ?? [])], {
    cwd: ROOT,
    env: {
      PATH: process.env['PATH'] ?? '',
      NODE_ENV: 'production',
      PORT: String(port),
      BENCH_SECRET: secret,
      ...program.env,
    },
    stdio: ['ignore', 'inherit', 'pipe', ...(ipc ? [/** @type {const} */ ('ipc')] : [])],
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  await once(child, 'spawn');
  if (child.pid === undefined || !child.stderr) throw new Error(`${name}: not started`);
  // Of an inspected server it is the inspector's talk, which its client reads.
  if (!nodeArgs.some((one) => one.startsWith('--inspect'))) child.stderr.pipe(process.stderr, { end: false });
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    await ended;
    clearTimeout(late);
  };
  return { name, title: program.title, port, pid: child.pid, child, stop };
}

/** @returns {Promise<number>} */
async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  server.close();
  await once(server, 'close');
  return port;
}
