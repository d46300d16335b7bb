// wrk for HTTP/1.1, h2load for HTTP/2 and gRPC: both cost less per request than the servers they load.
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * @typedef {import('./loads.mjs').Load} Load
 * @typedef {import('./probe.mjs').Request} Request
 */

/**
 * @typedef {object} Volley what a generator counted
 * @property {number} requests answered, all of them rightly
 * @property {number} seconds
 */

/** @typedef {{ p50Us: number, p99Us: number }} Latency of a request, as its generator sees it */

/** @type {Record<Load['protocol'], { program: string, package: string }>} */
export const generators = {
  http1: { program: 'wrk', package: 'wrk' },
  http2: { program: 'h2load', package: 'nghttp2-client' },
};

/**
 * Loads one kind of request onto one server after the other.
 */
export class Generator {
  #scratch = mkdtempSync(join(tmpdir(), 'rookery-bench-'));
  /** @type {Load} */
  #load;
  /** @type {Request} */
  #request;
  /** @type {string} */
  #core;

  /**
   * @param {Load} load
   * @param {Request} request
   * @param {string} core
   */
  constructor(load, request, core) {
    this.#load = load;
    this.#request = request;
    this.#core = core;
  }

  /**
   * @param {number} port
   * @param {{ requests: number, seconds: number }} amount HTTP/2 goes by the requests, HTTP/1.1 by the time
   * @param {{ bodyBytes: number, wireBytes: number }} size of one right answer
   * @returns {Promise<Volley>}
   * @throws Error when an answer was wrong, or the bytes do not add up
   */
  async fire(port, { requests, seconds }, size) {
    return this.#load.protocol === 'http1'
      ? this.#wrk(port, seconds, size.wireBytes)
      : this.#h2load(port, requests, size.bodyBytes);
  }

