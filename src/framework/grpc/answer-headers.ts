import type { RequestContext } from '../core/index.js';
import { type HeaderField, type Http2Fields, precompute } from '../http2/index.js';
import { acceptedEncodings, type Encoding } from './compression.js';
import type { OutgoingFields } from './server-stream.js';

// Header values that never change.
const okStatus: HeaderField = { name: ':status', value: '200' };
const plainType: HeaderField = { name: 'content-type', value: 'application/grpc' };
const protoType: HeaderField = { name: 'content-type', value: 'application/grpc+proto' };
const accepted: HeaderField = { name: 'grpc-accept-encoding', value: acceptedEncodings };

/** The headers of an answer, `:status` first. */
export function answerHeaders(
  context: RequestContext,
  encoding: Encoding | undefined,
  status: HeaderField = okStatus,
): OutgoingFields {
  const type = context.header('content-type') === 'application/grpc' ? plainType : protoType;
  const fields = [status, type, accepted, { name: 'x-request-id', value: context.requestId }];
  if (encoding !== undefined) fields.push({ name: 'grpc-encoding', value: encoding });
  return fields;
}

/**
 * The same for an answer without metadata, as a block. It is good until the next call: what it is given to has to copy it.
 */
export function answerBlock(context: RequestContext, encoding: Encoding | undefined): Http2Fields {
  const { requestId } = context;
  // A caller's own id may have any length.
  if (requestId.length !== ownIdLength) return answerHeaders(context, encoding);
  const isPlain = context.header('content-type') === 'application/grpc';
  return (isPlain ? plainBlocks : protoBlocks)[encoding ?? 'identity'].with(requestId);
}

const ownIdLength = 32;

// All but the request id is always the same: it is encoded once, and 32 bytes of it are replaced for each call.
class BlockWithId {
  readonly #block: Buffer;

  constructor(fields: readonly HeaderField[]) {
    // The name as a literal, a value of length 0. RFC 7541 section 6.2.2.
    const head = precompute([...fields, { name: 'x-request-id', value: '' }]);
    // The length of the value in place of that 0; its highest bit is not set: no Huffman code. Section 5.2.
    this.#block = Buffer.concat([head.subarray(0, -1), Buffer.of(ownIdLength), Buffer.alloc(ownIdLength)]);
  }

  with(requestId: string): Buffer {
    this.#block.write(requestId, this.#block.length - ownIdLength, 'latin1');
    return this.#block;
  }
}

function blocksOf(type: HeaderField): Readonly<Record<Encoding | 'identity', BlockWithId>> {
  const fields = [okStatus, type, accepted];
  return {
    identity: new BlockWithId(fields),
    gzip: new BlockWithId([...fields, { name: 'grpc-encoding', value: 'gzip' }]),
    deflate: new BlockWithId([...fields, { name: 'grpc-encoding', value: 'deflate' }]),
  };
}

const plainBlocks = blocksOf(plainType);
const protoBlocks = blocksOf(protoType);
