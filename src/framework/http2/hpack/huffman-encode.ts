// RFC 7541 section 5.2, Huffman-coded string literals.
import { codeBits, codes } from './huffman-code.js';

/** Octets of `text` in Huffman code, with padding; negative when it has characters above U+00FF, which have none. */
export function huffmanBytes(text: string): number {
  let bits = 0;
  let highest = 0;
  for (let at = 0; at < text.length; at += 1) {
    const symbol = text.charCodeAt(at);
    highest |= symbol;
    bits += codeBits[symbol & 0xff] as number;
  }
  return highest > 0xff ? -1 : (bits + 7) >>> 3;
}

/** Writes `text` in Huffman code and returns the offset behind it. */
export function encodeHuffman(text: string, target: Uint8Array, offset: number): number {
  let pending = 0;
  let pendingBits = 0;
  for (let at = 0; at < text.length; at += 1) {
    const symbol = text.charCodeAt(at);
    const code = codes[symbol] as number;
    let bits = codeBits[symbol] as number;
    // Seven bits may be left over from before, and 7 + 30 are too many for one word: the upper ones go first.
    if (bits > 24) {
      bits -= 16;
      pending = (pending << bits) | (code >>> 16);
      pendingBits += bits;
      while (pendingBits >= 8) target[offset++] = pending >>> (pendingBits -= 8);
      bits = 16;
    }
    pending = (pending << bits) | (bits === 16 ? code & 0xffff : code);
    pendingBits += bits;
    while (pendingBits >= 8) target[offset++] = pending >>> (pendingBits -= 8);
  }
  // The padding is the beginning of the end of string: ones.
  if (pendingBits > 0) target[offset++] = (pending << (8 - pendingBits)) | (0xff >>> pendingBits);
  return offset;
}
