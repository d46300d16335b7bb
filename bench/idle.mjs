// What a connection costs that nobody uses: opened, asked one thing, left alone.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ROOT } from '../scripts/tools.mjs';
import { loadNamed, untilRight } from './measure.mjs';
import { rssOf } from './memory.mjs';
import { programs, startServer } from './servers.mjs';

/** Connections opened at a time. */
const BATCH = 100;
/** Time for one connection to get its answer, in ms. */
const ANSWER_MS = 10_000;
/** Time for what the last answers left behind to go, in ms. */
const SETTLE_MS = 1000;

/**
 * @typedef {import('./probe.mjs').Request} Request
 * @typedef {'http1' | 'http2'} Protocol
 */

/**
 * @typedef {object} Memory bytes
 * @property {number} [heapUsed] of a Node process, after a full collection
 * @property {number} [external]
 * @property {number} rss
 */

/**
 * @typedef {object} IdleCase
 * @property {string} server
 * @property {string} load names the protocol and the one request
 * @property {number} [targetBytes] of heap per connection
 */

/** @type {IdleCase[]} */
export const idleCases = [
  { server: 'rookery', load: 'grpc-unary', targetBytes: 10 * 1024 },
  { server: 'rookery', load: 'rest-get', targetBytes: 10 * 1024 },
  { server: 'grpc-js', load: 'grpc-unary' },
  { server: 'node-http', load: 'rest-get' },
  { server: 'go-gin', load: 'grpc-unary' },
  { server: 'go-gin', load: 'rest-get' },
];

/**
 * @param {IdleCase} idleCase
 * @param {{ count: number, core: string }} options
 * @returns {Promise<Memory>} growth per connection
 */
export async function measureIdle({ server: name, load: loadName }, { count, core }) {
  assertFileLimit(count);
  const load = loadNamed(loadName);
  const isNode = /\.m?js$/.test(programs[name]?.file ?? '');
  const preload = ['--expose-gc', '--import', `${ROOT}/bench/heap-report.mjs`];
  const server = await startServer(name, { core, ipc: isNode, nodeArgs: isNode ? preload : [] });
  const sockets = [];
  try {
    await untilRight(server, load);
    const request = await load.request();
    // What the first connections bring to life, code and tables, is not the price of a connection.
    const early = await openMany(server.port, load.protocol, request, BATCH);
    for (const socket of early) socket.destroy();
    await sleep(SETTLE_MS);
    const before = await memoryOf(server);
    sockets.push(...(await openMany(server.port, load.protocol, request, count)));
    await sleep(SETTLE_MS);
    const after = await memoryOf(server);
    const open = sockets.filter((socket) => !socket.destroyed && socket.readyState === 'open').length;
    if (open !== count) throw new Error(`${name}: ${open} connections still open (expected: ${count})`);
    return perConnection(before, after, count);
  } finally {
    for (const socket of sockets) socket.destroy();
    await server.stop();
  }
}

/** @param {number} count */
function assertFileLimit(count) {
  const limit = Number(/^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? 0);
  if (limit < count + 500) throw new Error(`open files: at most ${limit} (expected: ${count + 500}; see ulimit -n)`);
}

/**
 * @param {import('./servers.mjs').Server} server
 * @returns {Promise<Memory>}
 */
async function memoryOf({ pid, child }) {
  if (child.channel) {
    const answer = once(child, 'message', { signal: AbortSignal.timeout(ANSWER_MS) });
    child.send('report');
    const [memory] = await answer;
    return memory;
  }
  return { rss: rssOf(pid) };
}

/**
 * @param {Memory} before
 * @param {Memory} after
 * @param {number} count
 * @returns {Memory}
 */
function perConnection(before, after, count) {
  const growth = (/** @type {keyof Memory} */ key) => ((after[key] ?? 0) - (before[key] ?? 0)) / count;
  if (before.heapUsed === undefined) return { rss: growth('rss') };
  return { heapUsed: growth('heapUsed'), external: growth('external'), rss: growth('rss') };
}

/**
 * @param {number} port
 * @param {Protocol} protocol
 * @param {Request} request
 * @param {number} count
 */
async function openMany(port, protocol, request, count) {
  const bytes = protocol === 'http1' ? http1Bytes(request) : http2Bytes(request);
  const sockets = [];
  while (sockets.length < count) {
    const size = Math.min(BATCH, count - sockets.length);
    const batch = Array.from({ length: size }, () => openOne(port, bytes, protocol));
    sockets.push(...(await Promise.all(batch)));
  }
  return sockets;
}

/**
 * @param {number} port
 * @param {Buffer} bytes
 * @param {Protocol} protocol
 */
async function openOne(port, bytes, protocol) {
  const socket = connect(port, '127.0.0.1');
  const signal = AbortSignal.timeout(ANSWER_MS);
  await once(socket, 'connect', { signal });
  socket.write(bytes);
  let received = Buffer.alloc(0);
  while (!(protocol === 'http1' ? isWholeAnswer(received) : isWholeStream(received))) {
    const [chunk] = await once(socket, 'data', { signal });
    received = Buffer.concat([received, chunk]);
  }
  // Acknowledges the server's SETTINGS, so that it does not wait for it.
  if (protocol === 'http2') socket.write(frame(4, 1, 0, Buffer.alloc(0)));
  socket.on('data', () => {});
  socket.on('error', () => {});
  return socket;
}

/** @param {Request} request */
function http1Bytes({ method, path, headers }) {
  const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`${method} ${path} HTTP/1.1\r\nhost: localhost\r\n${fields.join('')}\r\n`);
}

/** @param {Buffer} bytes */
function isWholeAnswer(bytes) {
  const text = bytes.toString('latin1');
  const headEnd = text.indexOf('\r\n\r\n');
  const length = /\r\ncontent-length: *(\d+)/i.exec(text)?.[1];
  return headEnd >= 0 && length !== undefined && bytes.length >= headEnd + 4 + Number(length);
}

/**
 * Preface, SETTINGS and one request on stream 1. The header fields are literals without Huffman and without the table
 * (RFC 7541 section 6.2.2), each shorter than 127 bytes.
 *
 * @param {Request} request
 */
function http2Bytes({ method, path, headers, body }) {
  const fields = { ':method': method, ':scheme': 'http', ':path': path, ':authority': 'localhost', ...headers };
  const block = Object.entries(fields).flatMap(([name, value]) => [
    Buffer.from([0, name.length]),
    Buffer.from(name),
    Buffer.from([value.length]),
    Buffer.from(value),
  ]);
  return Buffer.concat([
    Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    frame(4, 0, 0, Buffer.alloc(0)),
    frame(1, body ? 4 : 5, 1, Buffer.concat(block)),
    ...(body ? [frame(0, 1, 1, body)] : []),
  ]);
}

/**
 * @param {number} type
 * @param {number} flags
 * @param {number} stream
 * @param {Buffer} payload
 */
function frame(type, flags, stream, payload) {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/**
 * Whether a frame of stream 1 with END_STREAM is there.
 *
 * @param {Buffer} bytes
 */
function isWholeStream(bytes) {
  for (let at = 0; at + 9 <= bytes.length; ) {
    const end = at + 9 + bytes.readUIntBE(at, 3);
    const type = bytes[at + 3];
    const isLast = ((bytes[at + 4] ?? 0) & 1) === 1 && (type === 0 || type === 1);
    if (type === 7 || type === 3) throw new Error(`the server ended the call: frame of type ${type}`);
    if (isLast && bytes.readUInt32BE(at + 5) === 1 && end <= bytes.length) return true;
    at = end;
  }
  return false;
}