  /**
   * Fires once more, and looks at each request: apart, as h2load's record of them costs time.
   *
   * @param {number} port
   * @param {{ requests: number, seconds: number }} amount
   * @param {{ bodyBytes: number, wireBytes: number }} size
   * @returns {Promise<Latency>}
   */
  async latency(port, { requests, seconds }, size) {
    if (this.#load.protocol === 'http1') return readWrkLatency(await this.#runWrk(port, seconds));
    const log = join(this.#scratch, 'requests.tsv');
    rmSync(log, { force: true });
    await this.#h2load(port, requests, size.bodyBytes, [`--log-file=${log}`]);
    return readH2loadLog(readFileSync(log, 'utf8'));
  }

  close() {
    rmSync(this.#scratch, { recursive: true, force: true });
  }

  /**
   * @param {string} program
   * @param {string[]} args
   */
  async #pinned(program, args) {
    const { stdout } = await run('taskset', ['-c', this.#core, program, ...args], { maxBuffer: 2 ** 24 });
    return stdout;
  }

  /**
   * @param {number} port
   * @param {number} requests
   * @param {number} bodyBytes
   * @param {string[]} [more]
   */
  async #h2load(port, requests, bodyBytes, more = []) {
    const { method, path, headers, body } = this.#request;
    const { connections, streams } = this.#load;
    const args = ['-t1', `-c${connections}`, `-m${streams}`, `-n${requests}`, ...more];
    for (const [name, value] of Object.entries(headers)) args.push('-H', `${name}: ${value}`);
    if (body) {
      const file = join(this.#scratch, 'body');
      writeFileSync(file, body);
      args.push('-d', file);
    } else if (method !== 'GET') throw new Error(`${method} without a body: not what h2load can send`);
    const output = await this.#pinned('h2load', [...args, `http://127.0.0.1:${port}${path}`]);
    return readH2load(output, requests, bodyBytes);
  }

  /**
   * @param {number} port
   * @param {number} seconds
   * @param {number} wireBytes
   */
  async #wrk(port, seconds, wireBytes) {
    return readWrk(await this.#runWrk(port, seconds), this.#load.connections, wireBytes);
  }

  /**
   * @param {number} port
   * @param {number} seconds
   */
  async #runWrk(port, seconds) {
    const { path } = this.#request;
    const { connections } = this.#load;
    const file = join(this.#scratch, 'load.lua');
    writeFileSync(file, luaFor(this.#request));
    const args = ['-t1', `-c${connections}`, `-d${Math.ceil(seconds)}s`, '-s', file];
    return this.#pinned('wrk', [...args, `http://127.0.0.1:${port}${path}`]);
  }
}

/** @param {Request} request */
function luaFor({ method, headers, body }) {
  const lines = [`wrk.method = ${JSON.stringify(method)}`];
  if (body) lines.push(`wrk.body = ${JSON.stringify(body.toString())}`);
  for (const [name, value] of Object.entries(headers))
    lines.push(`wrk.headers[${JSON.stringify(name)}] = ${JSON.stringify(value)}`);
  lines.push(`
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '\\n{"requests":%d,"bytes":%d,"duration":%d,"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d,"p50":%d,"p99":%d}\\n',
    summary.requests, summary.bytes, summary.duration, e.connect, e.read, e.write, e.status, e.timeout,
    latency:percentile(50), latency:percentile(99)))
end`);
  return `${lines.join('\n')}\n`;
}

/**
 * @param {string} output
 * @param {number} requests that were to be made
 * @param {number} bodyBytes of one right answer
 * @returns {Volley}
 * @throws Error unless each request got a 2xx and the bodies have the bytes of that many right answers
 */
export function readH2load(output, requests, bodyBytes) {
  const succeeded = Number(/(\d+) succeeded, 0 failed, 0 errored, 0 timeout/.exec(output)?.[1]);
  const ok = Number(/status codes: (\d+) 2xx/.exec(output)?.[1]);
  const dataBytes = Number(/\((\d+)\) data/.exec(output)?.[1]);
  if (succeeded !== requests || ok !== requests)
    throw new Error(`h2load: not all of ${requests} requests were answered with 2xx:\n${output}`);
  if (dataBytes !== requests * bodyBytes)
    throw new Error(`h2load: ${dataBytes} data bytes (expected: ${requests} × ${bodyBytes})\n${output}`);
  const [, time, unit = ''] = /finished in ([\d.]+)(us|ms|s)\b/.exec(output) ?? [];
  const seconds = Number(time) * (secondsIn[unit] ?? Number.NaN);
  if (!(seconds > 0)) throw new Error(`h2load: no time in its output:\n${output}`);
  return { requests, seconds };
}

/** @type {Record<string, number>} */
const secondsIn = { us: 1e-6, ms: 1e-3, s: 1 };

/**
 * @param {string} output with the line of JSON that {@link luaFor} asks for
 * @param {number} connections
 * @param {number} wireBytes of one right answer with its head
 * @returns {Volley}
 * @throws Error when a request failed, or the bytes are not those of that many right answers
 */
export function readWrk(output, connections, wireBytes) {
  const line = /^\{.*\}$/m.exec(output)?.[0];
  if (line === undefined) throw new Error(`wrk: no report in its output:\n${output}`);
  const { requests, bytes, duration, connect, read, write, status, timeout } = JSON.parse(line);
  if (connect + read + write + status + timeout !== 0) throw new Error(`wrk: the load met failures:\n${output}`);
  // What was on its way when the time was over is in the bytes and not in the requests.
  const surplus = bytes - requests * wireBytes;
  if (!(surplus >= 0 && surplus <= connections * wireBytes))
    throw new Error(`wrk: ${bytes} bytes (expected: about ${requests} × ${wireBytes})\n${output}`);
  return { requests, seconds: duration / 1e6 };
}

/**
 * @param {string} output with the line of JSON that {@link luaFor} asks for
 * @returns {Latency}
 */
export function readWrkLatency(output) {
  const { p50, p99 } = JSON.parse(/^\{.*\}$/m.exec(output)?.[0] ?? '{}');
  if (!(p50 > 0 && p99 >= p50)) throw new Error(`wrk: no latencies in its output:\n${output}`);
  return { p50Us: p50, p99Us: p99 };
}

/**
 * @param {string} log a line for each request: when it began, its status, and how long it took, in µs
 * @returns {Latency}
 */
export function readH2loadLog(log) {
  const times = log
    .split('\n')
    .map((line) => Number(line.split('\t')[2]))
    .filter((time) => time > 0)
    .toSorted((a, b) => a - b);
  const at = (/** @type {number} */ share) => times[Math.ceil(times.length * share) - 1] ?? Number.NaN;
  if (times.length === 0) throw new Error('h2load: no request in its log');
  return { p50Us: at(0.5), p99Us: at(0.99) };
}
