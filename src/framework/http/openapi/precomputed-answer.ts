import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { entityTagsOf, weightedListOf } from '../../core/index.js';

const compress = promisify(gzip);

/** How an answer that never changes is sent. */
export interface AnswerHeaders {
  readonly contentType: string;
  readonly cacheControl: string;
  /** Replaces what the security headers of the service say, where the page needs more. */
  readonly contentSecurityPolicy?: string;
}

/** Which form of the answer a caller gets. */
export interface ChosenAnswer {
  readonly status: 200 | 304;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | undefined;
}

/** An answer that is the same for everybody for as long as the process runs: compressed once, recognised by its ETag. */
export class PrecomputedAnswer {
  readonly #plain: Buffer;
  readonly #zipped: Buffer;
  readonly #headers: Readonly<Record<string, string>>;

  private constructor(plain: Buffer, zipped: Buffer, headers: AnswerHeaders) {
    this.#plain = plain;
    this.#zipped = zipped;
    this.#headers = {
      'content-type': headers.contentType,
      'cache-control': headers.cacheControl,
      // Weak: the compressed and the plain form share it.
      etag: `W/"${createHash('sha256').update(plain).digest('base64url').slice(0, 22)}"`,
      ...(headers.contentSecurityPolicy !== undefined && { 'content-security-policy': headers.contentSecurityPolicy }),
    };
  }

  static async of(body: string | Buffer, headers: AnswerHeaders): Promise<PrecomputedAnswer> {
    const plain = typeof body === 'string' ? Buffer.from(body) : body;
    return new PrecomputedAnswer(plain, await compress(plain), headers);
  }

  /**
   * The answer to a GET with these two header fields. `vary` is among its headers, and names `accept-encoding` only.
   */
  answerTo(ifNoneMatch: string | undefined, acceptEncoding: string | undefined): ChosenAnswer {
    const headers = { ...this.#headers, vary: 'accept-encoding' };
    if (isKnown(ifNoneMatch, this.#headers['etag'] as string)) return { status: 304, headers, body: undefined };
    if (!acceptsGzip(acceptEncoding)) return { status: 200, headers, body: this.#plain };
    return { status: 200, headers: { ...headers, 'content-encoding': 'gzip' }, body: this.#zipped };
  }

  send(request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const { status, headers, body } = this.answerTo(
      request.headers['if-none-match'],
      request.headers['accept-encoding'],
    );
    // CORS may have said already that the answer depends on the origin.
    const vary = [reply.getHeader('vary') ?? [], headers['vary'] as string].flat().join(', ');
    return reply
      .code(status)
      .headers({ ...headers, vary })
      .send(body);
  }
}

function isKnown(header: string | undefined, etag: string): boolean {
  const tags = header === undefined ? undefined : entityTagsOf(header);
  return tags === '*' || tags?.includes(etag.slice('W/'.length)) === true;
}

function acceptsGzip(header: string | undefined): boolean {
  if (header === undefined) return false;
  const codings = weightedListOf(header);
  const coding = codings.find(({ name }) => name === 'gzip') ?? codings.find(({ name }) => name === '*');
  return coding !== undefined && coding.weight > 0;
}
