import { create, type DescField, type DescMessage, type DescOneof, ScalarType } from '@bufbuild/protobuf';
import { FeatureSet_FieldPresence as Presence } from '@bufbuild/protobuf/wkt';
import type { References } from './references.js';
import { quote } from './decoder-source.js';
import { longestScalar, scalarWriter, tagSource, wireTypeOf } from './scalar-source.js';
import { isJsonStruct, isUnwrapped } from './well-known-fields.js';

type MessageField = DescField & { readonly message: DescMessage };

/** Longest length prefix. */
const lengthBytes = 5;

/** Longest tag. */
const tagBytes = 5;

/**
 * Source of a function that writes a message, or with `init` also anything that `create()` takes, and returns the
 * position behind it. At each field there is room for its tag and all else of fixed length from there on (`after`: behind
 * the field); what has a length of its own makes room for itself and for `after`.
 */
export function encoderSource(desc: DescMessage, refs: References): string {
  const fields = desc.fields.toSorted((a, b) => a.number - b.number);
  const bodies: string[] = [];
  let after = 0;
  for (const field of fields.toReversed()) {
    bodies.unshift(writeField(field, after, refs));
    after += fixedBytes(field);
  }
  return `function (out, m, pos, init) {
    ${checkType(desc, refs)}
    ${isPlainSource(desc, refs)}
    let b = out.reserve(pos, ${after}), v, n = 0, p = 0, g = 0;
    ${desc.oneofs.map((oneof, index) => oneofSource(oneof.localName, index)).join('\n')}
    ${bodies.join('\n')}
    ${desc.oneofs.map(knownCaseSource).join('\n')}
    if (!init) { const unknown = m.$unknown; if (unknown !== undefined) pos = putUnknown(out, pos, unknown); }
    return pos; }`;
}

function checkType(desc: DescMessage, refs: References): string {
  const name = refs.value(desc.typeName);
  // Without fields any message will do, as in protobuf-es.
  if (desc.fields.length === 0)
    return `if (m.$typeName === ${name} || typeof m !== "object" || Array.isArray(m)) init = false;`;
  return `if (m !== null && m.$typeName === ${name}) init = false;
    else if (!init || typeof m !== "object" || m === null || Array.isArray(m) || isOther(m)) foreign(m, ${quote(desc.typeName)});`;
}

/** What tells without a call that a value is the message's own: that its prototype has another. */
function isPlainSource(desc: DescMessage, refs: References): string {
  const isExplicit = (field: DescField): boolean => field.presence !== Presence.IMPLICIT && field.oneof === undefined;
  if (!desc.fields.some(isExplicit)) return '';
  const prototype = refs.value(Object.getPrototypeOf(create(desc)));
  return `const prototype = ${prototype}, isPlain = Object.getPrototypeOf(m) === prototype;`;
}

function oneofSource(name: string, index: number): string {
  return `const o${index} = m[${quote(name)}], case${index} = init ? o${index}?.case : o${index}.case;
    let found${index} = case${index} === undefined;`;
}

function knownCaseSource(oneof: DescOneof, index: number): string {
  const cases = oneof.fields.map(({ localName }) => localName).join(', ');
  return `if (!found${index}) unknownCase(case${index}, ${nameOf(oneof)}, ${quote(cases)});`;
}

function fixedBytes(field: DescField): number {
  if (field.fieldKind === 'scalar' && !hasLength(field.scalar)) return tagBytes + longestScalar(field.scalar);
  if (field.fieldKind === 'enum') return tagBytes + longestScalar(ScalarType.INT32);
  // Two tags around a group.
  return 2 * tagBytes + lengthBytes;
}

function hasLength(type: ScalarType): boolean {
  return type === ScalarType.STRING || type === ScalarType.BYTES;
}

