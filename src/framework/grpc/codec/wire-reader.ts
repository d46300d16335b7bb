import { double, float, high, low, signed, single, unsigned, words } from './scratch-number.js';
import { mergeStruct, structFromJson, structToJson } from './struct-json.js';
import { budget, chargeEntry, cost, tooDeep, tooMany } from './work-budget.js';

/** Longest string, in bytes, that is put together character by character: above it one native call costs less. */
const maxShortText = 32;

/** Where the last of the functions below that reads a number stopped: a second result without an object. */
export const cursor = { pos: 0 };

const strictText = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const replacement = '\u{fffd}';

/** Longest text, in bytes, of which the replacement characters are counted: the decoder costs more to call than that. */
const maxCountedText = 512;

/** What all empty `bytes` are: a view of its own takes 100 bytes. */
const noBytes = new Uint8Array(0);

/** What varints of one byte are as 64-bit numbers. */
const smallLongs = Array.from({ length: 128 }, (_, value) => BigInt(value));
const smallZigzags = smallLongs.map((value) => (value >> 1n) ^ -(value & 1n));
const smallTexts = smallLongs.map(String);
const smallZigzagTexts = smallZigzags.map(String);

type Record32 = Record<number, number>;

export function endOfInput(): never {
  throw new RangeError('premature end of the message');
}

function badGroupEnd(): never {
  throw new Error('group does not end with its own end tag');
}

function badTag(tag: number): never {
  throw new Error(`illegal tag: field number ${tag >>> 3}, wire type ${tag & 7}`);
}

/** Reads a tag of more than one byte. `cursor.pos` is behind it. */
export function longTag(bytes: Uint8Array, start: number, limit: number): number {
  let tag = 0;
  for (let pos = start, shift = 0; pos < limit && shift < 35; shift += 7) {
    const byte = (bytes as Record32)[pos++] as number;
    tag |= (byte & 0x7f) << shift;
    if (byte > 0x7f) continue;
    if (shift === 28 && byte > 0x0f) break;
    cursor.pos = pos;
    return tag >>> 0;
  }
  throw new Error('illegal tag: truncated or longer than 32 bits');
}

/** Reads a varint of which the lower 32 bits count. `cursor.pos` is behind it. */
export function varint32(bytes: Uint8Array, start: number, limit: number): number {
  let value = 0;
  for (let pos = start, shift = 0; shift < 70; shift += 7) {
    if (pos >= limit) endOfInput();
    const byte = (bytes as Record32)[pos++] as number;
    if (shift < 35) value |= (byte & 0x7f) << shift;
    if (byte > 0x7f) continue;
    cursor.pos = pos;
    return value >>> 0;
  }
  throw new Error('varint longer than ten bytes');
}

/** Reads a varint into the scratch number and returns the position behind it. */
function varint64(bytes: Uint8Array, start: number, limit: number): number {
  let lower = 0;
  let upper = 0;
  let pos = start;
  for (let shift = 0; shift < 70; shift += 7) {
    if (pos >= limit) endOfInput();
    const byte = (bytes as Record32)[pos++] as number;
    const bits = byte & 0x7f;
    if (shift < 28) lower |= bits << shift;
    else if (shift > 28) upper |= bits << (shift - 32);
    else {
      lower |= bits << 28;
      upper = bits >> 4;
    }
    if (byte > 0x7f) continue;
    words[low] = lower;
    words[high] = upper;
    return pos;
  }
  throw new Error('varint longer than ten bytes');
}

/** Undoes the zigzag of the scratch number. */
function unzigzag(): void {
  const lower = words[low] as number;
  const upper = words[high] as number;
  const sign = -(lower & 1);
  words[low] = ((lower >>> 1) | (upper << 31)) ^ sign;
  words[high] = (upper >>> 1) ^ sign;
}

function load32(bytes: Uint8Array, pos: number): number {
  const b = bytes as Record32 & Uint8Array;
  return (
    (b[pos] as number) | ((b[pos + 1] as number) << 8) | ((b[pos + 2] as number) << 16) | ((b[pos + 3] as number) << 24)
  );
}

