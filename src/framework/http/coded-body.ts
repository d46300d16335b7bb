import type { IncomingHttpHeaders } from 'node:http';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate } from 'node:zlib';
import type { FastifyReply, FastifyRequest, RequestPayload } from 'fastify';
import { CancelledError } from '../core/index.js';
import { RequestTooLargeError } from '../pipeline/index.js';
import { decompressionTurns, noAccount } from '../wire/index.js';
import { readBody } from './body-reader.js';
import { exchangeOf } from './exchange.js';
import { MalformedBodyError, UnsupportedContentEncodingError } from './http.errors.js';
import { RestRequest } from './rest-request.js';

type Decoder = (bytes: Uint8Array, options: { maxOutputLength: number }) => Promise<Buffer>;

const gzip = promisify(gunzip) as Decoder;

/** By content coding, RFC 9110 section 8.4.1. Not zstd: nine bytes of it take 128 MiB of address space. */
const decoders: ReadonlyMap<string, Decoder> = new Map([
  ['br', promisify(brotliDecompress) as Decoder],
  ['gzip', gzip],
  ['x-gzip', gzip],
  ['deflate', promisify(inflate) as Decoder],
]);

type Done = (error: Error | null, payload?: RequestPayload) => void;

/**
 * Puts the decoded body in the place of one that has a content coding. It is kept as it came until all of it is there, and is
 * decoded in the client's turn: what has been sent in part costs no more than its bytes.
 *
 * @param maxBytes that it may have, before and after
 */
export function decodeBody(
  request: FastifyRequest,
  reply: FastifyReply,
  payload: RequestPayload,
  maxBytes: number,
  done: Done,
): void {
  const coding = request.headers['content-encoding']?.toLowerCase();
  // Without a route the body is not read.
  if (coding === undefined || coding === 'identity' || request.is404) {
    done(null, payload);
    return;
  }
  const decoder = decoders.get(coding);
  if (decoder === undefined) {
    done(new UnsupportedContentEncodingError(coding));
    return;
  }
  const exchange = exchangeOf(request.raw);
  const keep = (piece: Buffer): Error | undefined => exchange?.gate.keep(exchange.context, piece.length);
  readBody(request, payload, maxBytes, keep, (error, coded) => {
    if (coded === undefined) {
      // As for a body without a coding: more may be on its way that will not be read.
      void reply.header('connection', 'close');
      done(error);
    } else if (coded.length === 0) done(null, Readable.from([]));
    else void decodeInTurn(request, coded, decoder, maxBytes, done);
  });
}

// Never rejects.
async function decodeInTurn(
  request: FastifyRequest,
  coded: Buffer,
  decoder: Decoder,
  maxBytes: number,
  done: Done,
): Promise<void> {
  const context = exchangeOf(request.raw)?.context;
  const decode = async (): Promise<Buffer> => {
    if (context?.isOpen === false) throw new CancelledError();
    return await decoder(coded, { maxOutputLength: maxBytes });
  };
  let decoded: Buffer;
  try {
    decoded = await decompressionTurns.run(ownerOf(request, maxBytes), decode, (bytes) => bytes as Buffer);
  } catch (error) {
    done(refusalOf(error, maxBytes));
    return;
  }
  correctFields(request.headers, decoded.length);
  done(null, Readable.from([decoded], { objectMode: false }));
}

function refusalOf(cause: unknown, maxBytes: number): Error {
  if (cause instanceof CancelledError) return cause;
  if ((cause as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE')
    return new RequestTooLargeError(maxBytes, ' after decompression');
  return new MalformedBodyError('the body is not coded as content-encoding says', { cause });
}

// The header fields say of the decoded body what they said of the coded one.
function correctFields(headers: IncomingHttpHeaders, length: number): void {
  delete headers['content-encoding'];
  headers['content-length'] = String(length);
}

function ownerOf({ raw, id }: FastifyRequest, maxBytes: number) {
  // Of a request that did not come over the port, nothing is known.
  if (!(raw instanceof RestRequest)) return { connection: id, account: noAccount, maxBytes };
  const { account, peer } = raw.stream;
  return { connection: `${peer.address} ${peer.port}`, account, maxBytes };
}
