// RFC 7541 section 5.2, string literals.
import { HpackError } from './hpack-error.js';
import { decodeHuffman, maxDecodedBytes } from './huffman-decode.js';
import { encodeHuffman, huffmanBytes } from './huffman-encode.js';
import { type Cursor, readInteger, writeInteger } from './integer.js';

const huffmanFlag = 0x80;
const lengthPrefix = 0x7f;

/** Where strings are unpacked before they become text. Shared by all connections: nothing stays in it between two. */
const scratch = Buffer.allocUnsafeSlow(4096);

/** A `Buffer` as far as `toString('latin1')` comes to it, which first looks at the encoding. */
interface Latin1Octets {
  readonly latin1Slice: (this: Uint8Array, start: number, end: number) => string;
}

const { latin1Slice } = Buffer.prototype as Latin1Octets;

/** Reads the string at the cursor and moves the cursor behind it. Octets become the characters U+0000 to U+00FF. */
export function readString(block: Uint8Array, end: number, cursor: Cursor): string {
  const { at: first } = cursor;
  const length = readLength(block, end, cursor);
  const { at: start } = cursor;
  cursor.at = start + length;
  if ((block[first] as number) >= huffmanFlag) return huffmanText(block, start, start + length);
  return latin1(block, start, start + length);
}

/** As `readString`, for a string that nobody wants: it must be well-formed all the same. */
export function skipString(block: Uint8Array, end: number, cursor: Cursor): void {
  const { at: first } = cursor;
  const length = readLength(block, end, cursor);
  const { at: start } = cursor;
  cursor.at = start + length;
  if ((block[first] as number) >= huffmanFlag) decodeHuffman(block, start, start + length, roomFor(length));
}

function readLength(block: Uint8Array, end: number, cursor: Cursor): number {
  const length = readInteger(block, end, cursor, lengthPrefix);
  if (length > end - cursor.at) throw new HpackError('header block ends inside a string');
  return length;
}

function roomFor(bytes: number): Buffer {
  const needed = maxDecodedBytes(bytes);
  return needed <= scratch.length ? scratch : Buffer.allocUnsafe(needed);
}

function huffmanText(block: Uint8Array, start: number, end: number): string {
  const target = roomFor(end - start);
  return latin1(target, 0, decodeHuffman(block, start, end, target));
}

function latin1(bytes: Uint8Array, start: number, end: number): string {
  return end - start <= 12 ? shortText(bytes, start, end - start) : latin1Slice.call(bytes, start, end);
}

/** The call into the runtime takes 100 ns whatever the length; this takes 20, for most names and many values. */
function shortText(bytes: Uint8Array, at: number, length: number): string {
  if (length <= 4) return upToFour(bytes, at, length);
  const four = String.fromCharCode(octet(bytes, at), octet(bytes, at + 1), octet(bytes, at + 2), octet(bytes, at + 3));
  // Up to 12 characters a concatenation is a string of its own, and not one that refers to two others.
  return four + shortText(bytes, at + 4, length - 4);
}

function upToFour(bytes: Uint8Array, at: number, length: number): string {
  switch (length) {
    case 0:
      return '';
    case 1:
      return String.fromCharCode(octet(bytes, at));
    case 2:
      return String.fromCharCode(octet(bytes, at), octet(bytes, at + 1));
    case 3:
      return String.fromCharCode(octet(bytes, at), octet(bytes, at + 1), octet(bytes, at + 2));
    default:
      return String.fromCharCode(octet(bytes, at), octet(bytes, at + 1), octet(bytes, at + 2), octet(bytes, at + 3));
  }
}

function octet(bytes: Uint8Array, at: number): number {
  return bytes[at] as number;
}

/** Octets that `writeString` takes at most. */
export function maxStringBytes(text: string): number {
  return text.length + 6;
}

/**
 * Writes `text`, in Huffman code where that is shorter, and returns the offset behind it.
 *
 * Characters above U+00FF have no place in a field: they become `?`, and not their low octet, which could be a line
 * break. Whether the others are allowed in a field is for the caller to check.
 */
export function writeString(target: Buffer, offset: number, text: string, huffman: boolean): number {
  const packed = huffmanBytes(text);
  if (packed < 0) return writeString(target, offset, text.replaceAll(/[^\0-\xff]/g, '?'), huffman);
  if (huffman && packed < text.length) {
    return encodeHuffman(text, target, writeInteger(target, offset, huffmanFlag, lengthPrefix, packed));
  }
  const start = writeInteger(target, offset, 0, lengthPrefix, text.length);
  return writeOctets(text, target, start);
}

function writeOctets(text: string, target: Buffer, offset: number): number {
  // As with reading: the call into the runtime costs more than a few octets.
  if (text.length > 24) return offset + target.write(text, offset, 'latin1');
  for (let at = 0; at < text.length; at += 1) target[offset + at] = text.charCodeAt(at);
  return offset + text.length;
}