function load64(bytes: Uint8Array, pos: number): void {
  words[low] = load32(bytes, pos);
  words[high] = load32(bytes, pos + 4);
}

function loadFloat(bytes: Uint8Array, pos: number): number {
  words[single] = load32(bytes, pos);
  return float[0] as number;
}

function loadDouble(bytes: Uint8Array, pos: number): number {
  load64(bytes, pos);
  return double[0] as number;
}

/** The scratch number in decimal. A BigInt is made only where a double does not hold the value. */
function signedText(): string {
  const upper = words[high] as number;
  if (upper >= -0x200000 && upper < 0x200000) return String(upper * 0x1_0000_0000 + ((words[low] as number) >>> 0));
  return String(signed[0]);
}

function unsignedText(): string {
  const upper = (words[high] as number) >>> 0;
  if (upper < 0x200000) return String(upper * 0x1_0000_0000 + ((words[low] as number) >>> 0));
  return String(unsigned[0]);
}

/** Text of which invalid bytes are an error. */
function verifiedText(bytes: Buffer, start: number, end: number): string {
  const text = bytes.toString('utf8', start, end);
  // Invalid bytes become U+FFFD, which may also be what was sent.
  if (!text.includes(replacement)) return text;
  if (end - start <= maxCountedText && isEachSent(text, bytes, start, end)) return text;
  return strictText.decode(bytes.subarray(start, end));
}

/** Whether there are as many U+FFFD in the bytes as in the text that they were decoded to. */
function isEachSent(text: string, bytes: Buffer, start: number, end: number): boolean {
  let count = 0;
  for (let at = text.indexOf(replacement); at >= 0; at = text.indexOf(replacement, at + 1)) count++;
  // 0xef begins a character and is never within one.
  for (let pos = start; pos + 2 < end; pos++)
    if (bytes[pos] === 0xef && bytes[pos + 1] === 0xbf && bytes[pos + 2] === 0xbd) count--;
  return count === 0;
}

/** Text of which invalid bytes become U+FFFD: proto2, and `features.utf8_validation = NONE`. */
function laxText(bytes: Buffer, start: number, end: number): string {
  return bytes.toString('utf8', start, end);
}

/** A view: plain whatever class the input has, and without its cost. */
function view(bytes: Uint8Array, start: number, end: number): Uint8Array {
  if (start === end) return noBytes;
  if ((budget.left -= cost.bytes) < 0) tooMany();
  return new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start);
}

export function skipVarint(bytes: Uint8Array, start: number, limit: number): number {
  let pos = start;
  while (pos < limit && ((bytes as Record32)[pos] as number) > 0x7f) pos++;
  return pos + 1;
}

function skipGroup(bytes: Uint8Array, start: number, limit: number, no: number, levels: number): number {
  if (levels <= 0) tooDeep();
  let pos = start;
  for (;;) {
    const tag = longTag(bytes, pos, limit);
    pos = cursor.pos;
    if ((tag & 7) !== 4) pos = skip(bytes, pos, limit, tag, levels - 1);
    else if (tag >>> 3 === no) return pos;
    else badGroupEnd();
  }
}

/** Position behind the field whose tag was just read. `levels`: how many levels of groups it may have. */
export function skip(bytes: Uint8Array, start: number, limit: number, tag: number, levels: number): number {
  let pos = start;
  const no = tag >>> 3;
  if (no === 0) badTag(tag);
  if ((budget.left -= cost.skipped) < 0) tooMany();
  const wireType = tag & 7;
  if (wireType === 0) pos = skipVarint(bytes, pos, limit);
  else if (wireType === 1) pos += 8;
  else if (wireType === 2) {
    pos = varint32(bytes, pos, limit);
    pos += cursor.pos;
  } else if (wireType === 3) pos = skipGroup(bytes, pos, limit, no, levels);
  else if (wireType === 5) pos += 4;
  else badTag(tag);
  if (pos > limit) endOfInput();
  return pos;
}

