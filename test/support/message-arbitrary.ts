import { create, type DescEnum, type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import { isWrapperDesc } from '@bufbuild/protobuf/wkt';
import fc, { type Arbitrary } from 'fast-check';

/** Levels of messages inside each other. */
const maxDepth = 2;

/** Fields of a message that are set at once: what matters is each kind and its neighbours, not all of them together. */
const maxFields = 6;

const text = fc.oneof(
  fc.string({ maxLength: 45 }),
  fc.string({ unit: 'binary', maxLength: 20 }),
  // Half of a pair alone, and lengths whose length takes another byte in UTF-8 than in UTF-16.
  fc.constantFrom(
    '',
    'a\u{d800}b',
    '\u{feff}bom',
    '\u{fffd}',
    'é'.repeat(100),
    '漢'.repeat(43),
    'x'.repeat(127),
    'x'.repeat(128),
  ),
  fc.constantFrom(10, 42, 43, 44, 700, 2000).map((times) => 'ab漢'.repeat(times)),
);
const bytes = fc.uint8Array({ maxLength: 40 });
const int32 = fc.oneof(
  fc.integer(),
  fc.integer({ min: -300, max: 300 }),
  fc.constantFrom(0, -0, -0x8000_0000, 0x7fff_ffff),
);
const uint32 = fc.oneof(fc.integer({ min: 0, max: 0xffff_ffff }), fc.nat(300), fc.constantFrom(0, 0xffff_ffff));
const long = (isSigned: boolean): Arbitrary<bigint> => {
  const [min, max] = isSigned ? [-(2n ** 63n), 2n ** 63n - 1n] : [0n, 2n ** 64n - 1n];
  const near = [
    0n,
    1n,
    127n,
    128n,
    2n ** 28n,
    2n ** 31n,
    2n ** 32n - 1n,
    2n ** 32n,
    2n ** 35n,
    2n ** 53n,
    2n ** 53n + 1n,
    max,
  ];
  return fc.oneof(
    fc.bigInt({ min, max }),
    fc.constantFrom(...near, ...(isSigned ? near.map((number) => -number) : [])),
  );
};

/** Values of a scalar in their own type. */
function scalar(type: ScalarType): Arbitrary<unknown> {
  switch (type) {
    case ScalarType.STRING:
      return text;
    case ScalarType.BYTES:
      return bytes;
    case ScalarType.BOOL:
      return fc.boolean();
    case ScalarType.DOUBLE:
      return fc.double();
    case ScalarType.FLOAT:
      return fc.oneof(fc.float(), fc.constantFrom(3.4028234663852886e38, NaN, -0));
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return int32;
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return uint32;
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return long(false);
    default:
      return long(true);
  }
}

/** The same value in another form that a message may hold. */
function otherForm(type: ScalarType, value: unknown): unknown {
  switch (typeof value) {
    case 'bigint':
      return value % 2n === 0n ? String(value) : Number.isSafeInteger(Number(value)) ? Number(value) : value;
    case 'number':
      return type !== ScalarType.DOUBLE && value % 2 !== 0 ? String(value) : value;
    case 'object':
      return value instanceof Uint8Array ? [...value] : value;
    default:
      return value;
  }
}

function scalarForms(type: ScalarType): Arbitrary<unknown> {
  return fc.tuple(scalar(type), fc.nat(4)).map(([value, form]) => (form === 0 ? otherForm(type, value) : value));
}

function enumValue(desc: DescEnum): Arbitrary<number> {
  const known = fc.constantFrom(...desc.values.map((value) => value.number));
  return desc.open ? fc.oneof(known, int32) : known;
}

const json: Arbitrary<unknown> = fc.dictionary(
  fc.oneof(fc.string({ maxLength: 4 }), fc.constant('__proto__')),
  fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom(null, true, 1.5, 'a', [], {}, [null, { b: [1] }])),
  { maxKeys: 3 },
);

type MessageField = DescField & { readonly message: DescMessage };

function messageValue(field: MessageField, depth: number): Arbitrary<unknown> {
  if (field.message.typeName === 'google.protobuf.Struct' && field.parent.typeName !== 'google.protobuf.Value')
    return json;
  const [inner] = field.message.fields;
  if (field.fieldKind === 'message' && field.oneof === undefined && isWrapperDesc(field.message) && inner !== undefined)
    return scalarForms(inner.scalar as ScalarType);
  return init(field.message, depth + 1);
}

function mapKey(type: ScalarType): Arbitrary<string> {
  if (type === ScalarType.STRING) return fc.oneof(text, fc.constantFrom('__proto__', 'constructor', '1'));
  return scalar(type).map(String);
}

