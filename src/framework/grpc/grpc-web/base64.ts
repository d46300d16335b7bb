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

function decodeGroups(text: string): Buffer {
  const padding = text.indexOf('=');
  if (padding < 0 || padding >= text.length - 4) return decode(text);
  const parts: Buffer[] = [];
  let from = 0;
  for (let at = padding; at >= 0; at = text.indexOf('=', from)) {
    // The group of four that the padding is in ends this part.
    const to = at - (at % 4) + 4;
    parts.push(decode(text.slice(from, to)));
    from = to;
  }
  parts.push(decode(text.slice(from)));
  return Buffer.concat(parts);
}

// Node skips what is not base64: then fewer bytes come out than went in.
function decode(text: string): Buffer {
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const data = Buffer.from(text, 'base64');
  if (data.length !== (text.length / 4) * 3 - padding || /[-_]/.test(text)) {
    throw new MalformedBase64Error('not base64');
  }
  return data;
}
