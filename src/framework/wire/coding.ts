import { brotliDecompress, gunzip, type InputType, inflate, type ZlibOptions } from 'node:zlib';

/** Of a whole body or message; "deflate" is the zlib format of RFC 1950, in HTTP as in gRPC. */
export type Coding = 'br' | 'deflate' | 'gzip';

/** The decoded bytes are more than allowed. */
export class DecodedTooLargeError extends Error {
  override readonly name = 'DecodedTooLargeError';

  constructor(maxBytes: number) {
    super(`decoded to more than ${maxBytes} bytes`);
  }
}

// With `info` the outcome comes with the engine that has made it: https://nodejs.org/docs/latest-v24.x/api/zlib.html#class-options
interface Decoded {
  readonly buffer: Buffer;
  readonly engine: { readonly bytesWritten: number };
}

type Options = ZlibOptions & { readonly maxOutputLength: number };
type Done = (error: NodeJS.ErrnoException | null, decoded: Decoded) => void;
type Decoder = (coded: InputType, options: Options, done: Done) => void;

const decoders = { br: brotliDecompress, deflate: inflate, gzip: gunzip } as unknown as Record<Coding, Decoder>;

/**
 * Decodes a whole body or message on a thread of libuv.
 *
 * @param coded    all of it, and nothing behind it
 * @param maxBytes what comes out at most; a bomb stops there
 * @throws DecodedTooLargeError
 * @throws Error   it is not coded so, is cut short, or something follows
 */
export async function decode(coding: Coding, coded: Uint8Array, maxBytes: number): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  decoders[coding](coded, { info: true, maxOutputLength: maxBytes }, (error, decoded) => {
    if (error !== null) reject(error.code === 'ERR_BUFFER_TOO_LARGE' ? new DecodedTooLargeError(maxBytes) : error);
    // zlib stops at the end of what it knows, and says nothing of the rest.
    else if (decoded.engine.bytesWritten !== coded.length)
      reject(new Error(`more follows behind the end of ${coding}`));
    else resolve(decoded.buffer);
  });
  return await promise;
}
