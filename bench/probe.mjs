// One request by Node's own clients, read to the last byte: what a load's answers are held against.
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';

/** Time for one answer, in ms. */
const ANSWER_MS = 5000;

/**
 * @typedef {object} Answer
 * @property {number} status
 * @property {string | undefined} grpcStatus
 * @property {Buffer} body
 * @property {number} wireBytes of the whole answer; HTTP/1.1 only
 */

/**
 * @typedef {object} Request
 * @property {string} method
 * @property {string} path
 * @property {Record<string, string>} headers
 * @property {Buffer | undefined} body
 */

/**
 * @param {number} port
 * @param {Request} request
 * @returns {Promise<Answer>}
 */
export async function askHttp2(port, { method, path, headers, body }) {
  const session = connectHttp2(`http://127.0.0.1:${port}`, { settings: { initialWindowSize: 2 ** 20 } });
  try {
    const signal = AbortSignal.timeout(ANSWER_MS);
    await once(session, 'connect', { signal });
    const stream = session.request({ ':method': method, ':path': path, ...headers }, { signal });
    stream.end(body);
    /** @type {import('node:http2').IncomingHttpHeaders} */
    let trailers = {};
    stream.on('trailers', (fields) => (trailers = fields));
    const [answer] = await once(stream, 'response', { signal });
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    const grpcStatus = trailers['grpc-status'] ?? answer['grpc-status'];
    return {
      status: answer[':status'],
      grpcStatus: grpcStatus === undefined ? undefined : String(grpcStatus),
      body: Buffer.concat(chunks),
      wireBytes: 0,
    };
  } finally {
    session.destroy();
  }
}

/**
 * By hand, as the bytes of head and body are counted. The answer must have a content-length.
 *
 * @param {number} port
 * @param {Request} request
 * @returns {Promise<Answer>}
 */
export async function askHttp1(port, { method, path, headers, body }) {
  const socket = connect(port, '127.0.0.1');
  try {
    const signal = AbortSignal.timeout(ANSWER_MS);
    await once(socket, 'connect', { signal });
    const fields = { host: `127.0.0.1:${port}`, ...headers, ...(body && { 'content-length': String(body.length) }) };
    const head = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`${method} ${path} HTTP/1.1\r\n${head.join('')}\r\n`);
    if (body) socket.write(body);
    let received = Buffer.alloc(0);
    for (;;) {
      const [chunk] = await once(socket, 'data', { signal });
      received = Buffer.concat([received, chunk]);
      const headEnd = received.indexOf('\r\n\r\n');
      if (headEnd < 0) continue;
      const text = received.toString('latin1', 0, headEnd);
      const length = Number(/\r\ncontent-length: *(\d+)/i.exec(text)?.[1]);
      if (Number.isNaN(length)) throw new Error(`${method} ${path}: no content-length in the answer:\n${text}`);
      const end = headEnd + 4 + length;
      if (received.length < end) continue;
      const answer = received.subarray(headEnd + 4, end);
      return { status: Number(text.slice(9, 12)), grpcStatus: undefined, body: answer, wireBytes: end };
    }
  } finally {
    socket.destroy();
  }
}
