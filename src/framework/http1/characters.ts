/** Characters of RFC 9110 section 5.6 and RFC 9112 section 2, by their byte. */

export const tab = 0x09;
export const lineFeed = 0x0a;
export const carriageReturn = 0x0d;
export const space = 0x20;
export const doubleQuote = 0x22;
export const hash = 0x23;
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
