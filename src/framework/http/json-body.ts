import { isUtf8 } from 'node:buffer';
import { type LimitOptions, MessageTooDeepError, TooManyElementsError } from '../pipeline/index.js';
import { MalformedBodyError } from './http.errors.js';

/** What a JSON body may consist of. */
export type JsonLimits = Pick<LimitOptions, 'maxMessageElements' | 'maxMessageDepth'>;

// A body that is shorter has too few names to take long.
const smallBytes = 16_384;
// V8 makes a hash table of an object with more members, and each new name takes ten times as long as a list item.
const cheapMembers = 1024;
const nameWeight = 10;

/**
 * Parses a request body strictly: well-formed UTF-8, no key `__proto__`, at most `maxMessageDepth` levels and
 * `maxMessageElements` elements. Elements are list items and object members; an empty list or object counts twice,
 * and each member of one object beyond the 1024th counts as ten.
 *
 * Both limits are checked before a value is made of the text.
 *
 * @returns the value; `undefined` for an empty body
 * @throws MalformedBodyError
 * @throws MessageTooDeepError
 * @throws TooManyElementsError
 */
export function parseJsonBody(bytes: Buffer, limits: JsonLimits): unknown {
  if (bytes.length === 0) return undefined;
  if (!isUtf8(bytes)) throw new MalformedBodyError('the body is not valid UTF-8');
  const text = bytes.toString('utf8');
  // A level takes at least one byte, and a small body has too few elements, weighed or not: it is not walked through.
  const { maxMessageElements, maxMessageDepth } = limits;
  if (
    bytes.length > Math.min(maxMessageElements, smallBytes) ||
    (bytes.length > maxMessageDepth && hasManyOpeners(text, maxMessageDepth))
  )
    checkSize(bytes, limits);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new MalformedBodyError('the body is not valid JSON', { cause: error });
  }
  // The slow way only where an escape or the plain word could make the forbidden key.
  if ((text.includes('__proto__') || text.includes('\\u')) && protoKey.test(text))
    throw new MalformedBodyError('the key __proto__ is not allowed');
  return value;
}

// In valid JSON a quote without a backslash before it begins or ends a string, and no letter follows the end of one.
// A reviver in the place of this pattern would be called for every value, at ten times the cost of parsing.
const protoKey =
  /(?<!\\)"(?:_|\\u005[fF]){2}(?:p|\\u0070)(?:r|\\u0072)(?:o|\\u006[fF])(?:t|\\u0074)(?:o|\\u006[fF])(?:_|\\u005[fF]){2}"[ \t\r\n]*:/;

// Few bodies have as many brackets as it would take; they are found faster than all bytes are walked through.
function hasManyOpeners(text: string, many: number): boolean {
  let count = 0;
  for (const opener of ['{', '[']) {
    for (let at = text.indexOf(opener); at >= 0; at = text.indexOf(opener, at + 1)) {
      count += 1;
      if (count > many) return true;
    }
  }
  return false;
}

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;

function checkSize(bytes: Buffer, { maxMessageElements, maxMessageDepth }: JsonLimits): void {
  let depth = 0;
  let elements = 0;
  let isInString = false;
  // Of each level, the members so far of the object that is open; below 0 for a list.
  const members: number[] = [0];
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (isInString) {
      if (byte === backslash) at += 1;
      else if (byte === quote) isInString = false;
      continue;
    }
    if (byte === quote) isInString = true;
    else if (byte === comma) {
      const count = members[depth] as number;
      elements += count < cheapMembers ? 1 : nameWeight;
      if (count >= 0) members[depth] = count + 1;
    }
    // '[' and '{', ']' and '}' differ in the same bit.
    else if (byte === 0x5b || byte === 0x7b) {
      elements += 1;
      depth += 1;
      if (depth > maxMessageDepth) throw new MessageTooDeepError(maxMessageDepth);
      members[depth] = byte === 0x7b ? 0 : -1;
    } else if (byte === 0x5d || byte === 0x7d) depth = Math.max(0, depth - 1);
    else continue;
    if (elements > maxMessageElements) throw new TooManyElementsError(maxMessageElements);
  }
}
