// Answers of a few KiB at most share a piece of memory; Node's own pool is 8 KiB, and what it gives is given for good.
const slabBytes = 65_536;
const largestBytes = 16_384;
// UTF-16 to UTF-8: three bytes for one unit at most.
const growth = 3;

let slab = Buffer.allocUnsafeSlow(slabBytes);
let used = 0;

/** Text as UTF-8. The bytes are the caller's until `release()`. */
export function textBytes(text: string): Buffer {
  if (text.length * growth > largestBytes) return Buffer.from(text);
  if (used + text.length * growth > slabBytes) {
    slab = Buffer.allocUnsafeSlow(slabBytes);
    used = 0;
  }
  const start = used;
  used += slab.write(text, start);
  return slab.subarray(start, used);
}

/** Gives bytes back that nobody will read any more: the latest of `textBytes()`, or nothing happens. */
export function release(bytes: Buffer): void {
  if (bytes.buffer === slab.buffer && bytes.byteOffset + bytes.length === slab.byteOffset + used) used -= bytes.length;
}
