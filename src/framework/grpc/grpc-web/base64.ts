/** What is no base64 at all. */
export class MalformedBase64Error extends Error {
  override readonly name = 'MalformedBase64Error';
}

/**
 * Decodes a body of base64 that comes in any split: a client may encode message by message, so padding can stand
 * anywhere at the end of a group of four.
 *
 * @see https://github.com/grpc/grpc/blob/v1.71.0/doc/PROTOCOL-WEB.md#protocol-differences-vs-grpc-over-http2
 */
export class Base64Reader {
  // Up to three characters of a group that is not complete.
  #rest = '';

  /**
   * @returns what `chunk` completes; may be empty
   * @throws MalformedBase64Error
   */
  read(chunk: Uint8Array): Buffer {
    const text = this.#rest + Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString('latin1');
    const whole = text.length - (text.length % 4);
    this.#rest = text.slice(whole);
    return decodeGroups(text.slice(0, whole));
  }

  /**
   * The end of the body. A last group may lack its padding.
   *
   * @throws MalformedBase64Error
   */
  end(): Buffer {
    const rest = this.#rest;
    this.#rest = '';
    return rest === '' ? Buffer.alloc(0) : decodeGroups(rest.padEnd(4, '='));
  }
}

/** Encodes a piece of an answer; it is padded, so that the client can decode it as soon as it is there. */
export function encodeBase64(data: Uint8Array): Buffer {
  return Buffer.from(Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64'), 'latin1');
}

// Up to here a group is decoded by hand: a call of Node's costs as much as fifty characters, and padding can stand in
// every fourth.
const maxShortText = 64;

function decodeGroups(text: string): Buffer {
  const out = Buffer.allocUnsafe((text.length / 4) * 3);
  let size = 0;
  for (let from = 0; from < text.length; ) {
    const padding = text.indexOf('=', from);
    // The group of four that the padding is in ends this part.
    const to = padding < 0 ? text.length : padding - (padding % 4) + 4;
    size = decodePart(text, from, to, out, size);
    from = to;
  }
  return out.subarray(0, size);
}

/** Decodes the characters [from, to), padded or not, to `out`, and returns the end of what is there. */
function decodePart(text: string, from: number, to: number, out: Buffer, at: number): number {
  const padding = text[to - 1] !== '=' ? 0 : text[to - 2] === '=' ? 2 : 1;
  const size = ((to - from) / 4) * 3 - padding;
  if (to - from > maxShortText) {
    const part = text.slice(from, to);
    // Node skips what is not base64: then fewer bytes come out than went in.
    if (out.write(part, at, 'base64') !== size || /[-_]/.test(part)) throw new MalformedBase64Error('not base64');
    return at + size;
  }
  let end = at;
  for (let pos = from; pos < to; pos += 4) {
    const isLast = pos + 4 === to;
    const bits =
      (sextet(text, pos) << 18) |
      (sextet(text, pos + 1) << 12) |
      ((isLast && padding === 2 ? 0 : sextet(text, pos + 2)) << 6) |
      (isLast && padding > 0 ? 0 : sextet(text, pos + 3));
    out[end++] = bits >>> 16;
    out[end++] = bits >>> 8;
    out[end++] = bits;
  }
  return at + size;
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const sextets = new Int8Array(256).fill(-1);
for (const [value, character] of [...alphabet].entries()) sextets[character.charCodeAt(0)] = value;

function sextet(text: string, at: number): number {
  const value = sextets[text.charCodeAt(at)] ?? -1;
  if (value < 0) throw new MalformedBase64Error('not base64');
  return value;
}
