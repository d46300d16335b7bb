// RFC 7541 appendix B, the Huffman code.

/** The symbol that ends a string; it may only appear as padding. */
export const endOfString = 256;

/**
 * Length in bits of each symbol's code, one digit to base 36 per symbol. Nothing more is needed: the code is
 * canonical, so the codes of one length count up in the order of their symbols, and go on from the shorter ones.
 */
const lengthDigits =
  'dnsssssssoussussssssssusssssssss6aacd68baa8b8666555666666678f6ca' +
  'd67777777777777777777777878djde6f56565666577666567655677777fbeds' +
  'kmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmolmnnllmlnmnnkmmmnmmn' +
  'qqkjmnmpqqqrrqopjlqrrqrollqqsrrrkoklmllnmmppooqnqrqqrrrrrsrrrrrq' +
  'u';

/** Length in bits of the code, by symbol. */
export const codeBits: Uint8Array = Uint8Array.from(lengthDigits, (digit) => Number.parseInt(digit, 36));

/** The code in the low bits, by symbol. */
export const codes: Uint32Array = canonicalCodes();

function canonicalCodes(): Uint32Array {
  const bySymbol = new Uint32Array(codeBits.length);
  const longest = Math.max(...codeBits);
  let next = 0;
  for (let bits = 1; bits <= longest; bits += 1) {
    for (const [symbol, length] of codeBits.entries()) if (length === bits) bySymbol[symbol] = next++;
    next *= 2;
  }
  return bySymbol;
}
