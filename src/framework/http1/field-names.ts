import { tokenLower } from './characters.js';

/** What a field of a request is, as far as HTTP/1.1 cares. */
export const FieldKind = {
  plain: 0,
  host: 1,
  contentLength: 2,
  transferEncoding: 3,
  connection: 4,
  upgrade: 5,
  expect: 6,
  /** Singleton fields that decide about access and interpretation: RFC 9110 sections 5.3 and 5.5. */
  authorization: 7,
  contentType: 8,
} as const;

export interface FieldName {
  /** In lower case. */
  readonly name: string;
  readonly kind: number;
}

const kinds = new Map<string, number>([
  ['host', FieldKind.host],
  ['content-length', FieldKind.contentLength],
  ['transfer-encoding', FieldKind.transferEncoding],
  ['connection', FieldKind.connection],
  ['upgrade', FieldKind.upgrade],
  ['expect', FieldKind.expect],
  ['authorization', FieldKind.authorization],
  ['content-type', FieldKind.contentType],
]);

// Names that clients use number dozens. A peer that invents names drives them out for as long as it does.
const slots = 1024;
const longestRemembered = 64;

const remembered = Array.from<FieldName | undefined>({ length: slots });

/** The hash of a name, by its bytes in lower case; it begins with 0. */
export function nextHash(hash: number, byte: number): number {
  return (Math.imul(hash, 31) + byte) | 0;
}

/** The name in `bytes` from `start` to `end`, a token with the hash `hash`. Names that were seen before cost no string. */
export function fieldName(bytes: Buffer, start: number, end: number, hash: number): FieldName {
  const slot = (hash ^ (hash >>> 10)) & (slots - 1);
  const known = remembered[slot];
  if (known !== undefined && isIn(known.name, bytes, start, end)) return known;
  const name = bytes.toString('latin1', start, end).toLowerCase();
  const made = { name, kind: kinds.get(name) ?? FieldKind.plain };
  if (name.length <= longestRemembered) remembered[slot] = made;
  return made;
}

function isIn(name: string, bytes: Buffer, start: number, end: number): boolean {
  if (name.length !== end - start) return false;
  for (let i = 0; i < name.length; i += 1) {
    if (tokenLower[bytes[start + i] as number] !== name.charCodeAt(i)) return false;
  }
  return true;
}
