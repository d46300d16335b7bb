// RFC 7541 section 5.2, Huffman-coded string literals, read four bits at a time.
import { HpackError } from './hpack-error.js';
import { codeBits, codes, endOfString } from './huffman-code.js';

// A state is a node of the code's tree: what has been read of the next symbol. Node 0 is the root. A step takes four
// bits; as no code is shorter than five, it completes one symbol at most. One word per step:
//   bits 0-7 the symbol · bit 8 whether there is one · bits 9-21 the next state × 16, ready for its four bits
// 257 states × 16 steps × 4 octets = 16 KiB: it stays in the first-level cache, which steps of eight bits would not.
const hasSymbol = 0x100;
const stateShift = 9;

/** Of all inner nodes there are as many as leaves but one; behind them the state of which nothing comes. */
const failed = endOfString;
const steps = new Uint32Array((failed + 1) * 16);

/** By state: whether a string may end here, which it may after at most seven bits, all of them ones. */
const mayEnd = new Uint8Array(failed + 1);

build();

/** No string of `bytes` octets decodes to more: the shortest code has five bits. */
export function maxDecodedBytes(bytes: number): number {
  // One more, as each step writes an octet before it is known whether it counts.
  return Math.floor((bytes * 8) / 5) + 1;
}

/**
 * Decodes `block[start, end)` into `target`, which must have room for `maxDecodedBytes`.
 *
 * @returns the number of octets written
 * @throws HpackError the end-of-string symbol among the data, or padding that is longer than 7 bits or not all ones
 */
export function decodeHuffman(block: Uint8Array, start: number, end: number, target: Uint8Array): number {
  let length = 0;
  let step = 0;
  for (let at = start; at < end; at += 1) {
    const octet = block[at] as number;
    // Both writes without a branch: which step completes a symbol cannot be predicted.
    step = steps[(step >>> stateShift) | (octet >>> 4)] as number;
    target[length] = step;
    length += (step >>> 8) & 1;
    step = steps[(step >>> stateShift) | (octet & 0xf)] as number;
    target[length] = step;
    length += (step >>> 8) & 1;
  }
  if (mayEnd[step >>> (stateShift + 4)] === 0) throw new HpackError('malformed Huffman-coded string');
  return length;
}

/** Children by node × 2 + bit: an inner node, or a symbol as its complement. */
function tree(): Int16Array {
  const children = new Int16Array(failed * 2);
  let nodes = 1;
  for (const [symbol, bits] of codeBits.entries()) {
    const code = codes[symbol] as number;
    let node = 0;
    for (let bit = bits - 1; bit > 0; bit -= 1) {
      const edge = node * 2 + ((code >>> bit) & 1);
      if (children[edge] === 0) children[edge] = nodes++;
      node = children[edge] as number;
    }
    children[node * 2 + (code & 1)] = ~symbol;
  }
  return children;
}

function build(): void {
  const children = tree();
  for (let state = 0; state < failed; state += 1) {
    for (let nibble = 0; nibble < 16; nibble += 1) steps[state * 16 + nibble] = stepFrom(children, state, nibble);
  }
  steps.fill((failed * 16) << stateShift, failed * 16);
  for (let node = 0, depth = 0; depth <= 7; depth += 1, node = children[node * 2 + 1] as number) mayEnd[node] = 1;
}

function stepFrom(children: Int16Array, state: number, nibble: number): number {
  let node = state;
  let emitted = 0;
  for (let bit = 3; bit >= 0; bit -= 1) {
    const child = children[node * 2 + ((nibble >>> bit) & 1)] as number;
    if (child === ~endOfString) return (failed * 16) << stateShift;
    if (child < 0) emitted = hasSymbol | ~child;
    node = Math.max(child, 0);
  }
  return emitted | ((node * 16) << stateShift);
}
