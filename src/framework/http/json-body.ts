import { isUtf8 } from 'node:buffer';
import { MalformedBodyError } from './http.errors.js';
import { isSmallJson, type JsonLimits, JsonSize } from './json-size.js';

/**
 * Parses a request body strictly: well-formed UTF-8, no key `__proto__`, at most `maxMessageDepth` levels and
 * `maxMessageElements` elements, as `JsonSize` counts them.
 *
 * Both limits are checked before a value is made of the text.
 *
 * @param isMeasured both limits have been checked while the body came
 * @returns the value; `undefined` for an empty body
 * @throws MalformedBodyError
 * @throws MessageTooDeepError
 * @throws TooManyElementsError
 */
export function parseJsonBody(bytes: Buffer, limits: JsonLimits, isMeasured = false): unknown {
  if (bytes.length === 0) return undefined;
  if (!isUtf8(bytes)) throw new MalformedBodyError('the body is not valid UTF-8');
  const text = bytes.toString('utf8');
  if (!isMeasured && !isPlainlySmall(text, bytes.length, limits)) {
    const refusal = new JsonSize(limits).add(bytes);
    if (refusal !== undefined) throw refusal;
  }
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

// A level takes at least one byte: most small bodies are not walked through.
function isPlainlySmall(text: string, bytes: number, limits: JsonLimits): boolean {
  const { maxMessageDepth } = limits;
  return isSmallJson(bytes, limits) && (bytes <= maxMessageDepth || !hasManyOpeners(text, maxMessageDepth));
}

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