function writeField(field: DescField, after: number, refs: References): string {
  if (field.fieldKind === 'list') return writeList(field, after, refs);
  if (field.fieldKind === 'map') return writeMap(field, after, refs);
  if (field.oneof !== undefined) {
    const index = field.parent.oneofs.indexOf(field.oneof);
    return `if (case${index} === ${quote(field.localName)}) { found${index} = true; v = o${index}.value; ${writeValue(field, after, refs)} }`;
  }
  const name = quote(field.localName);
  if (field.presence !== Presence.IMPLICIT) {
    const missing = quote(`cannot encode ${String(field)} to binary: required field not set`);
    const otherwise = field.presence === Presence.LEGACY_REQUIRED ? `else missing(${nameOf(field)}, ${missing});` : '';
    return `v = m[${name}];
      if (v !== undefined && (init ? v !== null : (isPlain && v !== prototype[${name}]) || own(m, ${name}))) { ${writeValue(field, after, refs)} } ${otherwise}`;
  }
  if (field.fieldKind === 'message') throw new Error(`${String(field)}: message field with implicit presence`);
  return `v = m[${name}]; ${writeImplicit(field, after)}`;
}

/** Writes `v` unless it is zero, or with `init` nothing. */
function writeImplicit(field: DescField & { fieldKind: 'scalar' | 'enum' }, after: number): string {
  const type = field.fieldKind === 'enum' ? ScalarType.INT32 : field.scalar;
  const zero = field.fieldKind === 'enum' ? String(field.enum.values[0]?.number ?? 0) : undefined;
  const mask = field.fieldKind === 'enum' ? '(init ? 1 : 0)' : '(init ? 7 : 2)';
  const writer = scalarWriter(type, mask, nameOf(field), after);
  return `if (${isNotZero(type, zero)}) { ${writer.check}
    if (${writer.isThere}${type === ScalarType.BYTES ? ' && v.length > 0' : ''}) {
      ${tagSource(field.number, wireTypeOf(type))} ${writer.write} } }`;
}

function isNotZero(type: ScalarType, zero: string | undefined): string {
  switch (type) {
    case ScalarType.STRING:
      return 'v !== ""';
    case ScalarType.BOOL:
      return 'v !== false';
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return 'v !== 0 || 1 / v < 0';
    case ScalarType.BYTES:
      return 'true';
    default:
      return `v !== ${zero ?? '0'}`;
  }
}

/** Name for messages of errors. */
function nameOf({ parent, name }: DescField | DescOneof): string {
  return quote(`${parent.typeName}.${name}`);
}

/** Writes the tag and `v`, which is there. */
function writeValue(
  field: DescField & { fieldKind: 'scalar' | 'enum' | 'message' },
  after: number,
  refs: References,
): string {
  if (field.fieldKind === 'message') return writeMessage(field, 'init', after, refs);
  const type = field.fieldKind === 'enum' ? ScalarType.INT32 : field.scalar;
  const writer = scalarWriter(type, '(init ? 4 : 0)', nameOf(field), after);
  return `${writer.check} if (${writer.isThere}) { ${tagSource(field.number, wireTypeOf(type))} ${writer.write} }`;
}

/** Writes the tag and the message `v`; `init`: whether it may be less than a message. */
function writeMessage(field: MessageField, init: string, after: number, refs: References): string {
  const write = `${refs.functions(field.message)}.write`;
  const { prepare, value, mode } = localMessage(field, init, refs);
  if (field.fieldKind !== 'map' && field.delimitedEncoding)
    return `${prepare} ${tagSource(field.number, 3)} pos = ${write}(out, ${value}, pos, ${mode});
      b = out.reserve(pos, ${tagBytes + after}); ${tagSource(field.number, 4)}`;
  const number = field.fieldKind === 'map' ? 2 : field.number;
  return `${prepare} ${tagSource(number, 2)}
    ${withLength(refs, after, (start) => `pos = ${write}(out, ${value}, ${start}, ${mode});`)}`;
}

/**
 * Writes what `body` writes from a position on behind its length. Room is left for as many bytes as the length took the
 * last time, so that in the long run hardly anything is moved.
 */
function withLength(refs: References, after: number, body: (start: string) => string): string {
  const room = refs.variable('1');
  return `{ const start = pos, room = ${room}; ${body('start + room')}
    b = out.reserve(pos, ${lengthBytes + after}); n = pos - start - room;
    if (n < 128 && room === 1) b[start] = n;
    else { pos = patchLength(b, start, room, pos); ${room} = varintSize(n); } }`;
}

