import http from 'node:http';
import http2 from 'node:http2';
import { frame } from './grpc-calls.js';

/** The HTTP versions that gRPC-Web is spoken on. */
export type WebVersion = 'HTTP/1.1' | 'HTTP/2';

/** One request, as bytes: nothing is encoded or added but what is said. */
export interface WebRequest {
  readonly method?: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Each is written on its own. */
  readonly chunks?: readonly Uint8Array[];
}

/** A request that is under way. */
export interface OpenWebCall {
  /** The request body. */
  readonly body: NodeJS.WritableStream;
  /** Resolves with the headers of the answer; its body is not read before `answer`. */
  readonly head: Promise<{ status: number; headers: Record<string, string> }>;
  /** The body of the answer. */
  readonly stream: Promise<NodeJS.ReadableStream>;
  /** Breaks the request off: the stream on HTTP/2, the connection on HTTP/1.1. */
  abort(): void;
}

/** Opens a request; its body is open. */
export function openWeb(version: WebVersion, address: string, request: WebRequest): OpenWebCall {
  return version === 'HTTP/1.1' ? openHttp1(address, request) : openHttp2(address, request);
}

function openHttp1(address: string, { method = 'POST', path, headers }: WebRequest): OpenWebCall {
  const body = http.request(`http://${address}${path}`, { method, headers, agent: false });
  const answer = Promise.withResolvers<http.IncomingMessage>();
  body.on('response', (response) => answer.resolve(response));
  body.on('error', (error) => answer.reject(error));
  const head = answer.promise.then((response) => ({
    status: response.statusCode ?? 0,
    headers: flat(response.headers),
  }));
  // Who breaks off does not wait for the answer.
  head.catch(() => {});
  return {
    body,
    head,
    stream: answer.promise,
    abort: () => body.destroy(),
  };
}

function openHttp2(address: string, { method = 'POST', path, headers }: WebRequest): OpenWebCall {
  const session = http2.connect(`http://${address}`);
  session.on('error', () => {});
  const body = session.request({ ':method': method, ':path': path, ...headers });
  const head = Promise.withResolvers<{ status: number; headers: Record<string, string> }>();
  head.promise.catch(() => {});
  body.on('response', (received) => head.resolve({ status: received[':status'] ?? 0, headers: flat(received) }));
  body.on('error', (error) => head.reject(error));
  body.on('close', () => session.close());
  return {
    body,
    head: head.promise,
    stream: Promise.resolve(body),
    abort: () => body.close(http2.constants.NGHTTP2_CANCEL),
  };
}

function flat(headers: http.IncomingHttpHeaders): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}

/** What a gRPC-Web client makes of an answer. */
export interface WebAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** The body as it came over the wire. */
  readonly raw: Buffer;
  readonly messages: readonly { readonly flags: number; readonly data: Buffer }[];
  /** What the last frame says; `undefined` where there was none. */
  readonly trailers: Readonly<Record<string, string>> | undefined;
  /** `grpc-status`, wherever it stood. */
  readonly grpcStatus: number | undefined;
}

/** Sends a request and reads the answer to its end. */
export async function callWeb(version: WebVersion, address: string, request: WebRequest): Promise<WebAnswer> {
  const call = openWeb(version, address, request);
  for (const chunk of request.chunks ?? []) call.body.write(chunk);
  call.body.end();
  return readWeb(call);
}

/** Reads the answer of an open call to its end. */
export async function readWeb(call: OpenWebCall): Promise<WebAnswer> {
  const { status, headers } = await call.head;
  const chunks: Buffer[] = [];
  for await (const chunk of await call.stream) chunks.push(chunk as Buffer);
  const raw = Buffer.concat(chunks);
  const type = headers['content-type'] ?? '';
  const isText = type.startsWith('application/grpc-web-text');
  const frames = type.startsWith('application/grpc-web')
    ? framesOf(isText ? decodeText(raw.toString('latin1')) : raw)
    : [];
  const last = frames.at(-1);
  const trailers = last?.flags === 0x80 ? linesOf(last.data) : undefined;
  const grpcStatus = (trailers ?? headers)['grpc-status'];
  return {
    status,
    headers,
    raw,
    messages: trailers === undefined ? frames : frames.slice(0, -1),
    trailers,
    grpcStatus: grpcStatus === undefined ? undefined : Number(grpcStatus),
  };
}

/** A message in the text form, padded. */
export function textFrame(data: Uint8Array): Buffer {
  return Buffer.from(frame(data).toString('base64'), 'latin1');
}

// Padding may stand wherever a piece ends.
function decodeText(text: string): Buffer {
  return Buffer.concat((text.match(/.{4}/g) ?? []).map((group) => Buffer.from(group, 'base64')));
}

function framesOf(body: Buffer): { flags: number; data: Buffer }[] {
  const frames = [];
  for (let at = 0; at < body.length; ) {
    const end = at + 5 + body.readUInt32BE(at + 1);
    if (end > body.length) throw new Error('the answer ends in the middle of a frame');
    frames.push({ flags: body[at] as number, data: body.subarray(at + 5, end) });
    at = end;
  }
  return frames;
}

function linesOf(block: Buffer): Record<string, string> {
  const lines = block.toString('latin1').split('\r\n');
  if (lines.pop() !== '') throw new Error('the last line of the trailers has no end');
  return Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1).trim()];
    }),
  );
}
