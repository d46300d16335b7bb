import { type DescEnum, type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import { FeatureSet_FieldPresence as Presence } from '@bufbuild/protobuf/wkt';
import type { Schema } from './schema.js';
import type { SchemaRegistry } from './schema-registry.js';

const int32: Schema = { type: 'integer', format: 'int32' };
const uint32: Schema = { type: 'integer', format: 'int64', minimum: 0, maximum: 4_294_967_295 };
// 64 bits do not fit into a JavaScript number: the mapping writes them as text.
const int64: Schema = { type: 'string', format: 'int64', pattern: '^-?[0-9]+$' };
const uint64: Schema = { type: 'string', format: 'uint64', pattern: '^[0-9]+$' };

const scalars: Readonly<Record<ScalarType, Schema>> = {
  [ScalarType.DOUBLE]: { type: 'number', format: 'double' },
  [ScalarType.FLOAT]: { type: 'number', format: 'float' },
  [ScalarType.INT64]: int64,
  [ScalarType.UINT64]: uint64,
  [ScalarType.INT32]: int32,
  [ScalarType.FIXED64]: uint64,
  [ScalarType.FIXED32]: uint32,
  [ScalarType.BOOL]: { type: 'boolean' },
  [ScalarType.STRING]: { type: 'string' },
  [ScalarType.BYTES]: { type: 'string', format: 'byte' },
  [ScalarType.UINT32]: uint32,
  [ScalarType.SFIXED32]: int32,
  [ScalarType.SFIXED64]: int64,
  [ScalarType.SINT32]: int32,
  [ScalarType.SINT64]: int64,
};

const wellKnown: Readonly<Record<string, Schema>> = {
  Timestamp: { type: 'string', format: 'date-time' },
  Duration: { type: 'string', pattern: '^-?[0-9]+(\\.[0-9]{1,9})?s$', description: 'A duration such as 1.5s.' },
  FieldMask: { type: 'string', description: 'Field names separated by commas.' },
  Empty: { type: 'object' },
  Struct: { type: 'object', additionalProperties: true },
  ListValue: { type: 'array', items: {} },
  Value: {},
  Any: { type: 'object', required: ['@type'], properties: { '@type': { type: 'string' } }, additionalProperties: true },
};

/** Whether an absent field is read as its type's zero value, and a zero value is written out in answers. */
export function hasImplicitPresence(field: DescField): boolean {
  return field.oneof === undefined && field.fieldKind !== 'message' && field.presence === Presence.IMPLICIT;
}

/** Whether the JSON form of a message type is fixed by protobuf itself. */
export function isWellKnown(message: DescMessage): boolean {
  return message.typeName.startsWith('google.protobuf.');
}

/**
 * Schemas of protobuf messages in their canonical JSON form, shared under the full name of the type.
 *
 * @see https://protobuf.dev/programming-guides/json/ the mapping
 */
export class MessageSchemas {
  readonly #registry: SchemaRegistry;

  constructor(registry: SchemaRegistry) {
    this.#registry = registry;
  }

  /** The schema of an answer: fields without presence are always there. */
  output(message: DescMessage): Schema {
    return this.#message(message, true);
  }

  /** The schema of a field in a request, or in an answer where `isOutput`. */
  field(field: DescField, isOutput = false): Schema {
    const schema = this.#shape(field, isOutput);
    return field.deprecated && schema.$ref === undefined ? { ...schema, deprecated: true } : schema;
  }

  #shape(field: DescField, isOutput: boolean): Schema {
    if (field.fieldKind === 'list') return { type: 'array', items: this.#element(field, isOutput) };
    if (field.fieldKind === 'map') return { type: 'object', additionalProperties: this.#element(field, isOutput) };
    return this.#element(field, isOutput);
  }

  // The value itself, of a list or map one of its values.
  #element({ scalar, enum: enumeration, message }: DescField, isOutput: boolean): Schema {
    if (scalar !== undefined) return { ...scalars[scalar] };
    if (enumeration !== undefined) return this.#enum(enumeration);
    return message === undefined ? {} : this.#message(message, isOutput);
  }

  #enum(desc: DescEnum): Schema {
    if (desc.typeName === 'google.protobuf.NullValue') return { type: 'string', nullable: true, enum: [null] };
    return this.#registry.ref(desc, undefined, desc.typeName, () => ({
      type: 'string',
      enum: desc.values.map((value) => value.name),
    }));
  }

  #message(message: DescMessage, isOutput: boolean): Schema {
    if (isWellKnown(message)) return wellKnownSchema(message);
    const name = isOutput ? message.typeName : `${message.typeName}.Input`;
    return this.#registry.ref(message, isOutput ? undefined : scalars, name, () => this.#object(message, isOutput));
  }

  #object(message: DescMessage, isOutput: boolean): Schema {
    const isRequired = (field: DescField): boolean =>
      field.presence === Presence.LEGACY_REQUIRED || (isOutput && hasImplicitPresence(field));
    const required = message.fields.filter(isRequired).map((field) => field.jsonName);
    return {
      type: 'object',
      properties: Object.fromEntries(message.fields.map((field) => [field.jsonName, this.field(field, isOutput)])),
      ...(required.length > 0 && { required }),
      ...(!isOutput && { additionalProperties: false }),
      ...(message.deprecated && { deprecated: true }),
    };
  }
}

function wellKnownSchema(message: DescMessage): Schema {
  const known = wellKnown[message.name];
  if (known !== undefined) return { ...known };
  // The wrappers (`google.protobuf.Int64Value` …) are their value, or null.
  const value = message.field['value'];
  return value?.fieldKind === 'scalar' ? { ...scalars[value.scalar], nullable: true } : {};
}
