import { protoInt64 } from '@bufbuild/protobuf';
import type { FrameSlab } from './frame-slab.js';
import { EncodeError } from './encode-error.js';
import { absentIfZero, fail, isAbsent, unusual } from './unusual-values.js';
import { double, float, high, low, signed, single, unsigned, words } from './scratch-number.js';

/** Longest string, in characters, that is written character by character; at most 42, so that its length takes a byte. */
const maxShortText = 32;

/** Up to this many characters room for three bytes each is made without looking at them. */
const maxCheapText = 256;

/** The number that plain decimal digits stand for, or NaN where it takes more to tell. */
function digits(text: string): number {
  const { length } = text;
  // 15 digits are exact in a double.
  if (length === 0 || length > 15) return NaN;
  let number = 0;
  for (let at = 0; at < length; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return NaN;
    number = number * 10 + digit;
  }
  return number;
}

/** Puts a 64-bit integer in any of its forms into the scratch number. `false`: there is nothing to write. */
function long(value: unknown, may: number, isSigned: boolean, field: string): boolean {
  if (typeof value === 'bigint') {
    if ((may & absentIfZero) !== 0 && value === 0n) return false;
    signed[0] = value;
    // Out of range, the number was cut off.
    if ((isSigned ? signed[0] : unsigned[0]) !== value) fail(field, `invalid ${isSigned ? '' : 'u'}int64: ${value}`);
    return true;
  }
  const number = typeof value === 'string' ? digits(value) : value;
  if (typeof number === 'number' && Number.isSafeInteger(number) && (isSigned || number >= 0)) {
    words[low] = number;
    words[high] = Math.floor(number / 0x1_0000_0000);
    return (may & absentIfZero) === 0 || number !== 0;
  }
  if (isAbsent(value, may)) return false;
  try {
    if (isSigned) signed[0] = protoInt64.parse(value as string);
    else unsigned[0] = protoInt64.uParse(value as string);
    return true;
  } catch (error) {
    return fail(field, error);
  }
}

/** Writes the scratch number as a varint. */
function putLong(b: Uint8Array, start: number): number {
  let lower = (words[low] as number) >>> 0;
  let upper = (words[high] as number) >>> 0;
  let pos = start;
  while (upper !== 0) {
    b[pos++] = (lower & 0x7f) | 0x80;
    lower = ((lower >>> 7) | (upper << 25)) >>> 0;
    upper >>>= 7;
  }
  while (lower > 0x7f) {
    b[pos++] = (lower & 0x7f) | 0x80;
    lower >>>= 7;
  }
  b[pos++] = lower;
  return pos;
}

function zigzag(): void {
  const lower = words[low] as number;
  const upper = words[high] as number;
  const sign = upper >> 31;
  words[low] = (lower << 1) ^ sign;
  words[high] = ((upper << 1) | (lower >>> 31)) ^ sign;
}

