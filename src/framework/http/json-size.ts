import { type LimitOptions, MessageTooDeepError, TooManyElementsError } from '../pipeline/index.js';

/** What a JSON body may consist of. */
export type JsonLimits = Pick<LimitOptions, 'maxMessageElements' | 'maxMessageDepth'>;

// A body that is shorter has too few names to take long.
const smallBytes = 16_384;
// V8 makes a hash table of an object with more members, and each new name takes ten times as long as a list item.
const cheapMembers = 1024;
const nameWeight = 10;

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;

/** Whether so many bytes of JSON have too few elements, weighed or not, to be counted. */
export function isSmallJson(bytes: number, { maxMessageElements }: JsonLimits): boolean {
  return bytes <= Math.min(maxMessageElements, smallBytes);
}

/**
 * Counts the elements and the levels of one JSON text, piece by piece, so that a text with too many is refused when the first of
 * them comes. Elements are list items and object members; an empty list or object counts twice, and each member of one object
 * beyond the 1024th counts as ten.
 */
export class JsonSize {
  readonly #limits: JsonLimits;
  #depth = 0;
  #elements = 0;
  #isInString = false;
  /** The last byte was a backslash in a string. */
  #isEscaped = false;
  /** Of each level, the members so far of the object that is open; below 0 for a list. */
  readonly #members: number[] = [0];

  constructor(limits: JsonLimits) {
    this.#limits = limits;
  }

  /**
   * What counts a body while it comes; `undefined` for one that is announced as too small to have too many.
   *
   * @param announced `content-length`
   */
  static ofBody(announced: string | undefined, limits: JsonLimits): JsonSize | undefined {
    return announced !== undefined && isSmallJson(Number(announced), limits) ? undefined : new JsonSize(limits);
  }

  /** Takes the next bytes. Returns what is too much, if anything is; nothing is to be added then. */
  add(bytes: Uint8Array): MessageTooDeepError | TooManyElementsError | undefined {
    const { maxMessageElements, maxMessageDepth } = this.#limits;
    const members = this.#members;
    let depth = this.#depth;
    let elements = this.#elements;
    let isInString = this.#isInString;
    let at = this.#isEscaped ? 1 : 0;
    for (; at < bytes.length; at += 1) {
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
        if (depth > maxMessageDepth) return new MessageTooDeepError(maxMessageDepth);
        members[depth] = byte === 0x7b ? 0 : -1;
      } else if (byte === 0x5d || byte === 0x7d) depth = Math.max(0, depth - 1);
      else continue;
      if (elements > maxMessageElements) return new TooManyElementsError(maxMessageElements);
    }
    this.#isEscaped = at > bytes.length;
    this.#depth = depth;
    this.#elements = elements;
    this.#isInString = isInString;
    return undefined;
  }
}
