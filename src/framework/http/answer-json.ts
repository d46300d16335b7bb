import { create, type DescEnum, type DescField, type DescMessage, ScalarType, toJson } from '@bufbuild/protobuf';
import type { Timestamp } from '@bufbuild/protobuf/wkt';
import { formatRfc3339 } from './rfc3339.js';

/** Stands for what is not ordinary, and left to the library. */
const unusual = Symbol('unusual');

/** Gives the JSON of one value. */
type Write = (value: unknown) => unknown;

interface FieldWriter {
  readonly name: string;
  readonly key: string;
  readonly write: Write;
  /** What stands for an absent value; `undefined` where nothing does. */
  readonly zero: (() => unknown) | undefined;
}

// google.protobuf.FeatureSet.FieldPresence.IMPLICIT
const implicitPresence = 2;
// google.protobuf.Edition.EDITION_PROTO3: no field is found on the prototype of a message.
const proto3 = 999;

/**
 * Makes what gives the canonical JSON of what a handler returned, a message of type `desc` or its initial values, with
 * the fields at their zero value: the same as `toJson(desc, create(desc, value))`, without the message in between where
 * type and values are ordinary. Made once per handler.
 *
 * @see https://protobuf.dev/programming-guides/json/ the mapping
 */
export function answerJson(desc: DescMessage): (value: object) => unknown {
  const write = messageWriter(desc, new Map());
  return (value) => {
    const json = write(value);
    return json === unusual ? libraryJson(desc, value) : json;
  };
}

function libraryJson(desc: DescMessage, value: object): unknown {
  const message = '$typeName' in value ? value : create(desc, value as Record<string, unknown>);
  // A REST caller sees every field, also those at their zero value, which the wire leaves out.
  return toJson(desc, message as Parameters<typeof toJson>[1], { alwaysEmitImplicit: true });
}

const leave: Write = () => unusual;

function messageWriter(desc: DescMessage, known: Map<DescMessage, Write>): Write {
  if (desc.typeName === 'google.protobuf.Timestamp') return timestampJson;
  if (desc.typeName.startsWith('google.protobuf.') || desc.file.edition !== proto3) return leave;
  const found = known.get(desc);
  if (found !== undefined) return found;
  const fields: FieldWriter[] = [];
  // Also for the types that have one of this type inside and were made before that was known.
  let isLeft = false;
  const write: Write = (value) => {
    if (isLeft || typeof value !== 'object' || value === null || Array.isArray(value)) return unusual;
    const isMessage = '$typeName' in value;
    if (isMessage && (value.$typeName !== desc.typeName || !isPlain(value))) return unusual;
    const json: Record<string, unknown> = {};
    for (const { name, key, write: writeField, zero } of fields) {
      const field = (value as Record<string, unknown>)[name];
      let part: unknown;
      if (field !== undefined && field !== null) part = writeField(field);
      // What a message lacks may be an error.
      else if (isMessage && (field === null || zero !== undefined)) return unusual;
      else if (zero === undefined) continue;
      else part = zero();
      if (part === unusual) return unusual;
      json[key] = part;
    }
    return json;
  };
  known.set(desc, write);
  for (const field of desc.fields.toSorted((a, b) => a.number - b.number)) {
    const writer = fieldWriter(field, known);
    if (writer === undefined) {
      isLeft = true;
      return write;
    }
    fields.push(writer);
  }
  return write;
}

function isPlain(value: object): boolean {
  return Object.getPrototypeOf(value) === Object.prototype;
}

function fieldWriter(field: DescField, known: Map<DescMessage, Write>): FieldWriter | undefined {
  const { localName: name, jsonName: key } = field;
  if (field.oneof !== undefined || key === '__proto__') return undefined;
  const isImplicit = field.presence === implicitPresence;
  switch (field.fieldKind) {
    case 'scalar': {
      const write = scalarWriters.get(field.scalar);
      if (write === undefined) return undefined;
      const zero = scalarZeros.get(field.scalar) ?? '0';
      return { name, key, write, zero: isImplicit ? () => zero : undefined };
    }
    case 'enum': {
      const write = enumWriter(field.enum);
      const zero = write(field.enum.values[0]?.number);
      return { name, key, write, zero: isImplicit ? () => zero : undefined };
    }
    case 'message':
      return { name, key, write: messageWriter(field.message, known), zero: undefined };
    case 'list': {
      const item =
        field.listKind === 'scalar'
          ? scalarWriters.get(field.scalar)
          : field.listKind === 'enum'
            ? enumWriter(field.enum)
            : messageWriter(field.message, known);
      return item && { name, key, write: listWriter(item), zero: () => [] };
    }
    case 'map':
      return undefined;
  }
}

function listWriter(write: Write): Write {
  return (value) => {
    if (!Array.isArray(value)) return unusual;
    const items: unknown[] = [];
    for (const item of value) {
      const json = write(item);
      if (json === unusual) return unusual;
      items.push(json);
    }
    return items;
  };
}

function enumWriter(desc: DescEnum): Write {
  if (desc.typeName.startsWith('google.protobuf.')) return leave;
  return (value) => (typeof value === 'number' ? (desc.value[value]?.jsonName ?? value) : unusual);
}

const numberJson: Write = (value) => (typeof value === 'number' ? value : unusual);
const longJson: Write = (value) =>
  typeof value === 'string'
    ? value
    : typeof value === 'bigint' || Number.isInteger(value)
      ? (value as bigint | number).toString()
      : unusual;

// Bytes are left out: they are few, and an array may stand for them.
const scalarWriters: ReadonlyMap<ScalarType, Write> = new Map<ScalarType, Write>([
  [ScalarType.STRING, (value) => (typeof value === 'string' ? value : unusual)],
  [ScalarType.BOOL, (value) => (typeof value === 'boolean' ? value : unusual)],
  [ScalarType.DOUBLE, (value) => (Number.isFinite(value) ? value : unusual)],
  [ScalarType.FLOAT, (value) => (Number.isFinite(value) ? value : unusual)],
  [ScalarType.INT32, numberJson],
  [ScalarType.SFIXED32, numberJson],
  [ScalarType.SINT32, numberJson],
  [ScalarType.FIXED32, numberJson],
  [ScalarType.UINT32, numberJson],
  [ScalarType.INT64, longJson],
  [ScalarType.SFIXED64, longJson],
  [ScalarType.SINT64, longJson],
  [ScalarType.FIXED64, longJson],
  [ScalarType.UINT64, longJson],
]);

// Those of 64 bits are texts, '0'.
const scalarZeros: ReadonlyMap<ScalarType, unknown> = new Map<ScalarType, unknown>([
  [ScalarType.STRING, ''],
  [ScalarType.BOOL, false],
  [ScalarType.DOUBLE, 0],
  [ScalarType.FLOAT, 0],
  [ScalarType.INT32, 0],
  [ScalarType.SFIXED32, 0],
  [ScalarType.SINT32, 0],
  [ScalarType.FIXED32, 0],
  [ScalarType.UINT32, 0],
]);

// 0001-01-01T00:00:00Z to 9999-12-31T23:59:59Z
const firstSecond = -62_135_596_800n;
const lastSecond = 253_402_300_799n;

function timestampJson(value: unknown): unknown {
  const { $typeName, seconds, nanos } = value as Partial<Timestamp>;
  const isOrdinary =
    $typeName === 'google.protobuf.Timestamp' &&
    typeof seconds === 'bigint' &&
    nanos === 0 &&
    seconds >= firstSecond &&
    seconds <= lastSecond;
  return isOrdinary ? formatRfc3339(Number(seconds)) : unusual;
}
