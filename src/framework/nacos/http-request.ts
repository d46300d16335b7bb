import { type Agent, type ClientRequest, request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { NacosTls } from './nacos.options.js';
import type { NacosServer } from './server-list.js';

/** One request to the HTTP interface of a server. */
export interface HttpQuestion {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** With the query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Of a form, encoded. */
  readonly form?: string | undefined;
  /** HTTPS with these; cleartext without. */
  readonly tls?: NacosTls | undefined;
  /** Keeps connections; without one the connection is for this request alone. */
  readonly agent?: Agent;
  /** A longer answer is an error. */
  readonly maxAnswerBytes: number;
}

/** What the server said; status 0 is one that cannot be read. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/**
 * Not by `fetch`: that takes no certificate authorities, and it keeps connections of its own for later, which would outlive
 * `close()`.
 *
 * @throws (rejects) what Node says when the connection fails, and the reason of `signal`
 */
export function askHttp(server: NacosServer, question: HttpQuestion, signal: AbortSignal): Promise<HttpAnswer> {
  const { method, path, headers, form, tls, agent, maxAnswerBytes } = question;
  const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
  const options = {
    method,
    host: server.host.replaceAll(/[[\]]/g, ''),
    port: server.port,
    path,
    agent: agent ?? (false as const),
    signal,
    headers: {
      ...headers,
      ...(form !== undefined && {
        'content-type': 'application/x-www-form-urlencoded; charset=utf-8',
        'content-length': Buffer.byteLength(form),
      }),
    },
  };
  const request: ClientRequest =
    tls === undefined ? httpRequest(options) : httpsRequest({ ...options, ...certificatesOf(tls) });
  request.on('error', (error: NodeJS.ErrnoException) => {
    // Nacos 2.3.2 answers a wrong password with a status that HTTP does not have.
    if (error.code === 'HPE_INVALID_STATUS') resolve({ status: 0, headers: {}, body: '' });
    // The other end had closed the kept connection already: the next one is a newer one, in the end a new one.
    else if (error.code === 'ECONNRESET' && request.reusedSocket && !signal.aborted)
      resolve(askHttp(server, question, signal));
    else reject(error);
  });
  request.on('response', (response) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > maxAnswerBytes) request.destroy(new RangeError(`the answer is longer than ${maxAnswerBytes} bytes`));
      else chunks.push(chunk);
    });
    response.on('error', reject);
    response.on('end', () =>
      resolve({
        status: response.statusCode ?? 0,
        headers: response.headers,
        body: Buffer.concat(chunks).toString('utf8'),
      }),
    );
  });
  request.end(form);
  return promise;
}

/** For Node's TLS. */
function certificatesOf({ ca, cert, key, serverName }: NacosTls): object {
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(serverName !== undefined && { servername: serverName }),
  };
}
