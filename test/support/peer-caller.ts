import { once } from 'node:events';
import { request } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { type DescMethod, fromBinary, toJson } from '@bufbuild/protobuf';
import { frame } from './grpc-calls.js';

/** How a request comes to the service. */
export interface Way {
  readonly port: number;
  /** The address that the connection comes from: any of 127.0.0.0/8. */
  readonly from: string;
  /** Sent before anything else, in these pieces. */
  readonly preamble?: readonly Uint8Array[];
  readonly isTls?: boolean;
  readonly headers?: Readonly<Record<string, string | string[]>>;
}

/** Opens a connection that comes from an address of one's own choice. */
export async function connectFrom(
  { port, from, preamble = [], isTls = false }: Way,
  protocol: string,
): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port, localAddress: from, noDelay: true });
  socket.on('error', () => {});
  await once(socket, 'connect');
  for (const piece of preamble) {
    socket.write(piece);
    // Each in a packet of its own, as far as the kernel goes along.
    await new Promise(setImmediate);
  }
  if (!isTls) return socket;
  const tls = connectTls({ socket, rejectUnauthorized: false, ALPNProtocols: [protocol] });
  tls.on('error', () => {});
  await once(tls, 'secureConnect');
  return tls;
}

/** The body of the answer to one request on a connection of its own. */
export async function getHttp1(way: Way, path: string, body?: Buffer): Promise<Buffer> {
  const socket = await connectFrom(way, 'http/1.1');
  const method = body === undefined ? 'GET' : 'POST';
  const headers = { host: 'service.example', ...way.headers };
  const outgoing = request({ method, path, headers, createConnection: () => socket });
  outgoing.end(body);
  const [answer] = (await once(outgoing, 'response')) as [NodeJS.ReadableStream];
  return wholeOf(answer, () => socket.destroy());
}

/** The same on HTTP/2. */
export async function getHttp2(way: Way, path: string, body?: Buffer): Promise<Buffer> {
  const socket = await connectFrom(way, 'h2');
  const scheme = way.isTls === true ? 'https' : 'http';
  const session = connectHttp2(`${scheme}://service.example`, { createConnection: () => socket });
  session.on('error', () => {});
  const method = body === undefined ? 'GET' : 'POST';
  const stream = session.request(
    { ':method': method, ':authority': 'service.example', ':path': path, ...way.headers },
    { endStream: body === undefined },
  );
  if (body !== undefined) stream.end(body);
  await once(stream, 'response');
  return wholeOf(stream, () => session.destroy());
}

/** What an RPC without a request message answers, as JSON. */
export async function callFrom(way: Way, method: DescMethod, version: 'gRPC' | 'gRPC-Web'): Promise<unknown> {
  const path = `/${method.parent.typeName}/${method.name}`;
  const isWeb = version === 'gRPC-Web';
  const type = isWeb ? 'application/grpc-web+proto' : 'application/grpc';
  const headers = { ...way.headers, 'content-type': type, te: 'trailers' };
  const bytes = await (isWeb ? getHttp1 : getHttp2)({ ...way, headers }, path, frame(Buffer.alloc(0)));
  const message = bytes.subarray(5, 5 + bytes.readUInt32BE(1));
  return toJson(method.output, fromBinary(method.output, message));
}

async function wholeOf(stream: NodeJS.ReadableStream, close: () => void): Promise<Buffer> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of stream) chunks.push(chunk as Buffer);
  } finally {
    close();
  }
  return Buffer.concat(chunks);
}
