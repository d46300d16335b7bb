import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import { NullValue, type ListValue, type Struct, type Value } from '@bufbuild/protobuf/wkt';

/**
 * Fields of type `google.protobuf.Struct` hold plain JSON in protobuf-es. These two functions lead there and back.
 *
 * @see https://github.com/bufbuild/protobuf-es/blob/v2.17.0/MANUAL.md#googleprotobufstruct
 */
export function structToJson(struct: Struct): JsonObject {
  return mapEntries(struct.fields, valueToJson);
}

/**
 * Merges a Struct that was read after another for the same field: its fields are a map, whose entries replace those of
 * the same key. Only the new ones are looked at, so that a field sent again and again costs what it brings.
 */
export function mergeStruct(present: JsonObject, { fields }: Struct): JsonObject {
  for (const key of Object.keys(fields)) setEntry(present, key, valueToJson(fields[key] as Value));
  return present;
}

/** What is not an object is the empty one. */
export function structFromJson(json: unknown): Struct {
  const isObject = typeof json === 'object' && json !== null && !Array.isArray(json);
  const fields = isObject ? mapEntries(json as JsonObject, valueFromJson) : {};
  return { $typeName: 'google.protobuf.Struct', fields };
}

function mapEntries<A, B>(from: Record<string, A>, convert: (value: A) => B): Record<string, B> {
  const to: Record<string, B> = {};
  for (const key of Object.keys(from)) {
    setEntry(to, key, convert(from[key] as A));
  }
  return to;
}

function setEntry<T>(record: Record<string, T>, key: string, value: T): void {
  if (key !== '__proto__') record[key] = value;
  else Object.defineProperty(record, key, { value, writable: true, enumerable: true, configurable: true });
}

function valueToJson({ kind }: Value): JsonValue {
  switch (kind.case) {
    case undefined:
    case 'nullValue':
      return null;
    case 'structValue':
      return structToJson(kind.value);
    case 'listValue':
      return kind.value.values.map(valueToJson);
    default:
      return kind.value;
  }
}

function valueFromJson(json: JsonValue): Value {
  return { $typeName: 'google.protobuf.Value', kind: kindFromJson(json) };
}

function kindFromJson(json: JsonValue): Value['kind'] {
  if (json === null) return { case: 'nullValue', value: NullValue.NULL_VALUE };
  if (typeof json === 'number') return { case: 'numberValue', value: json };
  if (typeof json === 'string') return { case: 'stringValue', value: json };
  if (typeof json === 'boolean') return { case: 'boolValue', value: json };
  if (Array.isArray(json)) return { case: 'listValue', value: listFromJson(json) };
  // Within a Value protobuf-es holds a Struct as a message, though its type says otherwise for every field.
  if (typeof json === 'object') return { case: 'structValue', value: structFromJson(json) };
  return { case: undefined };
}

function listFromJson(json: readonly JsonValue[]): ListValue {
  // Not map(): a hole of a sparse array is a value without a kind.
  return { $typeName: 'google.protobuf.ListValue', values: Array.from(json, valueFromJson) };
}
