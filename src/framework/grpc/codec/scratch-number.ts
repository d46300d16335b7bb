const bytes = new ArrayBuffer(8);

/** Eight bytes seen as every number of the wire: what one view is given, the others have. */
export const words = new Int32Array(bytes);
export const signed = new BigInt64Array(bytes);
export const unsigned = new BigUint64Array(bytes);
export const float = new Float32Array(bytes);
export const double = new Float64Array(bytes);

const isLittleEndian = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

/** Index in `words` of the lower and of the upper half of a 64-bit number. */
export const low = isLittleEndian ? 0 : 1;
export const high = 1 - low;
/** Index in `words` of `float[0]`. */
export const single = 0;
