import { isUtf8 } from 'node:buffer';
import { MalformedBodyError } from './http.errors.js';

// Deeper JSON than this is not data but an attack on whoever walks through it recursively.
const maxDepth = 64;

/**
 * Parses a request body strictly: UTF-8 that is well formed, at most 64 levels deep, no key `__proto__`.
 *
 * @returns the value; `undefined` for an empty body
 * @throws MalformedBodyError
 */
export function parseJsonBody(bytes: Buffer): unknown {
  if (bytes.length === 0) return undefined;
  if (!isUtf8(bytes)) throw new MalformedBodyError('the body is not valid UTF-8');
  const text = bytes.toString('utf8');
  if (hasManyOpeners(text) && isTooDeep(bytes)) {
    throw new MalformedBodyError(`the body is nested more than ${maxDepth} levels deep`);
  }
  try {
    // The slow way only where an escape or the plain word could make the forbidden key.
    return text.includes('__proto__') || text.includes('\\u') ? JSON.parse(text, refuseProto) : JSON.parse(text);
  } catch (error) {
    if (error instanceof MalformedBodyError) throw error;
    throw new MalformedBodyError('the body is not valid JSON', { cause: error });
  }
}

function refuseProto(key: string, value: unknown): unknown {
  if (key === '__proto__') throw new MalformedBodyError('the key __proto__ is not allowed');
  return value;
}

// Few bodies have as many brackets as it would take; they are found faster than all bytes are walked through.
function hasManyOpeners(text: string): boolean {
  let count = 0;
  for (const opener of ['{', '[']) {
    for (let at = text.indexOf(opener); at >= 0; at = text.indexOf(opener, at + 1)) {
      count += 1;
      if (count > maxDepth) return true;
    }
  }
  return false;
}

const quote = 0x22;
const backslash = 0x5c;

function isTooDeep(bytes: Buffer): boolean {
  let depth = 0;
  let isInString = false;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (isInString) {
      if (byte === backslash) at += 1;
      else if (byte === quote) isInString = false;
    } else if (byte === quote) isInString = true;
    // '[' and '{', ']' and '}' differ in the same bit.
    else if (byte === 0x5b || byte === 0x7b) {
      depth += 1;
      if (depth > maxDepth) return true;
    } else if (byte === 0x5d || byte === 0x7d) depth -= 1;
  }
  return false;
}
