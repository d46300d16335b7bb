import { type ClientRequest, request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { NacosTls } from './nacos.options.js';
import type { NacosServer } from './server-list.js';

// A token is some hundred bytes.
const maxAnswerBytes = 65_536;

/** What the server said; status 0 is one that cannot be read. */
export interface LoginAnswer {
  readonly status: number;
  readonly body: string;
}

/**
 * One POST on a connection of its own. Not by `fetch`: that takes no certificate authorities, and it keeps connections for
 * later, which would outlive `close()`.
 */
export function postForm(
  { host, port }: NacosServer,
  path: string,
  form: string,
  tls: NacosTls | undefined,
  signal: AbortSignal,
): Promise<LoginAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<LoginAnswer>();
  const options = {
    method: 'POST',
    host: host.replaceAll(/[[\]]/g, ''),
    port,
    path,
    agent: false as const,
    signal,
    headers: { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(form) },
  };
  const request: ClientRequest =
    tls === undefined ? httpRequest(options) : httpsRequest({ ...options, ...certificatesOf(tls) });
  request.on('error', (error: NodeJS.ErrnoException) => {
    // Nacos 2.3.2 answers a wrong password with a status that HTTP does not have.
    if (error.code === 'HPE_INVALID_STATUS') resolve({ status: 0, body: '' });
    else reject(error);
  });
  request.on('response', (response) => {
    let body = '';
    response.setEncoding('utf8');
    response.on('data', (text: string) => {
      body += text;
      if (body.length > maxAnswerBytes)
        request.destroy(new RangeError(`the answer is longer than ${maxAnswerBytes} bytes`));
    });
    response.on('error', reject);
    response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
  });
  request.end(form);
  return promise;
}

function certificatesOf({ ca, cert, key, serverName }: NacosTls): object {
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(serverName !== undefined && { servername: serverName }),
  };
}
