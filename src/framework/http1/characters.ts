/** Characters of RFC 9110 section 5.6 and RFC 9112 section 2, by their byte. */

export const tab = 0x09;
export const lineFeed = 0x0a;
export const carriageReturn = 0x0d;
export const space = 0x20;
export const doubleQuote = 0x22;
const hash = 0x23;
export const colon = 0x3a;
export const semicolon = 0x3b;
export const equals = 0x3d;
export const backslash = 0x5c;
export const del = 0x7f;

/** For each byte of a token (RFC 9110 section 5.6.2) the same in lower case; 0: not of a token. */
export const tokenLower = new Uint8Array(256);
for (const char of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz") {
  tokenLower[char.charCodeAt(0)] = char.charCodeAt(0);
  tokenLower[char.toUpperCase().charCodeAt(0)] = char.charCodeAt(0);
}

/** For each hexadecimal digit its value; -1: not one. */
export const hexValue = new Int8Array(256).fill(-1);
for (let value = 0; value < 16; value += 1) {
  const digit = value.toString(16);
  hexValue[digit.charCodeAt(0)] = value;
  hexValue[digit.toUpperCase().charCodeAt(0)] = value;
}

/** What a byte of a target may be part of: RFC 3986 sections 3.3 and 3.4, and what browsers send unescaped besides. */
export const TargetPart = { nothing: 0, path: 1, query: 2, queryMark: 3 } as const;

/** For each byte one of `TargetPart`; what a path may have, a query may have as well. A fragment is no part of a target. */
export const targetPart = new Uint8Array(256);
for (let byte = 0x21; byte < del; byte += 1) targetPart[byte] = TargetPart.path;
for (const char of '"<>\\`{}') targetPart[char.charCodeAt(0)] = TargetPart.query;
targetPart[hash] = TargetPart.nothing;
targetPart[0x3f] = TargetPart.queryMark;

/** The elements of a comma-separated list, in lower case, without the white space around them: RFC 9110 section 5.6.1. */
export function lowerList(value: string): string[] {
  return value.toLowerCase().split(',').map(trimBlank);
}

/** Only SP and HTAB are white space: `trim` takes off 0xA0 as well. */
function trimBlank(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) start += 1;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

/** OWS of RFC 9110 section 5.6.3. */
export function isBlank(byte: number): boolean {
  return byte === space || byte === tab;
}

export function isToken(text: string): boolean {
  for (let i = 0; i < text.length; i += 1) {
    const char = text.charCodeAt(i);
    if (char > 0xff || tokenLower[char] === 0) return false;
  }
  return text.length > 0;
}

/** One byte for each character, and neither a control character nor the end of a line among them: RFC 9110 section 5.5. */
export function isFieldValue(text: string): boolean {
  for (let i = 0; i < text.length; i += 1) {
    const char = text.charCodeAt(i);
    if ((char < space && char !== tab) || char === del || char > 0xff) return false;
  }
  return true;
}