interface UnknownOwner {
  $unknown?: { no: number; wireType: number; data: Uint8Array }[];
}

/** Whether one more unknown field is kept. */
function keepsUnknown(m: UnknownOwner): boolean {
  if (budget.unknown <= 0) return false;
  budget.unknown--;
  const isFirst = m.$unknown === undefined;
  if ((budget.left -= isFirst ? cost.unknown + cost.firstUnknown : cost.unknown) < 0) tooMany();
  return true;
}

/** Keeps a field that the descriptor does not have, or skips it, and returns the position behind it. */
function keep(m: UnknownOwner, bytes: Uint8Array, start: number, limit: number, tag: number, depth: number): number {
  const end = skip(bytes, start, limit, tag, budget.depth - depth);
  if (keepsUnknown(m)) {
    const data = new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start);
    (m.$unknown ??= []).push({ no: tag >>> 3, wireType: tag & 7, data });
  }
  return end;
}

const enumBytes = new Uint8Array(10);

// For a few bytes, less than half of what slice() costs.
function copyOf(bytes: Uint8Array, size: number): Uint8Array {
  const copy = new Uint8Array(size);
  for (let at = 0; at < size; at++) copy[at] = bytes[at] as number;
  return copy;
}

/** The same for a number that a closed enum does not have. */
function keepEnum(m: UnknownOwner, tag: number, value: number): void {
  if (!keepsUnknown(m)) return;
  let size = 0;
  let rest = value;
  // Of a negative number the wire has 64 bits, the upper ones all set: ten bytes, of which the last is 1.
  for (; value < 0 ? size < 9 : rest > 0x7f; rest >>= 7) enumBytes[size++] = (rest & 0x7f) | 0x80;
  enumBytes[size++] = value < 0 ? 1 : rest;
  (m.$unknown ??= []).push({ no: tag >>> 3, wireType: tag & 7, data: copyOf(enumBytes, size) });
}

function setOwn(record: object, key: string, value: unknown): void {
  Object.defineProperty(record, key, { value, writable: true, enumerable: true, configurable: true });
}

/** The source of a function for text of up to `maxShortText` bytes of ASCII; longer or other text goes to `rest`. */
function shortTextSource(rest: string): string {
  const cases = Array.from({ length: maxShortText }, (_, index) => {
    const names = Array.from({ length: index + 1 }, (_name, at) => `c${at}`);
    const loads = names.map((name, at) => `${name} = b[p + ${at}]`);
    return `case ${index + 1}: { const ${loads.join(', ')};
      if ((${names.join(' | ')}) < 128) return chars(${names.join(', ')}); break; }`;
  });
  // One call with all characters makes the string at once; adding them one by one makes a chain of strings.
  return `function (b, p, n) { switch (n) { case 0: return ""; ${cases.join('\n')} } return ${rest}(b, p, p + n); }`;
}

/**
 * What generated decoders call.
 *
 * @throws EvalError code generation from strings is forbidden
 */
export function createWireReader() {
  const text = (rest: (bytes: Buffer, start: number, end: number) => string) =>
    // oxlint-disable-next-line typescript/no-implied-eval -- a constant text
    (new Function('chars', 'rest', `return ${shortTextSource('rest')}`) as (...args: unknown[]) => unknown)(
      String.fromCharCode,
      rest,
    );
  return {
    ...{ cursor, endOfInput, tooDeep, tooMany, badGroupEnd, badTag, longTag, varint32, varint64, unzigzag },
    ...{ load32, load64, loadFloat, loadDouble, signedText, unsignedText, view, skip, keep, keepEnum, setOwn },
    ...{ budget, chargeEntry, noBytes, structToJson, structFromJson, mergeStruct, signed, unsigned, words },
    ...{ strict: text(verifiedText), lax: text(laxText), smallLongs, smallZigzags, smallTexts, smallZigzagTexts },
  };
}