function fieldValue(field: DescField, depth: number): Arbitrary<unknown> {
  const item = (): Arbitrary<unknown> => {
    if (field.message !== undefined) return messageValue(field, depth);
    return field.enum === undefined ? scalarForms(field.scalar) : enumValue(field.enum);
  };
  switch (field.fieldKind) {
    case 'list':
      return fc.array(item(), { maxLength: field.message === undefined ? 12 : 3 });
    case 'map':
      return fc.dictionary(mapKey(field.mapKey), item(), { maxKeys: 3, noNullPrototype: true });
    default:
      return item();
  }
}

const inits = new Map<DescMessage, Arbitrary<object>[]>();

function init(desc: DescMessage, depth: number): Arbitrary<object> {
  const known = inits.get(desc) ?? [];
  inits.set(desc, known);
  return (known[depth] ??= makeInit(desc, depth));
}

function makeInit(desc: DescMessage, depth: number): Arbitrary<object> {
  const isDeep = depth >= maxDepth;
  const isRequired = (member: DescMessage['members'][number]): boolean =>
    member.kind === 'field' && member.presence === 3;
  const usable = desc.members.filter((member) => !isDeep || member.kind === 'oneof' || member.message === undefined);
  const required = desc.members.filter(isRequired);
  const value = (member: DescMessage['members'][number]): Arbitrary<unknown> =>
    member.kind === 'oneof' ? oneof(member.fields, depth) : sometimes(member, depth);
  const values = new Map([...usable, ...required].map((member) => [member, value(member)]));
  const plain = fc.subarray(usable, { maxLength: Math.min(maxFields, usable.length) }).chain((chosen) => {
    const fields = [...new Set([...chosen, ...required])].map((member) => [member.localName, values.get(member)]);
    return fc.record(Object.fromEntries(fields) as Record<string, Arbitrary<unknown>>, { noNullPrototype: true });
  });
  // In places a message that is one already, its values then in their own types.
  return fc.tuple(plain, fc.nat(4)).map(([fields, form]) => (form === 0 ? create(desc, fields) : fields));
}

function sometimes(field: DescField, depth: number): Arbitrary<unknown> {
  if (field.presence === 3) return fieldValue(field, depth);
  return fc.option(fieldValue(field, depth), { nil: undefined, freq: 10 });
}

function oneof(fields: readonly DescField[], depth: number): Arbitrary<unknown> {
  const shallow = fields.filter((field) => depth < maxDepth || field.message === undefined);
  if (shallow.length === 0) return fc.constant({ case: undefined });
  const set = shallow.map((field) => fieldValue(field, depth).map((value) => ({ case: field.localName, value })));
  return fc.oneof(...set, fc.constantFrom(undefined, { case: undefined }));
}

/** What `create(desc, …)` takes: messages and plain objects, numbers in each of their forms, fields left out. */
export function initOf(desc: DescMessage): Arbitrary<object> {
  return init(desc, 0);
}

function varint(value: bigint): number[] {
  const out: number[] = [];
  let rest = value;
  for (; rest > 0x7fn; rest >>= 7n) out.push(Number(rest & 0x7fn) | 0x80);
  return [...out, Number(rest)];
}

// Also longer than it need be, than it may be, and negative where that means nothing.
const varints = fc.oneof(
  long(false).map(varint),
  fc.nat(3).map((value) => [value]),
  fc.tuple(fc.nat(0x7f), fc.nat(10)).map(([last, padding]) => [...Array.from({ length: padding }, () => 0x80), last]),
);

function withLength(content: Arbitrary<readonly number[]>): Arbitrary<number[]> {
  const wrong = fc.oneof(
    { weight: 30, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.integer({ min: -3, max: 70 }) },
  );
  return fc.tuple(content, wrong).map(([inner, off]) => [...varint(BigInt(Math.max(0, inner.length + off))), ...inner]);
}

function payload(field: DescField | undefined, wireType: number, no: number, depth: number): Arbitrary<number[]> {
  switch (wireType) {
    case 0:
      return varints;
    case 1:
      return fc.uint8Array({ minLength: 8, maxLength: 8 }).map((value) => [...value]);
    case 5:
      return fc.uint8Array({ minLength: 4, maxLength: 4 }).map((value) => [...value]);
    case 2:
      return withLength(lengthDelimited(field, depth));
    case 3:
      return fc
        .tuple(records(field?.message, depth + 1), fc.constant(tag(no, 4)))
        .map(([inner, end]) => [...inner, ...end]);
    default:
      return fc.constant([]);
  }
}

