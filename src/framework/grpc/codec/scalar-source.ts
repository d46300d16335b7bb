import { ScalarType } from '@bufbuild/protobuf';

/** Source that writes a value `v`. */
export interface ScalarWriter {
  /** Makes of `v` what the wire takes, or throws. */
  readonly check: string;
  /** Expression: whether there is anything to write after the check. */
  readonly isThere: string;
  /** Writes it, without a tag. */
  readonly write: string;
}

/** Wire type of a scalar outside a packed list. */
export function wireTypeOf(type: ScalarType): number {
  switch (type) {
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return 1;
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return 2;
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return 5;
    default:
      return 0;
  }
}

/** Most bytes that a scalar takes without its tag; strings and bytes make room for themselves. */
export function longestScalar(type: ScalarType): number {
  return wireTypeOf(type) === 5 ? 4 : 10;
}

/** Source that writes a tag: its bytes are known. */
export function tagSource(number: number, wireType: number): string {
  let rest = ((number << 3) | wireType) >>> 0;
  let source = '';
  for (; rest > 0x7f; rest >>>= 7) source += `b[pos++] = ${(rest & 0x7f) | 0x80};`;
  return `${source} b[pos++] = ${rest};`;
}

/**
 * @param mask   expression: which values mean that there is nothing to write (`unusual-values.ts`)
 * @param field  name of the field for messages of errors, as source
 * @param after  bytes for which there must be room behind the value
 */
export function scalarWriter(type: ScalarType, mask: string, field: string, after: number): ScalarWriter {
  const unusual = (isUsual: string, name: string, write: string): ScalarWriter => ({
    check: `if (!(${isUsual})) v = unusual${name}(v, ${mask}, ${field});`,
    isThere: 'v !== undefined',
    write,
  });
  const int32 = (write: string): ScalarWriter => unusual('typeof v === "number" && (v | 0) === v', 'Int32', write);
  const uint32 = (write: string): ScalarWriter => unusual('typeof v === "number" && v >>> 0 === v', 'Uint32', write);
  const long = (isSigned: boolean, write: string): ScalarWriter => ({
    check: '',
    isThere: `long(v, ${mask}, ${isSigned}, ${field})`,
    write,
  });
  switch (type) {
    case ScalarType.STRING:
      return unusual('typeof v === "string"', 'Text', `pos = putText(out, pos, v, ${after}); b = out.bytes;`);
    case ScalarType.BYTES:
      return unusual('v instanceof Uint8Array', 'Bytes', `pos = putBytes(out, pos, v, ${after}); b = out.bytes;`);
    case ScalarType.BOOL:
      return unusual('v === true || v === false', 'Bool', 'b[pos++] = v ? 1 : 0;');
    case ScalarType.DOUBLE:
      return unusual('typeof v === "number"', 'Double', 'pos = storeDouble(b, pos, v);');
    case ScalarType.FLOAT:
      // What is larger, and not a number, is looked at more closely.
      return unusual('v <= 3e38 && v >= -3e38 && typeof v === "number"', 'Float', 'pos = storeFloat(b, pos, v);');
    case ScalarType.INT32:
      return int32('if (v >= 0 && v < 128) b[pos++] = v; else pos = putInt32(b, pos, v);');
    case ScalarType.SINT32:
      return int32('pos = putUint32(b, pos, ((v << 1) ^ (v >> 31)) >>> 0);');
    case ScalarType.SFIXED32:
      return int32('pos = store32(b, pos, v);');
    case ScalarType.UINT32:
      return uint32('pos = putUint32(b, pos, v);');
    case ScalarType.FIXED32:
      return uint32('pos = store32(b, pos, v);');
    case ScalarType.INT64:
      return long(true, 'pos = putLong(b, pos);');
    case ScalarType.UINT64:
      return long(false, 'pos = putLong(b, pos);');
    case ScalarType.SINT64:
      return long(true, 'zigzag(); pos = putLong(b, pos);');
    case ScalarType.SFIXED64:
      return long(true, 'pos = storeLong(b, pos);');
    case ScalarType.FIXED64:
      return long(false, 'pos = storeLong(b, pos);');
  }
}
