// What a long step shows: a line when it begins, one at least every 15 s while it goes on, one when it ends.
// Runs on the Node that the machine has (20 or newer), so no newer syntax or API here.
import { spawn } from 'node:child_process';

/** Well under the promised 15 s, so that a busy machine keeps the promise too. */
const HEARTBEAT_MS = 10_000;

/** Enough to hold a compiler's complaints, little enough not to fill memory. */
const KEPT_OUTPUT_CHARS = 256 * 1024;

/** The exit code that stands for "a signal ended it", as shells have it. */
export const ENDED_BY_SIGNAL = 128;

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();

/** A step that failed: `message` is the one line a reader needs, `output` what the tool said. */
export class StepError extends Error {
  /**
   * @param {string} message
   * @param {string} [output]
   */
  constructor(message, output = '') {
    super(message);
    this.output = output;
  }
}

/** @param {string} text */
export function say(text) {
  process.stderr.write(`rookery: ${text}\n`);
}

/** @param {number} startedAt milliseconds, as `Date.now()` gave them */
export function secondsSince(startedAt) {
  return (Date.now() - startedAt) / 1000;
}

/** What goes on, outermost first: a step inside a step speaks for both. */
/** @type {string[]} */
const stages = [];

/**
 * Writes a line every few seconds until `work` settles.
 *
 * @template T
 * @param {string} title
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withHeartbeat(title, work) {
  const startedAt = Date.now();
  const beat = () => {
    if (stages.at(-1) === title) say(`  ${title}: ${Math.round(secondsSince(startedAt))} s so far`);
  };
  const timer = setInterval(beat, HEARTBEAT_MS);
  stages.push(title);
  try {
    return await work();
  } finally {
    stages.pop();
    clearInterval(timer);
  }
}

/**
 * Runs one step of preparation and tells its beginning, progress and end.
 *
 * @template T
 * @param {string} title what happens, for people
 * @param {string} expected how long it usually takes, for people
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function step(title, expected, work) {
  const startedAt = Date.now();
  say(`${title} (${expected})`);
  try {
    const result = await withHeartbeat(title, work);
    say(`${title}: done in ${secondsSince(startedAt).toFixed(1)} s`);
    return result;
  } catch (error) {
    const { message } = /** @type {Error} */ (error);
    throw new StepError(`step "${title}" failed: ${message}`, error instanceof StepError ? error.output : '');
  }
}

/**
 * Runs a program to its end and keeps what it writes.
 *
 * @param {string} file
 * @param {readonly string[]} args
 * @param {{ cwd: string, env?: NodeJS.ProcessEnv, onStart?: (pid: number) => void }} options
 * @returns {Promise<{ code: number, output: string }>} code {@link ENDED_BY_SIGNAL} when a signal ended it
 */
export function execute(file, args, { cwd, env = process.env, onStart }) {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], windowsHide: true });
    let output = '';
    const keep = (/** @type {string} */ chunk) => {
      output = (output + chunk).slice(-KEPT_OUTPUT_CHARS);
    };
    running.add(child);
    child.stdout.setEncoding('utf8').on('data', keep);
    child.stderr.setEncoding('utf8').on('data', keep);
    child.on('spawn', () => child.pid !== undefined && onStart?.(child.pid));
    child.on('error', (error) => {
      running.delete(child);
      reject(new StepError(`${file} could not be started: ${error.message}`));
    });
    child.on('close', (code) => {
      running.delete(child);
      resolve({ code: code ?? ENDED_BY_SIGNAL, output: output.trimEnd() });
    });
  });
}

/**
 * A signal during preparation ends the tool at work and then this process, by the same signal.
 * Returns a function that takes the handlers off again.
 */
export function endChildrenOnSignal() {
  /** @type {NodeJS.Signals[]} */
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  const end = (/** @type {NodeJS.Signals} */ signal) => {
    off();
    for (const child of running) child.kill(signal);
    process.kill(process.pid, signal);
  };
  const off = () => {
    for (const signal of signals) process.off(signal, end);
  };
  for (const signal of signals) process.on(signal, end);
  return off;
}
