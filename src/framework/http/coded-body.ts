import type { IncomingHttpHeaders } from 'node:http';
import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest, RequestPayload } from 'fastify';
import { CancelledError, noDeadline } from '../core/index.js';
import { RequestTooLargeError } from '../pipeline/index.js';
import { type Coding, DecodedTooLargeError, decode, decompressionTurns, noAccount } from '../wire/index.js';
import { readBody } from './body-reader.js';
import { exchangeOf } from './exchange.js';
import { MalformedBodyError, UnsupportedContentEncodingError } from './http.errors.js';
import { RestRequest } from './rest-request.js';

/** By the token of RFC 9110 section 8.4.1. Not zstd: nine bytes of it take 128 MiB of address space. */
const codings: ReadonlyMap<string, Coding> = new Map([
  ['br', 'br'],
  ['gzip', 'gzip'],
  ['x-gzip', 'gzip'],
  ['deflate', 'deflate'],
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
  const token = request.headers['content-encoding']?.toLowerCase();
  // Without a route the body is not read, and without a body there is nothing to decode.
  if (token === undefined || token === 'identity' || request.is404 || isWithoutBody(request)) {
    done(null, payload);
    return;
  }
  const coding = codings.get(token);
  if (coding === undefined) {
    done(new UnsupportedContentEncodingError(token));
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
    else void decodeInTurn(request, coded, coding, maxBytes, done);
  });
}

// Never rejects. `done` is called at the latest when the time of the request is over, whose turn it may never have been.
async function decodeInTurn(
  request: FastifyRequest,
  coded: Buffer,
  coding: Coding,
  maxBytes: number,
  done: Done,
): Promise<void> {
  const deadline = exchangeOf(request.raw)?.context.deadline ?? noDeadline;
  let isOver = false;
  const release = deadline.onFire((reason) => {
    isOver = true;
    done(reason);
  });
  const decodeUnlessOver = async (): Promise<Buffer> => {
    if (isOver) throw new CancelledError();
    return await decode(coding, coded, maxBytes);
  };
  let decoded: Buffer | undefined;
  let failure: unknown;
  try {
    decoded = await decompressionTurns.run(ownerOf(request, maxBytes), decodeUnlessOver, (bytes) => bytes as Buffer);
  } catch (error) {
    failure = error;
  }
  if (isOver) return;
  release();
  if (decoded === undefined) done(refusalOf(failure, maxBytes));
  else {
    correctFields(request.headers, decoded.length);
    done(null, Readable.from([decoded], { objectMode: false }));
  }
}

function refusalOf(cause: unknown, maxBytes: number): Error {
  if (cause instanceof DecodedTooLargeError) return new RequestTooLargeError(maxBytes, ' after decompression');
  return new MalformedBodyError('the body is not coded as content-encoding says', { cause });
}

function isWithoutBody({ raw }: FastifyRequest): boolean {
  return raw instanceof RestRequest && !raw.hasBody;
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
