import { promisify } from 'node:util';
import { deflate, gzip } from 'node:zlib';
import { listOf, type RequestContext } from '../core/index.js';
import { RequestTooLargeError } from '../pipeline/index.js';
import { DecodedTooLargeError, decode } from '../wire/index.js';
import { MalformedMessageError } from './grpc.errors.js';
import type { GrpcOptions } from './grpc.options.js';

/** A compression of messages that this side knows. */
export type Encoding = 'gzip' | 'deflate';

/** Value of `grpc-accept-encoding`. */
export const acceptedEncodings = 'identity,gzip,deflate';

type Compressor = (data: Uint8Array) => Promise<Buffer>;

const compressors: Readonly<Record<Encoding, Compressor>> = {
  gzip: promisify(gzip) as Compressor,
  deflate: promisify(deflate) as Compressor,
};

export function isEncoding(name: string): name is Encoding {
  return name === 'gzip' || name === 'deflate';
}

/** The encoding an answer may have: `wanted`, if the caller's `grpc-accept-encoding` has it. */
function negotiate(wanted: Encoding, accepted: string | undefined): Encoding | undefined {
  if (accepted === undefined) return undefined;
  return accepted === acceptedEncodings || listOf(accepted).includes(wanted) ? wanted : undefined;
}

/** The encoding of the responses to one request, by the options and by what its client accepts. */
export function responseEncoding(
  { compression }: Pick<GrpcOptions, 'compression'>,
  context: Pick<RequestContext, 'header'>,
): Encoding | undefined {
  return compression === 'identity' ? undefined : negotiate(compression, context.header('grpc-accept-encoding'));
}

export function compress(encoding: Encoding, data: Uint8Array): Promise<Uint8Array> {
  return compressors[encoding](data);
}

/**
 * @param maxBytes what comes out at most; a bomb stops there
 * @throws RequestTooLargeError
 * @throws MalformedMessageError
 */
export async function decompress(encoding: Encoding, data: Uint8Array, maxBytes: number): Promise<Uint8Array> {
  try {
    return await decode(encoding, data, maxBytes);
  } catch (cause) {
    if (cause instanceof DecodedTooLargeError) throw new RequestTooLargeError(maxBytes, ' after decompression');
    throw new MalformedMessageError(`not ${encoding}`, { cause });
  }
}
