import {
  type DescEnum,
  type DescField,
  type DescMessage,
  type DescOneof,
  fromJson,
  type JsonValue,
  ScalarType,
} from '@bufbuild/protobuf';
import { base64Decode } from '@bufbuild/protobuf/wire';
import type { FieldViolation } from '../core/index.js';

/** A message without protobuf-es' own properties (`$typeName`, `$unknown`): what a DTO is made from. */
export type PlainMessage = Record<string, unknown>;

/** Where the JSON value stood: text (path and query) has only strings, a body has JSON's own types. */
export type Origin = 'body' | 'text';

/** Collects what is wrong while a value is read. */
export type Violations = FieldViolation[];

type ReadValue = (value: unknown, path: string, origin: Origin, violations: Violations) => unknown;

const malformed = Symbol('malformed');

interface FieldReader {
  readonly localName: string;
  readonly oneof: DescOneof | undefined;
  readonly read: ReadValue;
}

/**
 * Reads JSON into the shape of a protobuf message, by the canonical JSON mapping, and says for each wrong field what
 * was expected, where protobuf-es' own `fromJson` stops at the first. It is made once per message type, at start.
 *
 * @see https://protobuf.dev/programming-guides/json/ the mapping; text origins also accept `true` and `false` for bool
 */
export class MessageJsonReader {
  readonly #fields = new Map<string, FieldReader>();
  readonly #defaults: readonly (readonly [string, () => unknown])[];

  private constructor(desc: DescMessage, known: Map<DescMessage, MessageJsonReader>) {
    known.set(desc, this);
    for (const field of desc.fields) {
      const reader: FieldReader = { localName: field.localName, oneof: field.oneof, read: fieldReader(field, known) };
      this.#fields.set(field.jsonName, reader);
      this.#fields.set(field.name, reader);
    }
    this.#defaults = defaultsOf(desc);
  }

  static of(desc: DescMessage): MessageJsonReader {
    return MessageJsonReader.within(desc, new Map());
  }

  static within(desc: DescMessage, known: Map<DescMessage, MessageJsonReader>): MessageJsonReader {
    return known.get(desc) ?? new MessageJsonReader(desc, known);
  }

  /** Reads the properties of `json` into `target`. `null` counts as absent. */
  readInto(target: PlainMessage, json: object, path: string, origin: Origin, violations: Violations): void {
    for (const [key, value] of Object.entries(json)) {
      const fieldPath = path === '' ? key : `${path}.${key}`;
      const field = this.#fields.get(key);
      if (field === undefined) {
        violations.push({ field: fieldPath, rule: 'unknownField', message: `${fieldPath} is not a known field` });
        continue;
      }
      if (value === null || value === undefined) continue;
      const result = field.read(value, fieldPath, origin, violations);
      if (result === malformed) continue;
      if (field.oneof === undefined) {
        target[field.localName] = result;
      } else {
        setOneof(target, field.oneof, field.localName, result, fieldPath, violations);
      }
    }
  }

  /** Sets what the wire format would: absent fields without presence get their type's zero value. */
  fillDefaults(target: PlainMessage): void {
    for (const [name, make] of this.#defaults) {
      if (target[name] === undefined) target[name] = make();
    }
  }
}

function setOneof(
  target: PlainMessage,
  oneof: DescOneof,
  name: string,
  value: unknown,
  path: string,
  violations: Violations,
): void {
  const present = target[oneof.localName] as { case?: string } | undefined;
  if (present?.case !== undefined && present.case !== name) {
    violations.push({ field: path, rule: 'oneof', message: `${path} cannot stand beside ${present.case}` });
    return;
  }
  target[oneof.localName] = { case: name, value };
}

function defaultsOf(desc: DescMessage): (readonly [string, () => unknown])[] {
  const defaults: (readonly [string, () => unknown])[] = desc.oneofs.map((oneof) => [
    oneof.localName,
    () => ({ case: undefined }),
  ]);
  for (const field of desc.fields) {
    if (field.oneof !== undefined) continue;
    if (field.fieldKind === 'list') defaults.push([field.localName, () => []]);
    else if (field.fieldKind === 'map') defaults.push([field.localName, () => ({})]);
    else if (field.fieldKind === 'enum' && field.presence === implicitPresence)
      defaults.push([field.localName, () => 0]);
    else if (field.fieldKind === 'scalar' && field.presence === implicitPresence) {
      const zero = zeroOf(field.scalar, field.longAsString);
      defaults.push([field.localName, () => zero]);
    }
  }
  return defaults;
}

