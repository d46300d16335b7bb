/** What a field is, as far as HTTP/2 cares. */
export const FieldKind = {
  malformed: 0,
  plain: 1,
  method: 2,
  scheme: 3,
  authority: 4,
  path: 5,
  connectionSpecific: 6,
  te: 7,
  host: 8,
  contentLength: 9,
  malformedValue: 10,
  /** Singleton fields that decide about access and interpretation: RFC 9110 sections 5.3 and 5.5. */
  authorization: 11,
  contentType: 12,
} as const;

// RFC 9113 section 8.2.2.
const connectionSpecific = ['connection', 'proxy-connection', 'keep-alive', 'transfer-encoding', 'upgrade'];

const kinds = new Map<string, number>([
  [':method', FieldKind.method],
  [':scheme', FieldKind.scheme],
  [':authority', FieldKind.authority],
  [':path', FieldKind.path],
  ['te', FieldKind.te],
  ['host', FieldKind.host],
  ['content-length', FieldKind.contentLength],
  ['authorization', FieldKind.authorization],
  ['content-type', FieldKind.contentType],
  ...connectionSpecific.map((name) => [name, FieldKind.connectionSpecific] as const),
]);

// Names that applications use number dozens; a peer that invents names pays for the check of each.
const rememberedNames = 1024;
const longestRememberedName = 64;

/** tchar of RFC 9110 section 5.6.2 without upper case: RFC 9113 section 8.2.1. */
const isNameByte = new Uint8Array(128);
for (const char of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz") isNameByte[char.charCodeAt(0)] = 1;

/** The kind of a field as received. For the decoder, which remembers it with each entry of its table. */
export function judgeField(name: string, value: string): number {
  const kind = fieldKind(name);
  return isValueOf(kind, value) ? kind : FieldKind.malformedValue;
}

// RFC 3986 section 3.1.
const schemePattern = /^[a-z][a-z0-9+.-]*$/i;

/**
 * Host and port of RFC 3986 sections 3.2.2 and 3.2.3, without the user before them, which is deprecated and not to be
 * sent: RFC 9113 section 8.3.1. RFC 9110 section 7.2 says the same of `host`.
 */
const authorityPattern =
  /^(?:\[(?:[0-9a-f:.]+(?:%25[\w.~%-]+)?|v[0-9a-f]+\.[\w.~!$&'()*+,;=:-]+)\]|(?:[\w.~!$&'()*+,;=-]|%[0-9a-f]{2})*)(?::\d{0,5})?$/i;

// RFC 9113 section 8.3.1; what may be empty or missing when depends on the rest of the request.
function isValueOf(kind: number, value: string): boolean {
  if (kind === FieldKind.method) return isToken(value);
  if (kind === FieldKind.scheme) return schemePattern.test(value);
  if (kind === FieldKind.authority || kind === FieldKind.host) return authorityPattern.test(value);
  if (kind === FieldKind.path) return value === '*' || (value.charCodeAt(0) === slash && isTarget(value));
  return kind === FieldKind.malformed || isFieldValue(value);
}

/** The kind of a field by its name. */
export function fieldKind(name: string): number {
  const known = kinds.get(name);
  if (known !== undefined) return known;
  const kind = isFieldName(name) ? FieldKind.plain : FieldKind.malformed;
  if (kind === FieldKind.plain && kinds.size < rememberedNames && name.length <= longestRememberedName) {
    kinds.set(name, kind);
  }
  return kind;
}

function isFieldName(name: string): boolean {
  for (let i = 0; i < name.length; i += 1) {
    if (isNameByte[name.charCodeAt(i)] !== 1) return false;
  }
  return name.length > 0;
}

const space = 0x20;
const tab = 0x09;
const slash = 0x2f;
const del = 0x7f;

/** No control character but HTAB, and no white space at the ends: RFC 9113 section 8.2.1, RFC 9110 section 5.5. */
export function isFieldValue(value: string): boolean {
  const last = value.length - 1;
  if (last < 0) return true;
  for (let i = 0; i <= last; i += 1) {
    const char = value.charCodeAt(i);
    if (char < space ? char !== tab : char === del) return false;
  }
  return !isBlank(value.charCodeAt(0)) && !isBlank(value.charCodeAt(last));
}

function isBlank(char: number): boolean {
  return char === space || char === tab;
}

const TargetPart = { path: 1, query: 2, queryMark: 3 } as const;

/** What a byte of a target may be part of, as in HTTP/1.1: RFC 3986 sections 3.3 and 3.4, and what browsers send unescaped besides. */
const targetPart = new Uint8Array(128);
for (let byte = 0x21; byte < del; byte += 1) targetPart[byte] = TargetPart.path;
for (const char of '"<>\\`{}') targetPart[char.charCodeAt(0)] = TargetPart.query;
targetPart[0x23] = 0;
targetPart[0x3f] = TargetPart.queryMark;

/** What may stand in `:path`: a path and a query, both of ASCII, and no fragment. */
function isTarget(value: string): boolean {
  const { length } = value;
  let at = 0;
  while (at < length && targetPart[value.charCodeAt(at)] === TargetPart.path) at += 1;
  if (at === length) return true;
  if (targetPart[value.charCodeAt(at)] !== TargetPart.queryMark) return false;
  while (at < length && (targetPart[value.charCodeAt(at)] ?? 0) !== 0) at += 1;
  return at === length;
}

/** The token of RFC 9110 section 5.6.2. */
function isToken(value: string): boolean {
  return isFieldName(value.toLowerCase());
}

/** One byte for each character, as HPACK sends them. */
export function isLatin1(value: string): boolean {
  for (let i = 0; i < value.length; i += 1) {
    if (value.charCodeAt(i) > 0xff) return false;
  }
  return true;
}
