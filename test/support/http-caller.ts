import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import { request as tlsRequest, type RequestOptions } from 'node:https';

/** One HTTP/1.1 request. The path is sent as it is written, which `fetch` does not. */
export interface HttpRequest {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  /** An object is sent as JSON, text and bytes as they are. */
  readonly body?: unknown;
  readonly token?: string | undefined;
  readonly agent?: Agent;
  /** Options of TLS, for an `https:` base. */
  readonly tls?: RequestOptions;
}

/** What came back. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  readonly text: string;
  /** The body as JSON; `undefined` when it is not JSON. */
  readonly json: unknown;
}

// Nothing here takes longer but on a machine that stands still.
const timeoutMs = 20_000;

/** Sends one request on a connection of its own, unless an agent says otherwise, and reads the whole answer. */
export function http(base: string, init: HttpRequest): Promise<HttpAnswer> {
  const { hostname, port, protocol } = new URL(base);
  const { method = 'GET', path, token, agent } = init;
  const headers: Record<string, string | readonly string[]> = { ...init.headers };
  if (token !== undefined) headers.authorization = `Bearer ${token}`;
  const body = bytesOf(init.body);
  if (body !== undefined && typeof init.body === 'object' && !Buffer.isBuffer(init.body))
    headers['content-type'] ??= 'application/json';
  if (body !== undefined && headers['transfer-encoding'] === undefined)
    headers['content-length'] ??= String(body.length);
  const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
  const make = protocol === 'https:' ? tlsRequest : request;
  const options = { hostname, port, method, path, headers, agent: agent ?? false, timeout: timeoutMs, ...init.tls };
  const outgoing = make(options as RequestOptions, (answer) => {
    const chunks: Buffer[] = [];
    answer.on('data', (chunk: Buffer) => chunks.push(chunk));
    answer.on('error', reject);
    answer.on('end', () => {
      const bytes = Buffer.concat(chunks);
      const text = bytes.toString();
      resolve({ status: answer.statusCode ?? 0, headers: answer.headers, bytes, text, json: parsed(text) });
    });
  });
  outgoing.on('timeout', () => outgoing.destroy(new Error(`${method} ${path}: no answer within ${timeoutMs} ms`)));
  outgoing.on('error', reject);
  outgoing.end(body);
  return promise;
}

function bytesOf(body: unknown): Buffer | undefined {
  if (body === undefined) return undefined;
  if (Buffer.isBuffer(body)) return body;
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