// google.protobuf.FeatureSet.FieldPresence.IMPLICIT
const implicitPresence = 2;

function zeroOf(scalar: ScalarType, longAsString: boolean): unknown {
  if (scalar === ScalarType.STRING) return '';
  if (scalar === ScalarType.BOOL) return false;
  if (scalar === ScalarType.BYTES) return Buffer.alloc(0);
  if (longRanges.has(scalar)) return longAsString ? '0' : 0n;
  return 0;
}

function fieldReader(field: DescField, known: Map<DescMessage, MessageJsonReader>): ReadValue {
  switch (field.fieldKind) {
    case 'scalar':
      return scalarReader(field.scalar, field.longAsString);
    case 'enum':
      return enumReader(field.enum);
    case 'message':
      return messageReader(field.message, known);
    case 'list':
      return listReader(
        field.listKind === 'scalar'
          ? scalarReader(field.scalar, field.longAsString)
          : field.listKind === 'enum'
            ? enumReader(field.enum)
            : messageReader(field.message, known),
      );
    case 'map':
      return mapReader(
        field.mapKind === 'scalar'
          ? scalarReader(field.scalar, false)
          : field.mapKind === 'enum'
            ? enumReader(field.enum)
            : messageReader(field.message, known),
      );
  }
}

function wrong(path: string, expectation: string, violations: Violations): typeof malformed {
  violations.push({ field: path, rule: 'type', message: `${path} must be ${expectation}` });
  return malformed;
}

function listReader(readItem: ReadValue): ReadValue {
  return (value, path, origin, violations) => {
    const items = origin === 'text' && !Array.isArray(value) ? [value] : value;
    if (!Array.isArray(items)) return wrong(path, 'an array', violations);
    const result: unknown[] = [];
    for (const [index, item] of items.entries()) result.push(readItem(item, `${path}[${index}]`, origin, violations));
    return result.includes(malformed) ? malformed : result;
  };
}

function mapReader(readEntry: ReadValue): ReadValue {
  return (value, path, origin, violations) => {
    if (!isRecord(value)) return wrong(path, 'an object', violations);
    const result: Record<string, unknown> = {};
    for (const [key, entry] of Object.entries(value)) {
      const read = readEntry(entry, `${path}.${key}`, origin, violations);
      if (read === malformed) return malformed;
      Object.defineProperty(result, key, { value: read, enumerable: true, writable: true, configurable: true });
    }
    return result;
  };
}

function messageReader(desc: DescMessage, known: Map<DescMessage, MessageJsonReader>): ReadValue {
  if (desc.typeName.startsWith('google.protobuf.')) return wellKnownReader(desc);
  // Looked up when first used: message types may contain themselves.
  let reader: MessageJsonReader | undefined;
  return (value, path, origin, violations) => {
    if (!isRecord(value)) return wrong(path, 'an object', violations);
    reader ??= MessageJsonReader.within(desc, known);
    const target: PlainMessage = {};
    const before = violations.length;
    reader.readInto(target, value, path, origin, violations);
    reader.fillDefaults(target);
    return violations.length > before ? malformed : target;
  };
}

const wellKnownForms: Readonly<Record<string, string>> = {
  'google.protobuf.Timestamp': 'an RFC 3339 time such as 2026-01-31T08:00:00Z',
  'google.protobuf.Duration': 'a duration such as 1.5s',
  'google.protobuf.FieldMask': 'field names separated by commas',
};

function wellKnownReader(desc: DescMessage): ReadValue {
  const form = wellKnownForms[desc.typeName] ?? `the JSON form of ${desc.typeName}`;
  return (value, path, _origin, violations) => {
    try {
      return plainMessage(fromJson(desc, value as JsonValue));
    } catch {
      return wrong(path, form, violations);
    }
  };
}

function enumReader(desc: DescEnum): ReadValue {
  const byName = new Map(desc.values.map((value) => [value.name, value.number]));
  const names = desc.values.map((value) => value.name).join(', ');
  return (value, path, origin, violations) => {
    const number = typeof value === 'string' ? byName.get(value) : value;
    if (typeof number === 'number' && Number.isInteger(number) && (desc.open || desc.value[number] !== undefined))
      return number;
    if (origin === 'text' && typeof value === 'string' && desc.value[Number(value)] !== undefined) return Number(value);
    return wrong(path, `one of ${names}`, violations);
  };
}

