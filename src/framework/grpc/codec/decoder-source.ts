import { create, type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import type { References } from './references.js';
import { isJsonStruct, isUnwrapped } from './well-known-fields.js';
import { cost, messageCost } from './work-budget.js';

const longTypes: ReadonlySet<ScalarType> = new Set([
  ...[ScalarType.INT64, ScalarType.UINT64, ScalarType.SINT64, ScalarType.FIXED64, ScalarType.SFIXED64],
]);

/** Reads a tag into `t`. The wire type of a known field is not looked at but for packed lists, as in protobuf-es. */
const readTag = `t = b[pos++]; if (t > 127) { t = longTag(b, pos - 1, limit); pos = cursor.pos; }
if ((t & 7) > 5) badTag(t);`;

/** Reads a varint of 32 bits into `n`. */
const readVarint = `if (pos >= limit) endOfInput();
n = b[pos++]; if (n > 127) {
  if (pos < limit && b[pos] < 128) n = (n & 127) | (b[pos++] << 7);
  else { n = varint32(b, pos - 1, limit); pos = cursor.pos; } }`;

/** Reads a length into `n`, and checks that so much is there. */
const readLength = `${readVarint} if (pos + n > limit) endOfInput();`;

const readFixed = (size: number, load: string): string =>
  `if (pos + ${size} > limit) endOfInput(); ${load}; pos += ${size};`;

/**
 * Source of a function that reads fields into a message until `end` and returns the position behind the last, which a
 * message with wrong lengths puts beyond `end` but never beyond `limit`, as in protobuf-es.
 */
export function decoderSource(desc: DescMessage, refs: References): string {
  return `function (m, b, pos, end, limit, depth) {
  if (depth > budget.depth) tooDeep();
  let t = 0, n = 0, v, e = 0;
  while (pos < end) { ${readTag} ${fieldSwitch(desc, refs)} }
  return pos; }`;
}

/** The same for the delimited encoding: until the end tag of field `no`. */
export function groupDecoderSource(desc: DescMessage, refs: References): string {
  return `function (m, b, pos, limit, depth, no) {
  if (depth > budget.depth) tooDeep();
  let t = 0, n = 0, v, e = 0;
  while (pos < limit) { ${readTag}
    if ((t & 7) === 4) { if (t >>> 3 !== no) badGroupEnd(); return pos; }
    ${fieldSwitch(desc, refs)} }
  badGroupEnd(); }`;
}

/** Takes from the budget what comes next costs in memory. */
function charge(bytes: number | string): string {
  return `if ((budget.left -= ${bytes}) < 0) tooMany();`;
}

/** The same for an element of `list` that is added next. */
function chargeItem(bytes: number): string {
  return charge(`list.length === 0 ? ${bytes + cost.firstItem} : ${bytes}`);
}

function make(desc: DescMessage, refs: References, isItem = false): string {
  const bytes = messageCost(create(desc)) + (isItem ? 0 : cost.property);
  return `${charge(bytes)} c = ${refs.functions(desc)}.make();`;
}

export function quote(text: string): string {
  return JSON.stringify(text);
}

function fieldSwitch(desc: DescMessage, refs: References): string {
  const cases = desc.fields.map((field) => `case ${field.number}: { ${readField(field, refs)} break; }`);
  return `switch (t >>> 3) { ${cases.join('\n')} default: pos = keep(m, b, pos, limit, t, depth); }`;
}

function readField(field: DescField, refs: References): string {
  switch (field.fieldKind) {
    case 'scalar':
      return `${readScalar(field.scalar, field.utf8Validation, field.longAsString)} ${store(field, 'v')}`;
    case 'enum':
      return readEnum(field, refs);
    case 'message':
      return readMessage(field, refs);
    case 'list':
      return readList(field, refs);
    case 'map':
      return readMap(field, refs);
  }
}

function store(field: DescField, value: string): string {
  if (field.oneof === undefined) return `m[${quote(field.localName)}] = ${value};`;
  return `m[${quote(field.oneof.localName)}] = { case: ${quote(field.localName)}, value: ${value} };`;
}

/** Reads a scalar into `v`. */
function readScalar(type: ScalarType, isUtf8Checked: boolean, isText: boolean): string {
  const signed = isText ? 'v = signedText();' : 'v = signed[0];';
  const unsigned = isText ? 'v = unsignedText();' : 'v = unsigned[0];';
  switch (type) {
    case ScalarType.STRING:
      return `${readLength} v = ${isUtf8Checked ? 'strict' : 'lax'}(b, pos, n); pos += n;`;
    case ScalarType.BYTES:
      return `${readLength} v = view(b, pos, pos + n); pos += n;`;
    case ScalarType.BOOL:
      return `if (pos >= limit) endOfInput(); n = b[pos++]; v = n !== 0;
        if (n > 127) { pos = varint64(b, pos - 1, limit); v = words[0] !== 0 || words[1] !== 0; }`;
    case ScalarType.INT32:
      return `${readVarint} v = n | 0;`;
    case ScalarType.UINT32:
      return `${readVarint} v = n;`;
    case ScalarType.SINT32:
      return `${readVarint} v = (n >>> 1) ^ -(n & 1);`;
    case ScalarType.FIXED32:
      return readFixed(4, 'v = load32(b, pos) >>> 0');
    case ScalarType.SFIXED32:
      return readFixed(4, 'v = load32(b, pos)');
    case ScalarType.FLOAT:
      return readFixed(4, 'v = loadFloat(b, pos)');
    case ScalarType.DOUBLE:
      return readFixed(8, 'v = loadDouble(b, pos)');
    case ScalarType.FIXED64:
      return `${readFixed(8, 'load64(b, pos)')} ${unsigned}`;
    case ScalarType.SFIXED64:
      return `${readFixed(8, 'load64(b, pos)')} ${signed}`;
    case ScalarType.INT64:
      return readLong(isText ? 'smallTexts' : 'smallLongs', signed);
    case ScalarType.UINT64:
      return readLong(isText ? 'smallTexts' : 'smallLongs', unsigned);
    case ScalarType.SINT64:
      return readLong(isText ? 'smallZigzagTexts' : 'smallZigzags', `unzigzag(); ${signed}`);
  }
}

/** Numbers of one byte are many in lists, and making a BigInt or a text costs ten times what reading one does. */
function readLong(small: string, rest: string): string {
  return `if (pos < limit && b[pos] < 128) v = ${small}[b[pos++]];
    else { pos = varint64(b, pos, limit); ${rest} }`;
}

function readEnum(field: DescField & { fieldKind: 'enum' }, refs: References): string {
  const read = readScalar(ScalarType.INT32, false, false);
  if (field.enum.open) return `${read} ${store(field, 'v')}`;
  const known = refs.value(new Set(field.enum.values.map((value) => value.number)));
  return `${read} if (${known}.has(v)) { ${store(field, 'v')} } else keepEnum(m, t, v);`;
}

type MessageField = DescField & { readonly message: DescMessage };

/** Reads into the message `into`, which is there. */
function readInto(field: MessageField, into: string, refs: References): string {
  const child = refs.functions(field.message);
  if (field.fieldKind !== 'map' && field.delimitedEncoding)
    return `pos = ${child}.readGroup(${into}, b, pos, limit, depth + 1, ${field.number});`;
  return `${readLength} pos = ${child}.read(${into}, b, pos, pos + n, limit, depth + 1);`;
}

/** Reads a message into `c`, a new one or what `present` holds already, merged; `v` is then what the field holds. */
function readLocal(field: MessageField, present: string | undefined, refs: References): string {
  const fresh = `let c; ${make(field.message, refs, field.fieldKind === 'list')}`;
  if (isJsonStruct(field)) {
    // An object without prototype is a hash table from the start: each new key of another would make a hidden class.
    const read = `${fresh} c.fields = Object.create(null); ${readInto(field, 'c', refs)}`;
    if (present === undefined) return `${read} v = structToJson(c);`;
    return `${read} v = ${present}; v = v === undefined ? structToJson(c) : mergeStruct(v, c);`;
  }
  if (present === undefined) return `${fresh} ${readInto(field, 'c', refs)} v = c;`;
  if (isUnwrapped(field)) {
    const name = quote(field.message.fields[0]?.localName ?? '');
    return `${fresh} v = ${present}; if (v !== undefined) c[${name}] = v;
      ${readInto(field, 'c', refs)} v = c[${name}];`;
  }
  return `let c = ${present}; if (c === undefined) { ${make(field.message, refs)} } ${readInto(field, 'c', refs)} v = c;`;
}

function readMessage(field: DescField & { fieldKind: 'message' }, refs: References): string {
  if (field.oneof === undefined)
    return `${readLocal(field, `m[${quote(field.localName)}]`, refs)} ${store(field, 'v')}`;
  return `const o = m[${quote(field.oneof.localName)}];
    ${readLocal(field, `(o.case === ${quote(field.localName)} ? o.value : undefined)`, refs)} ${store(field, 'v')}`;
}

function readList(field: DescField & { fieldKind: 'list' }, refs: References): string {
  const list = `const list = m[${quote(field.localName)}];`;
  if (field.listKind === 'message')
    return `${list} ${chargeItem(cost.item)} ${readLocal(field, undefined, refs)} list.push(v);`;
  const type = field.listKind === 'enum' ? ScalarType.INT32 : field.scalar;
  const read = readScalar(type, field.utf8Validation, field.listKind === 'scalar' && field.longAsString);
  const one = `${read} list.push(v);`;
  if (type === ScalarType.BYTES) return `${list} ${chargeItem(cost.item)} ${one}`;
  if (type === ScalarType.STRING) return `${list} ${chargeItem(cost.item + cost.text)} ${one}`;
  const itemCost = isLong(type) ? cost.item + cost.long : cost.item;
  // Packed numbers are charged together, and no more of them are read than there is room for.
  return `${list} if ((t & 7) === 2) { ${readLength} e = pos + n;
    const before = list.length; const most = before + budget.left / ${itemCost};
    while (pos < e) { ${one} if (list.length > most) tooMany(); }
    budget.left -= (list.length - before) * ${itemCost};
  } else { ${chargeItem(itemCost)} ${one} }`;
}

function readMap(field: DescField & { fieldKind: 'map' }, refs: References): string {
  // A property name is text whatever the key's type is, so 64-bit keys are read as text at once.
  const key = readScalar(field.mapKey, field.utf8Validation, true);
  const { read, missing } = mapValue(field, refs);
  return `const record = m[${quote(field.localName)}]; let k, w; ${readLength} e = pos + n;
    while (pos < e) { ${readTag} switch (t >>> 3) {
      case 1: { ${key} k = v; break; }
      case 2: { ${read} w = v; break; }
      default: pos = skip(b, pos, limit, t, budget.depth - depth); } }
    if (k === undefined) k = ${zeroKey(field.mapKey)};
    if (w === undefined) { ${missing} }
    chargeEntry(record, k);
    if (k === "__proto__") setOwn(record, k, w); else record[k] = w;`;
}

function zeroKey(type: ScalarType): string {
  if (type === ScalarType.STRING) return '""';
  return type === ScalarType.BOOL ? 'false' : '0';
}

function mapValue(field: DescField & { fieldKind: 'map' }, refs: References): { read: string; missing: string } {
  if (field.mapKind === 'enum')
    return { read: readScalar(ScalarType.INT32, false, false), missing: `w = ${field.enum.values[0]?.number ?? 0};` };
  if (field.mapKind === 'scalar')
    return { read: readScalar(field.scalar, field.utf8Validation, false), missing: `w = ${zeroValue(field.scalar)};` };
  const missing = isJsonStruct(field) ? 'w = {};' : `let c; ${make(field.message, refs)} w = c;`;
  return { read: readLocal(field, 'w', refs), missing };
}

function isLong(type: ScalarType): boolean {
  return longTypes.has(type);
}

function zeroValue(type: ScalarType): string {
  switch (type) {
    case ScalarType.STRING:
      return '""';
    case ScalarType.BOOL:
      return 'false';
    case ScalarType.BYTES:
      return 'noBytes';
    case ScalarType.INT64:
    case ScalarType.UINT64:
    case ScalarType.SINT64:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return '0n';
    default:
      return '0';
  }
}
