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

  send(request: FastifyRequest, reply: FastifyReply): FastifyReply {
    // CORS may have said already that the answer depends on the origin.
    const vary = [reply.getHeader('vary') ?? [], 'accept-encoding'].flat().join(', ');
    reply.headers({ ...this.#headers, vary });
    if (isKnown(request.headers['if-none-match'], this.#headers['etag'] as string)) return reply.code(304).send();
    if (!acceptsGzip(request.headers['accept-encoding'])) return reply.send(this.#plain);
    return reply.header('content-encoding', 'gzip').send(this.#zipped);
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