const intRanges: ReadonlyMap<ScalarType, readonly [number, number]> = new Map([
  [ScalarType.INT32, [-(2 ** 31), 2 ** 31 - 1] as const],
  [ScalarType.SINT32, [-(2 ** 31), 2 ** 31 - 1] as const],
  [ScalarType.SFIXED32, [-(2 ** 31), 2 ** 31 - 1] as const],
  [ScalarType.UINT32, [0, 2 ** 32 - 1] as const],
  [ScalarType.FIXED32, [0, 2 ** 32 - 1] as const],
]);

const longRanges: ReadonlyMap<ScalarType, readonly [bigint, bigint]> = new Map([
  [ScalarType.INT64, [-(2n ** 63n), 2n ** 63n - 1n] as const],
  [ScalarType.SINT64, [-(2n ** 63n), 2n ** 63n - 1n] as const],
  [ScalarType.SFIXED64, [-(2n ** 63n), 2n ** 63n - 1n] as const],
  [ScalarType.UINT64, [0n, 2n ** 64n - 1n] as const],
  [ScalarType.FIXED64, [0n, 2n ** 64n - 1n] as const],
]);

function scalarReader(scalar: ScalarType, longAsString: boolean): ReadValue {
  const ints = intRanges.get(scalar);
  if (ints !== undefined) return intReader(ints);
  const longs = longRanges.get(scalar);
  if (longs !== undefined) return longReader(longs, longAsString);
  if (scalar === ScalarType.STRING) return readString;
  if (scalar === ScalarType.BOOL) return readBool;
  if (scalar === ScalarType.BYTES) return readBytes;
  return readFloat;
}

// 4.0 and "4" are integers in the mapping; 4.5 and "four" are not.
const integerText = /^-?\d{1,20}(\.0{1,8})?$/;

function intReader([least, most]: readonly [number, number]): ReadValue {
  return (value, path, _origin, violations) => {
    const number = typeof value === 'string' && integerText.test(value) ? Number(value) : value;
    if (typeof number === 'number' && Number.isInteger(number) && number >= least && number <= most) return number;
    return wrong(path, `an integer between ${least} and ${most}`, violations);
  };
}

function longReader([least, most]: readonly [bigint, bigint], longAsString: boolean): ReadValue {
  return (value, path, _origin, violations) => {
    const isIntegral =
      typeof value === 'number' ? Number.isSafeInteger(value) : typeof value === 'string' && /^-?\d{1,20}$/.test(value);
    const long = isIntegral ? BigInt(value as number | string) : undefined;
    if (long === undefined || long < least || long > most)
      return wrong(path, `an integer between ${least} and ${most}`, violations);
    return longAsString ? long.toString() : long;
  };
}

const readString: ReadValue = (value, path, _origin, violations) =>
  typeof value === 'string' && value.isWellFormed() ? value : wrong(path, 'a string', violations);

const readBool: ReadValue = (value, path, origin, violations) => {
  if (typeof value === 'boolean') return value;
  if (origin === 'text' && (value === 'true' || value === 'false')) return value === 'true';
  return wrong(path, 'true or false', violations);
};

const readFloat: ReadValue = (value, path, _origin, violations) => {
  if (typeof value === 'number') return value;
  if (value === 'NaN' || value === 'Infinity' || value === '-Infinity') return Number(value);
  if (typeof value === 'string' && value.trim() !== '' && Number.isFinite(Number(value))) return Number(value);
  return wrong(path, 'a number', violations);
};

const readBytes: ReadValue = (value, path, _origin, violations) => {
  if (typeof value !== 'string') return wrong(path, 'base64 text', violations);
  try {
    // A Buffer, not a Uint8Array: class-transformer copies the one and takes the other apart.
    return Buffer.from(base64Decode(value));
  } catch {
    return wrong(path, 'base64 text', violations);
  }
};

/** Takes a decoded message down to plain properties, nested messages too. */
export function plainMessage(message: object): PlainMessage {
  const plain: PlainMessage = {};
  for (const [key, value] of Object.entries(message)) {
    if (key !== '$typeName' && key !== '$unknown') plain[key] = plainValue(value);
  }
  return plain;
}

function plainValue(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return Array.isArray(value) ? value.map(plainValue) : plainMessage(value);
}

/** Whether `value` is what JSON calls an object. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