/** How the message that a field stands for is made of what the field holds. */
function localMessage(
  field: MessageField,
  init: string,
  refs: References,
): { prepare: string; value: string; mode: string } {
  if (isJsonStruct(field)) return { prepare: '', value: 'structFromJson(v)', mode: 'false' };
  if (!isUnwrapped(field))
    return { prepare: '', value: '(v === undefined ? {} : v)', mode: `(${init} || v === undefined)` };
  const inner = field.message.fields[0];
  const isBytes = inner?.scalar === ScalarType.BYTES;
  return {
    prepare: isBytes ? 'if (init && Array.isArray(v)) v = new Uint8Array(v);' : '',
    value: `{ $typeName: ${refs.value(field.message.typeName)}, ${quote(inner?.localName ?? '')}: v }`,
    mode: 'false',
  };
}

function writeList(field: DescField & { fieldKind: 'list' }, after: number, refs: References): string {
  const body = field.listKind === 'message' ? messageItems(field, after, refs) : scalarItems(field, after, refs);
  return `{ const list = m[${quote(field.localName)}];
    if (!init || (list !== undefined && list !== null)) { ${body} } }`;
}

const eachItem = 'for (let i = 0; i < list.length; i++) { v = list[i];';

function messageItems(field: MessageField, after: number, refs: References): string {
  return `const isInit = init && Array.isArray(list); ${eachItem}
    b = out.reserve(pos, ${2 * tagBytes + lengthBytes + after}); ${writeMessage(field, 'isInit', after, refs)} }`;
}

function scalarItems(field: DescField & { fieldKind: 'list' }, after: number, refs: References): string {
  const type = field.listKind === 'scalar' ? field.scalar : ScalarType.INT32;
  const writer = scalarWriter(type, '(init && Array.isArray(list) ? 4 : 0)', nameOf(field), after);
  const tag = tagSource(field.number, field.packed ? 2 : wireTypeOf(type));
  const room = longestScalar(type) + after;
  if (!field.packed)
    return `${eachItem} ${writer.check} if (${writer.isThere}) {
      b = out.reserve(pos, ${tagBytes + lengthBytes + room}); ${tag} ${writer.write} } }`;
  const items = (start: string): string => `pos = ${start}; ${eachItem} ${writer.check}
    if (${writer.isThere}) { b = out.reserve(pos, ${room}); ${writer.write} } }`;
  // Loosely: what is no array has no length, and is then an empty list that is written.
  return `if (list.length != 0) { ${tag} ${withLength(refs, after, items)} }`;
}

function writeMap(field: DescField & { fieldKind: 'map' }, after: number, refs: References): string {
  const name = nameOf(field);
  const value = mapValue(field, name, refs);
  const key = scalarWriter(field.mapKey, '0', name, 2 * tagBytes + lengthBytes);
  const entry = (start: string): string => `pos = ${start}; v = ${mapKey(field.mapKey)};
    ${key.check} if (${key.isThere}) { ${tagSource(1, wireTypeOf(field.mapKey))} ${key.write} }
    v = record[keys[i]]; b = out.reserve(pos, ${2 * tagBytes + lengthBytes}); ${value}`;
  // The key's own part is of fixed length at most, or makes room for itself.
  return `{ const record = m[${quote(field.localName)}];
    if (!init || (record !== undefined && record !== null)) {
      const keys = Object.keys(record);
      ${field.message === undefined ? '' : 'const isInit = init && typeof record === "object" && !Array.isArray(record);'}
      for (let i = 0; i < keys.length; i++) {
        b = out.reserve(pos, ${4 * tagBytes + 2 * lengthBytes}); ${tagSource(field.number, 2)}
        ${withLength(refs, after, entry)} } } }`;
}

function mapValue(field: DescField & { fieldKind: 'map' }, name: string, refs: References): string {
  if (field.mapKind === 'message') return writeMessage(field, 'isInit', 0, refs);
  const type = field.mapKind === 'enum' ? ScalarType.INT32 : field.scalar;
  const mask = '(init && typeof record === "object" && !Array.isArray(record) ? 4 : 0)';
  const writer = scalarWriter(type, mask, name, 0);
  return `${writer.check} if (${writer.isThere}) { ${tagSource(2, wireTypeOf(type))} ${writer.write} }`;
}

function mapKey(type: ScalarType): string {
  switch (type) {
    case ScalarType.BOOL:
      return '(keys[i] !== "false" && keys[i] !== "")';
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return 'integerKey(keys[i])';
    default:
      return 'keys[i]';
  }
}
