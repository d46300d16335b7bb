// Sends requests that cost the service much, each as soon as the one before is answered, over several connections, until it
// is killed. Arguments: the port, the address it calls from, and what it sends.
import { connect } from 'node:net';
import { connect as connectHttp2 } from 'node:http2';
import { brotliCompressSync, gzipSync } from 'node:zlib';

const [port = '', localAddress = '', kind = ''] = process.argv.slice(2);
const connections = 10;
const streams = 10;
const json = Buffer.from(JSON.stringify({ title: 'a', tags: Array.from({ length: 30_000 }, () => 'aa') }));

/** @param {Buffer} request */
function http1(request) {
  const socket = connect({ port: Number(port), host: '127.0.0.1', localAddress });
  socket.on('connect', () => socket.write(request));
  socket.on('data', () => socket.write(request));
  socket.on('error', () => {});
  socket.on('close', () => setTimeout(() => http1(request), 20));
}

/** @param {import('node:http2').OutgoingHttpHeaders} headers @param {Buffer} body */
function http2(headers, body) {
  const socket = connect({ port: Number(port), host: '127.0.0.1', localAddress });
  socket.on('error', () => {});
  const session = connectHttp2(`http://127.0.0.1:${port}`, { createConnection: () => socket });
  session.on('error', () => {});
  session.on('close', () => setTimeout(() => http2(headers, body), 20));
  const ask = () => {
    if (session.destroyed) return;
    const stream = session.request({ ':method': 'POST', ...headers });
    stream.on('error', () => {});
    stream.on('close', () => setImmediate(ask));
    stream.resume();
    stream.end(body);
  };
  for (let count = 0; count < streams; count += 1) ask();
}

/** @param {Buffer} message */
function compressed(message) {
  const packed = gzipSync(message);
  const prefix = Buffer.from([1, 0, 0, 0, 0]);
  prefix.writeUInt32BE(packed.length, 1);
  return Buffer.concat([prefix, packed]);
}

/** @type {Record<string, () => void>} */
const kinds = {
  'unknown paths': () => {
    for (let count = 0; count < 4; count += 1) http1(Buffer.from('GET /nothing HTTP/1.1\r\nhost: a\r\n\r\n'));
  },
  'large JSON over HTTP/1.1': () => {
    const head = `POST /trial/orders HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: ${json.length}\r\n\r\n`;
    http1(Buffer.concat([Buffer.from(head), json]));
  },
  'large JSON over HTTP/2': () => http2({ ':path': '/trial/orders', 'content-type': 'application/json' }, json),
  'bodies of a mebibyte in a few bytes': () => {
    const body = brotliCompressSync(`{"title":"${'a'.repeat(1_000_000)}"}`);
    http2({ ':path': '/trial/orders', 'content-type': 'application/json', 'content-encoding': 'br' }, body);
  },
  'messages of a mebibyte in a kilobyte': () => {
    const headers = { 'content-type': 'application/grpc', te: 'trailers', 'grpc-encoding': 'gzip' };
    const message = compressed(Buffer.alloc(1_000_000, Buffer.from([0x78, 0x01])));
    http2({ ':path': '/trial.service.v1.TrialService/PlaceOrder', ...headers }, message);
  },
};

const begin = kinds[kind];
if (begin === undefined) throw new Error(`"${kind}" (expected: ${Object.keys(kinds).join(', ')})`);
for (let count = 0; count < connections; count += 1) begin();
// Of a test that is gone.
process.on('disconnect', () => process.exit());
