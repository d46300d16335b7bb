import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HpackError } from './hpack-error.js';
import { codeBits, codes } from './huffman-code.js';
import { decodeHuffman, maxDecodedBytes } from './huffman-decode.js';
import { encodeHuffman, huffmanBytes } from './huffman-encode.js';

function encode(text: string): Buffer {
  const target = Buffer.alloc(huffmanBytes(text) + 1, 0xaa);
  expect(encodeHuffman(text, target, 0)).toBe(target.length - 1);
  expect(target.at(-1)).toBe(0xaa); // nothing is written behind the end
  return target.subarray(0, -1);
}

function decode(bytes: Uint8Array): string {
  const target = Buffer.alloc(maxDecodedBytes(bytes.length));
  return target.toString('latin1', 0, decodeHuffman(bytes, 0, bytes.length, target));
}

function decodeIfGood(bytes: Uint8Array): string | undefined {
  try {
    return decode(bytes);
  } catch (error) {
    if (error instanceof HpackError) return undefined;
    throw error;
  }
}

/** A string of bits, with ones up to the octet's end. */
function bits(text: string): Buffer {
  const octets = text.padEnd(Math.ceil(text.length / 8) * 8, '1').match(/.{8}/g) ?? [];
  return Buffer.from(octets.map((octet) => Number.parseInt(octet, 2)));
}

/** Bit by bit from the code alone: slow, and nothing like the decoder under test. */
function decodeSlowly(bytes: Uint8Array): string | undefined {
  const symbols = new Map(
    Array.from(codes, (code, symbol) => [code.toString(2).padStart(codeBits[symbol]!, '0'), symbol]),
  );
  let text = '';
  let rest = '';
  for (const bit of Array.from(bytes, (octet) => octet.toString(2).padStart(8, '0')).join('')) {
    rest += bit;
    const symbol = symbols.get(rest);
    if (symbol === undefined) continue;
    if (symbol === 256) return undefined;
    text += String.fromCharCode(symbol);
    rest = '';
  }
  return rest.length <= 7 && !rest.includes('0') ? text : undefined;
}

describe('the Huffman code', () => {
  // One of each kind from RFC 7541 appendix B; node-peer.spec.ts has the octets of field values packed by another implementation.
  it.each([
    [0, 0x1ff8, 13],
    [10, 0x3ffffffc, 30],
    [' '.charCodeAt(0), 0x14, 6],
    ['0'.charCodeAt(0), 0x0, 5],
    ['a'.charCodeAt(0), 0x3, 5],
    ['~'.charCodeAt(0), 0x1ffd, 13],
    ['\\'.charCodeAt(0), 0x7fff0, 19],
    [128, 0xfffe6, 20],
    [203, 0x7ffffde, 27],
    [255, 0x3ffffee, 26],
    [256, 0x3fffffff, 30],
  ])('gives the symbol %i the code %i in %i bits', (symbol, code, length) => {
    expect(codes[symbol]).toBe(code);
    expect(codeBits[symbol]).toBe(length);
  });

  it('is complete: every sequence of bits means something', () => {
    expect(codeBits.reduce((sum, length) => sum + 2 ** -length, 0)).toBe(1);
  });

  it('brings back any text', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (octets) => {
        const text = Buffer.from(octets).toString('latin1');

        expect(decode(encode(text))).toBe(text);
      }),
    );
  });

  it('decodes any octets as the code says, bit by bit', () => {
    const octet = fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constant(255));
    fc.assert(
      fc.property(fc.array(octet, { maxLength: 24 }), (octets) => {
        const bytes = Uint8Array.from(octets);
        const expected = decodeSlowly(bytes);

        expect(decodeIfGood(bytes)).toBe(expected);
      }),
      { numRuns: 500 },
    );
  });

  it.each(['', '0', '00', 'aaaaaaa', 'aaaaaaaa'])('pads %j with ones, at most seven', (text) => {
    expect(encode(text).length).toBe(Math.ceil((text.length * 5) / 8));
    expect(decode(encode(text))).toBe(text);
  });
});

describe('a malformed Huffman-coded string', () => {
  const a = '00011';

  it.each([
    ['the end of string among the data', '1'.repeat(30) + a],
    ['the end of string at the end', a + '1'.repeat(30)],
    ['nothing but padding of eight bits', '1'.repeat(8)],
    ['padding of more than seven bits', a + '1'.repeat(11)],
    ['padding with a zero', a + '110'],
    ['padding that is all zeros', a + '000'],
    ['an end inside a long code', '1'.repeat(15) + '0'],
  ])('is refused: %s', (_, text) => {
    expect(() => decode(bits(text))).toThrow(HpackError);
  });

  it('is not one with seven bits of padding', () => {
    expect(decode(bits(a.repeat(5)))).toBe('aaaaa');
  });
});
