// RFC 7541 section 5.1, integers.
import { HpackError } from './hpack-error.js';

/** Where the reader is in its block. One per decoder, so that a read need not return two numbers. */
export class Cursor {
  at = 0;
}

/** Nothing in HPACK or SETTINGS is larger; an integer above it is a decoding error, as section 5.1 allows. */
const maxInteger = 0xffff_ffff;

/** Seven bits each: the fifth octet reaches 2^35. Zeros in further ones would say nothing and cost time. */
const maxMultiplier = 2 ** 28;

/**
 * Reads the integer that begins in the low bits of the octet at `cursor.at`, and moves the cursor behind it.
 *
 * @param prefix the largest value that the prefix holds: 2^N - 1
 */
export function readInteger(block: Uint8Array, end: number, cursor: Cursor, prefix: number): number {
  const value = octetAt(block, end, cursor) & prefix;
  return value < prefix ? value : readContinued(block, end, cursor, prefix);
}

function readContinued(block: Uint8Array, end: number, cursor: Cursor, prefix: number): number {
  let value = prefix;
  for (let multiplier = 1; multiplier <= maxMultiplier; multiplier *= 128) {
    const octet = octetAt(block, end, cursor);
    value += (octet & 0x7f) * multiplier;
    if (octet >= 0x80) continue;
    if (value > maxInteger) break;
    return value;
  }
  throw new HpackError(`integer too large (expected: <= ${maxInteger}, in at most 6 octets)`);
}

function octetAt(block: Uint8Array, end: number, cursor: Cursor): number {
  const { at } = cursor;
  if (at >= end) throw new HpackError('header block ends inside an integer');
  cursor.at = at + 1;
  return block[at] ?? 0;
}

/** An integer of at most 2^32 - 1 takes no more: one octet with the prefix, five with seven bits each. */
export const maxIntegerBytes = 6;

/**
 * Writes `value` behind the bits of `pattern`.
 *
 * @param pattern the octet's bits above the prefix, which say what kind of field this is
 * @param prefix  the largest value that the prefix holds: 2^N - 1
 * @returns the offset behind it
 */
export function writeInteger(
  target: Uint8Array,
  offset: number,
  pattern: number,
  prefix: number,
  value: number,
): number {
  if (value < prefix) {
    target[offset] = pattern | value;
    return offset + 1;
  }
  target[offset++] = pattern | prefix;
  let rest = value - prefix;
  while (rest >= 128) {
    target[offset++] = (rest & 0x7f) | 0x80;
    rest = Math.floor(rest / 128); // not >>>: up to 2^32 - 1 is fine for both, and this needs no proof
  }
  target[offset++] = rest;
  return offset;
}