function lengthDelimited(field: DescField | undefined, depth: number): Arbitrary<readonly number[]> {
  const raw = fc.uint8Array({ maxLength: 20 }).map((value) => [...value]);
  const encoded = text.map((value) => [...Buffer.from(value)]);
  if (field?.fieldKind === 'map') return mapEntry(field, depth);
  if (field?.message !== undefined) return records(field.message, depth + 1);
  if (field?.scalar === ScalarType.STRING)
    return fc.oneof({ weight: 9, arbitrary: encoded }, { weight: 1, arbitrary: raw });
  return fc.oneof(
    raw,
    fc.array(varints, { maxLength: 5 }).map((list) => list.flat()),
  );
}

function mapEntry(field: DescField & { fieldKind: 'map' }, depth: number): Arbitrary<readonly number[]> {
  const part = (no: number, type: ScalarType | undefined, of?: DescField): Arbitrary<number[]> => {
    const wireType = wireTypeOf(type, of?.message !== undefined);
    const value =
      of?.message === undefined ? payload(undefined, wireType, no, depth) : withLength(records(of.message, depth + 1));
    const content = type === ScalarType.STRING ? withLength(text.map((key) => [...Buffer.from(key)])) : value;
    return content.map((inner) => [...tag(no, wireType), ...inner]);
  };
  const value = part(2, field.mapKind === 'enum' ? ScalarType.INT32 : field.scalar, field);
  const other = fc.nat(8).chain((no) => payload(undefined, 0, no, depth).map((inner) => [...tag(no, 0), ...inner]));
  return fc
    .array(fc.oneof({ weight: 4, arbitrary: part(1, field.mapKey) }, { weight: 4, arbitrary: value }, other), {
      maxLength: 3,
    })
    .map((parts) => parts.flat());
}

function tag(no: number, wireType: number): number[] {
  return varint(BigInt(no) * 8n + BigInt(wireType));
}

function wireTypeOf(type: ScalarType | undefined, isMessage: boolean): number {
  if (isMessage || type === ScalarType.STRING || type === ScalarType.BYTES) return 2;
  if (type === ScalarType.DOUBLE || type === ScalarType.FIXED64 || type === ScalarType.SFIXED64) return 1;
  return type === ScalarType.FLOAT || type === ScalarType.FIXED32 || type === ScalarType.SFIXED32 ? 5 : 0;
}

const recordLists = new Map<DescMessage | undefined, Arbitrary<number[]>[]>();

function records(desc: DescMessage | undefined, depth: number): Arbitrary<number[]> {
  if (depth > maxDepth) return fc.constant([]);
  const known = recordLists.get(desc) ?? [];
  recordLists.set(desc, known);
  return (known[depth] ??= makeRecords(desc, depth));
}

function makeRecords(desc: DescMessage | undefined, depth: number): Arbitrary<number[]> {
  const known = (desc?.fields ?? []).map((field) =>
    fc.constant<[number, DescField | undefined]>([field.number, field]),
  );
  const unknown = fc.oneof(fc.nat(40), fc.integer({ min: 1000, max: 1_000_000 }));
  const anyField = fc.oneof(
    { weight: 1, arbitrary: unknown.map((no): [number, undefined] => [no, undefined]) },
    ...known
      .map((arbitrary) => ({ weight: 8 / known.length, arbitrary }))
      .map((w) => ({ ...w, weight: Math.max(1, Math.round(w.weight)) })),
  );
  const one = anyField.chain(([no, field]) => {
    const own = wireTypeOf(field?.enum === undefined ? field?.scalar : ScalarType.INT32, field?.message !== undefined);
    const delimited =
      field !== undefined && field.fieldKind !== 'map' && field.message !== undefined && field.delimitedEncoding;
    const types = [
      delimited ? 3 : own,
      delimited ? 3 : own,
      delimited ? 3 : own,
      field?.fieldKind === 'list' ? 2 : own,
    ];
    return fc
      .oneof({ weight: 12, arbitrary: fc.constantFrom(...types) }, { weight: 1, arbitrary: fc.nat(7) })
      .chain((wireType) => payload(field, wireType, no, depth).map((inner) => [...tag(no, wireType), ...inner]));
  });
  return fc.array(one, { maxLength: 6 }).map((list) => list.flat());
}

/** Bytes that are often a message of this type: fields repeated, in any order, unknown, with wrong types and lengths. */
export function wireOf(desc: DescMessage): Arbitrary<Uint8Array> {
  return records(desc, 0).map((list) => Uint8Array.from(list));
}
