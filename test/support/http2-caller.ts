import {
  type ClientHttp2Session,
  type ClientSessionOptions,
  connect,
  type IncomingHttpHeaders,
  type SecureClientSessionOptions,
} from 'node:http2';
import { once } from 'node:events';

/** What came back on one HTTP/2 stream. */
export interface Http2Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  readonly text: string;
}

/** A connection with prior knowledge of HTTP/2; for an `https:` base the protocol comes from ALPN. */
export class Http2Caller {
  readonly session: ClientHttp2Session;

  private constructor(session: ClientHttp2Session) {
    this.session = session;
  }

  static async connect(
    base: string,
    options: ClientSessionOptions | SecureClientSessionOptions = {},
  ): Promise<Http2Caller> {
    const session = connect(base, options);
    await once(session, 'connect');
    // The server may end the connection while a test is no longer interested.
    session.on('error', () => {});
    return new Http2Caller(session);
  }

  async request(headers: Record<string, string>, body?: Buffer | string): Promise<Http2Answer> {
    const stream = this.session.request(headers, { endStream: body === undefined });
    const { promise, resolve, reject } = Promise.withResolvers<Http2Answer>();
    const chunks: Buffer[] = [];
    let answer: IncomingHttpHeaders & { ':status'?: number | undefined } = {};
    let trailers: IncomingHttpHeaders = {};
    stream.on('response', (received) => {
      answer = received;
    });
    stream.on('trailers', (received) => {
      trailers = received;
    });
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('error', reject);
    stream.on('close', () => {
      const bytes = Buffer.concat(chunks);
      resolve({ status: answer[':status'] ?? 0, headers: answer, trailers, bytes, text: bytes.toString() });
    });
    if (body !== undefined) stream.end(body);
    return promise;
  }

  close(): void {
    this.session.destroy();
  }
}
