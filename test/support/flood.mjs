// Sends one bad request many thousand times, as fast as it is answered, from a process of its own: so that what it costs
// itself is not taken for what it costs the service. Arguments: the port. Standard input: a case as JSON. Standard output:
// how often each answer came.
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';

/**
 * @typedef {object} FloodCase
 * @property {'http1' | 'http2' | 'raw'} kind `raw`: one connection for each
 * @property {number} count
 * @property {string} [bytes] base64; the whole request for `http1` and `raw`, the body for `http2`
 * @property {Record<string, string>} [headers] for `http2`
 * @property {'answer' | 'close' | 'leave'} [until] for `raw`: when the client goes
 * @property {'connection'} [breakOff] for `http2`: go away instead of reading the answer
 */

const port = Number(process.argv[2]);
/** @type {Record<string, number>} */
const answers = {};

/** @param {string} answer */
function note(answer) {
  answers[answer] = (answers[answer] ?? 0) + 1;
}

/** Requests of one connection that are sent ahead. */
const pipelined = 50;

/** @param {Buffer} request @param {number} count */
async function keepAlive(request, count) {
  const socket = connect(port, '127.0.0.1');
  const ahead = Buffer.concat(Array.from({ length: pipelined }, () => request));
  let received = 0;
  let tail = '';
  const { promise, resolve, reject } = Promise.withResolvers();
  socket.on('error', reject);
  socket.on('close', () => reject(new Error(`closed after ${received} of ${count} answers`)));
  socket.setEncoding('latin1').on('data', (chunk) => {
    const seen = tail + chunk;
    const found = [...seen.matchAll(/HTTP\/1\.1 (\d{3}) /g)];
    for (const [, status] of found) note(status);
    // What may be the beginning of a status line is looked at again, what was counted is not.
    const last = found.at(-1);
    tail = seen.slice(Math.max(last === undefined ? 0 : last.index + last[0].length, seen.length - 12));
    received += found.length;
    if (received >= count) resolve(undefined);
    else if (found.length > 0 && received % pipelined === 0) socket.write(ahead);
  });
  socket.write(ahead);
  await promise;
  socket.removeAllListeners('close').destroy();
}

/** @param {Buffer} bytes @param {'answer' | 'close' | 'leave'} until */
async function oneConnection(bytes, until) {
  const socket = connect(port, '127.0.0.1');
  const { promise, resolve } = Promise.withResolvers();
  socket.on('error', () => {});
  socket.on('close', () => resolve('closed'));
  socket.on('data', (chunk) => {
    const answer = /^HTTP\/1\.1 (\d{3}) /.exec(chunk.toString('latin1'))?.[1] ?? 'bytes';
    if (until === 'answer') resolve(answer);
  });
  socket.on('connect', () => {
    socket.write(bytes, () => {
      if (until === 'leave') resolve('left');
    });
  });
  note(await promise);
  socket.destroy();
}

/** @param {FloodCase} flood @param {Buffer} body @param {number} count */
async function streams({ headers, breakOff }, body, count) {
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  session.on('error', () => {});
  const one = async () => {
    const { promise, resolve } = Promise.withResolvers();
    const stream = session.request({ ':method': 'POST', te: 'trailers', ...headers });
    let status = 'none';
    stream.on('response', (answer) => {
      status = String(answer['grpc-status'] ?? answer[':status']);
      if (breakOff === 'connection') resolve(undefined);
    });
    stream.on('error', () => {});
    stream.on('close', resolve);
    stream.resume();
    stream.end(body);
    await promise;
    note(status);
  };
  let left = count;
  const worker = async () => {
    for (; left > 0; ) {
      left -= 1;
      await one();
    }
  };
  await Promise.all(Array.from({ length: Math.min(pipelined, count) }, worker));
  session.destroy();
}

/** @type {FloodCase} */
const flood = JSON.parse(await text(process.stdin));
const bytes = Buffer.from(flood.bytes ?? '', 'base64');
// One after the other on each: where every request has a connection of its own, most of the time goes by waiting.
const connections = flood.kind === 'raw' ? 25 : 8;
const share = Math.ceil(flood.count / connections);
await Promise.all(
  Array.from({ length: connections }, async () => {
    if (flood.kind === 'http1') await keepAlive(bytes, share);
    else if (flood.kind === 'raw')
      for (let count = 0; count < share; count += 1) await oneConnection(bytes, flood.until ?? 'close');
    else if (flood.breakOff === 'connection')
      for (let count = 0; count < share; count += 25) await streams(flood, bytes, 25);
    else await streams(flood, bytes, share);
  }),
);
process.stdout.write(JSON.stringify(answers));