function putUint32(b: Uint8Array, start: number, number: number): number {
  let pos = start;
  let rest = number;
  while (rest > 0x7f) {
    b[pos++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  b[pos++] = rest;
  return pos;
}

/** A negative number takes ten bytes: its sign goes to 64 bits. */
function putInt32(b: Uint8Array, start: number, number: number): number {
  if (number >= 0) return putUint32(b, start, number);
  words[low] = number;
  words[high] = -1;
  return putLong(b, start);
}

function store32(b: Uint8Array, pos: number, word: number): number {
  b[pos] = word;
  b[pos + 1] = word >>> 8;
  b[pos + 2] = word >>> 16;
  b[pos + 3] = word >>> 24;
  return pos + 4;
}

function storeLong(b: Uint8Array, pos: number): number {
  return store32(b, store32(b, pos, words[low] as number), words[high] as number);
}

function storeFloat(b: Uint8Array, pos: number, number: number): number {
  float[0] = number;
  return store32(b, pos, words[single] as number);
}

function storeDouble(b: Uint8Array, pos: number, number: number): number {
  double[0] = number;
  return storeLong(b, pos);
}

/** Writes length and text, and makes sure of `reserve` bytes behind them. */
function putText(out: FrameSlab, start: number, text: string, reserve: number): number {
  const { length } = text;
  if (length > maxShortText) return putLongText(out, start, text, reserve);
  const b = out.reserve(start, length * 3 + 5 + reserve);
  let pos = start + 1;
  for (let at = 0; at < length; at++) {
    const code = text.charCodeAt(at);
    if (code > 0x7f) return putWideText(b, start, text);
    b[pos++] = code;
  }
  b[start] = length;
  return pos;
}

function putLongText(out: FrameSlab, start: number, text: string, reserve: number): number {
  const { length } = text;
  const b = out.reserve(start, (length > maxCheapText ? Buffer.byteLength(text) : length * 3) + 5 + reserve);
  // As long as if it were ASCII: the text is moved only where its length then takes another number of bytes.
  const guess = varintSize(length);
  return patchLength(b, start, guess, start + guess + b.write(text, start + guess, 'utf8'));
}

/** Short text beyond ASCII; lone surrogates become U+FFFD. */
function putWideText(b: Uint8Array, start: number, text: string): number {
  let pos = start + 1;
  for (let at = 0; at < text.length; at++) {
    let code = text.codePointAt(at) as number;
    if (code >= 0xd800 && code < 0xe000) code = 0xfffd;
    if (code < 0x80) b[pos++] = code;
    else {
      if (code < 0x800) b[pos++] = 0xc0 | (code >> 6);
      else {
        if (code < 0x10000) b[pos++] = 0xe0 | (code >> 12);
        else {
          at++;
          b[pos++] = 0xf0 | (code >> 18);
          b[pos++] = 0x80 | ((code >> 12) & 0x3f);
        }
        b[pos++] = 0x80 | ((code >> 6) & 0x3f);
      }
      b[pos++] = 0x80 | (code & 0x3f);
    }
  }
  b[start] = pos - start - 1;
  return pos;
}

function varintSize(number: number): number {
  if (number < 0x80) return 1;
  if (number < 0x4000) return 2;
  if (number < 0x20_0000) return 3;
  return number < 0x1000_0000 ? 4 : 5;
}

/** Writes the length of what stands behind the `room` bytes left for it, moving that where the length takes more or less. */
function patchLength(b: Uint8Array, start: number, room: number, end: number): number {
  const length = end - start - room;
  const size = varintSize(length);
  if (size !== room) b.copyWithin(start + size, start + room, end);
  putUint32(b, start, length);
  return end + size - room;
}

function putBytes(out: FrameSlab, start: number, bytes: Uint8Array, reserve: number): number {
  const { length } = bytes;
  const b = out.reserve(start, length + 5 + reserve);
  const pos = putUint32(b, start, length);
  b.set(bytes, pos);
  return pos + length;
}

function putUnknown(out: FrameSlab, start: number, fields: readonly UnknownField[]): number {
  let pos = start;
  for (let at = 0; at < fields.length; at++) {
    const { no, wireType, data } = fields[at] as UnknownField;
    const b = out.reserve(pos, 5 + data.length);
    pos = putUint32(b, pos, ((no << 3) | wireType) >>> 0);
    b.set(data, pos);
    pos += data.length;
  }
  return pos;
}

interface UnknownField {
  readonly no: number;
  readonly wireType: number;
  readonly data: Uint8Array;
}

/** Text of a map's key as the value of an integer key; other text is left to be refused. */
function integerKey(key: string): number | string {
  const number = Number.parseInt(key, 10);
  return Number.isFinite(number) ? number : key;
}

function foreign(value: unknown, typeName: string): never {
  throw new EncodeError(undefined, `cannot encode ${kindOf(value)} as ${typeName}`);
}

function missing(field: string, message: string): never {
  throw new EncodeError(field, message);
}

/** A case that the oneof does not have: whoever names it means something, which would be lost without a word. */
function unknownCase(value: unknown, oneof: string, cases: string): void {
  // What `create()` takes for none.
  if (value !== undefined && value !== null)
    throw new EncodeError(oneof, `cannot encode oneof ${oneof}: case ${JSON.stringify(value)} (expected: ${cases})`);
}

function kindOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) return value === null ? 'null' : typeof value;
  if ('$typeName' in value) return String(value.$typeName);
  const tag = Object.prototype.toString.call(value).slice('[object '.length, -1);
  // A tag of its own says more than the class; of binary data and of the service's own classes the class does.
  return tag === 'Object' || tag === 'Uint8Array'
    ? ((value.constructor as { name?: string } | undefined)?.name ?? tag)
    : tag;
}

/** Whether an object can be no message, so that writing the fields it does not have would lose what was meant. */
function isOther(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return false;
  return (
    value instanceof Date ||
    value instanceof Map ||
    value instanceof Set ||
    value instanceof Promise ||
    ArrayBuffer.isView(value) ||
    Symbol.asyncIterator in value
  );
}

/** What generated encoders call. */
export const wireWriter = {
  ...unusual,
  ...{ long, putLong, zigzag, putUint32, putInt32, store32, storeLong, storeFloat, storeDouble },
  ...{ putText, putBytes, putUnknown, patchLength, varintSize, integerKey, foreign, missing, unknownCase, isOther },
  own: (message: object, name: string): boolean => Object.hasOwn(message, name),
};
