import { type DescField, type DescMessage, type DescOneof, fromJson, type JsonValue } from '@bufbuild/protobuf';
import { isEnough } from './field-violation.js';
import {
  enumReader,
  malformed,
  type Origin,
  pathText,
  type Place,
  type ReadValue,
  scalarReader,
  type Violations,
  wrong,
  zeroOf,
} from './json-values.js';
import { isRecord, plainMessage, type PlainMessage } from './plain-message.js';

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

  /** Reads the properties of `json`, which stand below `parent`, into `target`. `null` counts as absent. */
  readInto(
    target: PlainMessage,
    json: object,
    parent: Place | undefined,
    origin: Origin,
    violations: Violations,
  ): void {
    const at: Place = { parent, key: '' };
    for (const key in json) {
      if (!Object.hasOwn(json, key)) continue;
      const value = (json as Readonly<Record<string, unknown>>)[key];
      at.key = key;
      const field = this.#fields.get(key);
      if (field === undefined) {
        const path = pathText(at);
        violations.push({ field: path, rule: 'unknownField', message: `${path} is not a known field` });
        if (isEnough(violations)) return;
        continue;
      }
      if (value === null || value === undefined) continue;
      const result = field.read(value, at, origin, violations);
      if (result === malformed) {
        if (isEnough(violations)) return;
      } else if (field.oneof === undefined) {
        target[field.localName] = result;
      } else {
        setOneof(target, field.oneof, field.localName, result, at, violations);
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
  at: Place,
  violations: Violations,
): void {
  const present = target[oneof.localName] as { case?: string } | undefined;
  if (present?.case !== undefined && present.case !== name) {
    const path = pathText(at);
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

function listReader(readItem: ReadValue): ReadValue {
  return (value, parent, origin, violations) => {
    const items = origin === 'text' && !Array.isArray(value) ? [value] : value;
    if (!Array.isArray(items)) return wrong(parent, 'an array', violations);
    const at: Place = { parent, key: 0 };
    const result: unknown[] = [];
    let isWhole = true;
    for (let index = 0; index < items.length; index += 1) {
      at.key = index;
      const item = readItem(items[index], at, origin, violations);
      if (item !== malformed) result.push(item);
      else if (isEnough(violations)) return malformed;
      else isWhole = false;
    }
    return isWhole ? result : malformed;
  };
}

const ownProperty = { enumerable: true, writable: true, configurable: true };

function mapReader(readEntry: ReadValue): ReadValue {
  return (value, parent, origin, violations) => {
    if (!isRecord(value)) return wrong(parent, 'an object', violations);
    const at: Place = { parent, key: '' };
    const result: Record<string, unknown> = {};
    for (const key of Object.keys(value)) {
      at.key = key;
      const read = readEntry(value[key], at, origin, violations);
      if (read === malformed) return malformed;
      // The one name for which an assignment does not make a property.
      if (key === '__proto__') Object.defineProperty(result, key, { ...ownProperty, value: read });
      else result[key] = read;
    }
    return result;
  };
}

function messageReader(desc: DescMessage, known: Map<DescMessage, MessageJsonReader>): ReadValue {
  if (desc.typeName.startsWith('google.protobuf.')) return wellKnownReader(desc);
  // Looked up when first used: message types may contain themselves.
  let reader: MessageJsonReader | undefined;
  return (value, at, origin, violations) => {
    if (!isRecord(value)) return wrong(at, 'an object', violations);
    reader ??= MessageJsonReader.within(desc, known);
    const target: PlainMessage = {};
    const before = violations.length;
    reader.readInto(target, value, at, origin, violations);
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
  return (value, at, _origin, violations) => {
    try {
      return plainMessage(fromJson(desc, value as JsonValue));
    } catch {
      return wrong(at, form, violations);
    }
  };
}
