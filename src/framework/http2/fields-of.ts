import { type HeaderField, HpackDecoder } from './hpack/index.js';
import type { Http2Fields } from './http2-stream.js';

/** For each field of a list, beside its name and value: RFC 9113 section 6.5.2. */
export const fieldOverheadBytes = 32;

const known = new WeakMap<Uint8Array, readonly HeaderField[]>();

/** The fields of a list, or of a block made by `precompute`: for those who send them by other means than HTTP/2. */
export function fieldsOf(fields: Http2Fields): readonly HeaderField[] {
  if (!(fields instanceof Uint8Array)) return fields;
  let list = known.get(fields);
  if (list === undefined) {
    list = decode(fields);
    known.set(fields, list);
  }
  return list;
}

/** Bytes of names and values, and 32 for each field: what SETTINGS_MAX_HEADER_LIST_SIZE counts, RFC 9113 section 6.5.2. */
export function listBytes(fields: Http2Fields): number {
  let bytes = 0;
  for (const { name, value } of fieldsOf(fields)) bytes += name.length + value.length + fieldOverheadBytes;
  return bytes;
}

function decode(block: Uint8Array): readonly HeaderField[] {
  const fields: HeaderField[] = [];
  const decoder = new HpackDecoder({ maxTableBytes: 0, maxListBytes: Number.POSITIVE_INFINITY });
  decoder.decode(block, 0, block.length, (name, value) => fields.push({ name, value }));
  return fields;
}
