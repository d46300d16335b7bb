import { create, createFileRegistry, type DescMessage, type MessageInitShape } from '@bufbuild/protobuf';
import {
  type DescriptorProtoSchema,
  Edition,
  type EnumDescriptorProtoSchema,
  FeatureSet_EnumType as EnumType,
  FeatureSet_FieldPresence as Presence,
  FeatureSet_MessageEncoding as MessageEncoding,
  FeatureSet_RepeatedFieldEncoding as RepeatedEncoding,
  FeatureSet_Utf8Validation as Utf8Validation,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
  type FieldDescriptorProtoSchema,
  FieldOptions_JSType as JSType,
  file_google_protobuf_any,
  file_google_protobuf_duration,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
  FileDescriptorProtoSchema,
} from '@bufbuild/protobuf/wkt';

/** What `create` takes besides a message. */
type Init<S extends DescMessage> = Exclude<MessageInitShape<S>, { $typeName: string }>;
type FieldInit = Init<typeof FieldDescriptorProtoSchema>;
type MessageInit = Init<typeof DescriptorProtoSchema>;
type FileInit = Init<typeof FileDescriptorProtoSchema>;

// Messages with fields of all kinds, in the three dialects of protobuf. Nobody serves them: only the codec is tested.

const scalars: Type[] = [
  ...[Type.DOUBLE, Type.FLOAT, Type.INT64, Type.UINT64, Type.INT32, Type.FIXED64, Type.FIXED32, Type.BOOL, Type.STRING],
  ...[Type.BYTES, Type.UINT32, Type.SFIXED32, Type.SFIXED64, Type.SINT32, Type.SINT64],
];
const longs = [Type.INT64, Type.UINT64, Type.FIXED64, Type.SFIXED64, Type.SINT64];
const keys = scalars.filter((type) => ![Type.DOUBLE, Type.FLOAT, Type.BYTES].includes(type));
const packable: Type[] = scalars.filter((type) => type !== Type.STRING && type !== Type.BYTES);
const asText: Partial<FieldInit> = { options: { jstype: JSType.JS_STRING } };

const wellKnown = ['Timestamp', 'Duration', 'Any', 'Struct', 'Value', 'ListValue'];
const wrappers = ['Double', 'Float', 'Int64', 'UInt64', 'Int32', 'UInt32', 'Bool', 'String', 'Bytes'].map(
  (name) => `${name}Value`,
);

const name = (type: Type): string => `f_${Type[type].toLowerCase()}`;

/** Numbers with tags of one to five bytes. */
const number = (index: number): number =>
  [index + 1, index + 30, index + 3000, index + 300_000, index + 500_000_000][index % 5]!;

function field(fieldName: string, at: number, type: Type, more: Partial<FieldInit> = {}): FieldInit {
  return { name: fieldName, number: at, type, label: Label.OPTIONAL, jsonName: fieldName, ...more };
}

function repeated(fieldName: string, at: number, type: Type, more: Partial<FieldInit> = {}): FieldInit {
  return field(fieldName, at, type, { label: Label.REPEATED, ...more });
}

function typed(typeName: string, type = Type.MESSAGE): Partial<FieldInit> {
  return { type, typeName: `.${typeName}` };
}

/** A map field, and the message of its entries. */
function maps(scope: string, fields: { name: string; number: number; key: Type; value: Partial<FieldInit> }[]) {
  const entryName = (mapName: string): string => `${mapName.replaceAll('_', '')}Entry`;
  return {
    field: fields.map((map) => repeated(map.name, map.number, Type.MESSAGE, typed(`${scope}.${entryName(map.name)}`))),
    nestedType: fields.map((map) => ({
      name: entryName(map.name),
      options: { mapEntry: true },
      field: [field('key', 1, map.key), { ...field('value', 2, Type.STRING), ...map.value }],
    })),
  };
}

const color: Init<typeof EnumDescriptorProtoSchema> = {
  name: 'Color',
  value: [
    { name: 'COLOR_NONE', number: 0 },
    { name: 'COLOR_RED', number: 1 },
    { name: 'COLOR_FAR', number: 2_000_000 },
    { name: 'COLOR_BELOW', number: -3 },
  ],
};

function singular(messageName: string, more: (index: number) => Partial<FieldInit> = () => ({})): MessageInit {
  return {
    name: messageName,
    field: scalars.map((type, index) => field(name(type), number(index), type, more(index))),
  };
}

function lists(messageName: string, isPacked: boolean): MessageInit {
  const options = { options: { packed: isPacked } };
  return {
    name: messageName,
    field: scalars.map((type, index) =>
      repeated(name(type), number(index), type, packable.includes(type) ? options : {}),
    ),
  };
}

function nested(scope: string): MessageInit {
  const self = typed(`${scope}.Nested`);
  return {
    name: 'Nested',
    oneofDecl: [{ name: 'choice' }],
    field: [
      field('child', 1, Type.MESSAGE, self),
      repeated('children', 2, Type.MESSAGE, self),
      field('text', 3, Type.STRING),
      field('chosen', 4, Type.MESSAGE, { ...self, oneofIndex: 0 }),
      field('number', 5, Type.INT32, { oneofIndex: 0 }),
      field('scalars', 20, Type.MESSAGE, typed(`${scope}.Scalars`)),
    ],
  };
}

function oneofs(scope: string): MessageInit {
  const more = { oneofIndex: 0 };
  return {
    name: 'Oneofs',
    oneofDecl: [{ name: 'kind' }, { name: 'other_kind' }],
    field: [
      ...scalars.map((type, index) => field(name(type), number(index), type, more)),
      field('color', 18, Type.ENUM, { ...typed(`${scope}.Color`, Type.ENUM), ...more }),
      field('nested', 19, Type.MESSAGE, { ...typed(`${scope}.Nested`), ...more }),
      field('wrapped', 20, Type.MESSAGE, { ...typed('google.protobuf.StringValue'), ...more }),
      field('json', 21, Type.MESSAGE, { ...typed('google.protobuf.Struct'), ...more }),
      field('text_long', 22, Type.UINT64, { ...asText, oneofIndex: 1 }),
      field('outside', 23, Type.STRING),
      // Names that mean something to JavaScript.
      field('constructor', 24, Type.STRING, { oneofIndex: 1 }),
    ],
  };
}

function allMaps(scope: string): MessageInit {
  const value = (type: Type): Partial<FieldInit> => ({ type });
  return {
    name: 'Maps',
    ...maps(`${scope}.Maps`, [
      ...keys.map((key, index) => ({ name: `k${name(key)}`, number: number(index), key, value: value(Type.STRING) })),
      ...scalars.map((type, index) => ({
        name: `v${name(type)}`,
        number: 100 + index,
        key: Type.STRING,
        value: value(type),
      })),
      { name: 'colors', number: 131, key: Type.INT32, value: typed(`${scope}.Color`, Type.ENUM) },
      { name: 'nested', number: 132, key: Type.INT64, value: typed(`${scope}.Nested`) },
      { name: 'json', number: 133, key: Type.STRING, value: typed('google.protobuf.Struct') },
      { name: 'wrapped', number: 134, key: Type.BOOL, value: typed('google.protobuf.Int64Value') },
    ]),
  };
}

function wellKnownFields(messageName: string): MessageInit {
  return {
    name: messageName,
    field: [...wellKnown, ...wrappers].flatMap((type, index) => [
      field(`one_${type.toLowerCase()}`, 2 * index + 1, Type.MESSAGE, typed(`google.protobuf.${type}`)),
      repeated(`all_${type.toLowerCase()}`, 2 * index + 2, Type.MESSAGE, typed(`google.protobuf.${type}`)),
    ]),
  };
}

function various(scope: string): MessageInit {
  const text = longs.map((type, index) => field(`text_${name(type)}`, index + 1, type, asText));
  return {
    name: 'Various',
    field: [
      ...text,
      ...longs.map((type, index) => repeated(`texts_${name(type)}`, index + 11, type, asText)),
      field('color', 21, Type.ENUM, typed(`${scope}.Color`, Type.ENUM)),
      repeated('colors', 22, Type.ENUM, typed(`${scope}.Color`, Type.ENUM)),
      ...[
        'constructor',
        'to_string',
        'value_of',
        '__proto__',
        'hasOwnProperty',
        'length',
        'case',
        'value',
        'o',
        'b',
      ].map((property, index) => field(property, 30 + index, Type.STRING)),
      field('empty', 50, Type.MESSAGE, typed(`${scope}.Empty`)),
      repeated('empties', 51, Type.MESSAGE, typed(`${scope}.Empty`)),
    ],
  };
}

const dependency = [
  file_google_protobuf_any,
  file_google_protobuf_duration,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
];

function descriptors(file: FileInit & { package: string }): DescMessage[] {
  const proto = create(FileDescriptorProtoSchema, {
    ...file,
    name: `${file.package}.proto`,
    dependency: dependency.map(({ proto: { name: path } }) => path),
  });
  const registry = createFileRegistry(proto, (path) => dependency.find(({ proto: { name: known } }) => known === path));
  return (file.messageType ?? []).map((message) => {
    const found = registry.getMessage(`${file.package}.${message.name}`);
    if (found === undefined) throw new Error(`no message ${message.name}`);
    return found;
  });
}

const optional: MessageInit = {
  name: 'Optionals',
  oneofDecl: scalars.map((type) => ({ name: `_${name(type)}` })),
  field: scalars.map((type, index) =>
    field(name(type), number(index), type, { proto3Optional: true, oneofIndex: index }),
  ),
};

/** Messages in proto3, by name. */
export const proto3Messages = descriptors({
  package: 'allkinds.three',
  syntax: 'proto3',
  enumType: [color],
  messageType: [
    singular('Scalars'),
    optional,
    lists('Packed', true),
    lists('Expanded', false),
    nested('allkinds.three'),
    oneofs('allkinds.three'),
    allMaps('allkinds.three'),
    wellKnownFields('WellKnown'),
    various('allkinds.three'),
    { name: 'Empty' },
  ],
});

const written = scalars.filter((type) => type !== Type.BYTES);
const time = typed('google.protobuf.Timestamp');
const plainColor = typed('allkinds.plain.Color', Type.ENUM);

/** Messages in proto3 of what answers mostly hold: no bytes, no map, and a oneof in one that others have inside. */
export const plainMessages = descriptors({
  package: 'allkinds.plain',
  syntax: 'proto3',
  enumType: [color],
  messageType: [
    { name: 'Values', field: written.map((type, index) => field(name(type), number(index), type)) },
    {
      name: 'Optionals',
      oneofDecl: written.map((type) => ({ name: `_${name(type)}` })),
      field: written.map((type, index) =>
        field(name(type), number(index), type, { proto3Optional: true, oneofIndex: index }),
      ),
    },
    { name: 'Lists', field: written.map((type, index) => repeated(name(type), number(index), type)) },
    {
      name: 'Others',
      field: [
        field('late', 90, Type.STRING, { jsonName: 'Renamed' }),
        field('color', 1, Type.ENUM, plainColor),
        repeated('colors', 2, Type.ENUM, plainColor),
        field('made_at', 3, Type.MESSAGE, { ...time, jsonName: 'madeAt' }),
        repeated('times', 4, Type.MESSAGE, time),
        field('again', 5, Type.MESSAGE, typed('allkinds.plain.Others')),
        repeated('values', 6, Type.MESSAGE, typed('allkinds.plain.Values')),
      ],
    },
    {
      name: 'Whole',
      field: [
        field('left', 1, Type.MESSAGE, typed('allkinds.plain.Left')),
        field('right', 2, Type.MESSAGE, typed('allkinds.plain.Right')),
      ],
    },
    {
      name: 'Left',
      oneofDecl: [{ name: 'kind' }],
      field: [
        field('right', 1, Type.MESSAGE, typed('allkinds.plain.Right')),
        field('number', 2, Type.INT32, { oneofIndex: 0 }),
        field('text', 3, Type.STRING),
      ],
    },
    { name: 'Right', field: [field('left', 1, Type.MESSAGE, typed('allkinds.plain.Left'))] },
  ],
});

/** A message in proto2 with a field that must be there. */
export const requiredMessages = descriptors({
  package: 'allkinds.required',
  syntax: 'proto2',
  messageType: [{ name: 'Required', field: [field('text', 1, Type.STRING, { label: Label.REQUIRED })] }],
});

const defaults = new Map<Type, string>([
  ...[...packable].map((type): [Type, string] => [type, type === Type.BOOL ? 'true' : '7']),
  [Type.STRING, 'seven'],
  [Type.BYTES, '\\007'],
]);

/** Messages in proto2: groups, closed enums, required fields, defaults, text that is not checked. */
export const proto2Messages = descriptors({
  package: 'allkinds.two',
  syntax: 'proto2',
  enumType: [
    { ...color, value: [{ name: 'COLOR_RED', number: 1 }, ...color.value!.filter(({ number: n }) => n !== 1)] },
  ],
  messageType: [
    singular('Scalars'),
    singular('Defaults', (index) => ({ defaultValue: defaults.get(scalars[index]!)! })),
    singular('Requireds', () => ({ label: Label.REQUIRED })),
    lists('Packed', true),
    lists('Expanded', false),
    nested('allkinds.two'),
    oneofs('allkinds.two'),
    allMaps('allkinds.two'),
    various('allkinds.two'),
    { name: 'Empty' },
    {
      name: 'Groups',
      extensionRange: [{ start: 1000, end: 2000 }],
      nestedType: [
        {
          name: 'Inner',
          field: [
            field('text', 1, Type.STRING),
            field('again', 2, Type.GROUP, typed('allkinds.two.Groups.Inner', Type.GROUP)),
          ],
        },
      ],
      field: [
        field('inner', 1, Type.GROUP, typed('allkinds.two.Groups.Inner', Type.GROUP)),
        repeated('inners', 200, Type.GROUP, typed('allkinds.two.Groups.Inner', Type.GROUP)),
      ],
    },
  ],
  extension: [
    { ...field('extra', 1000, Type.STRING), extendee: '.allkinds.two.Groups' },
    { ...repeated('extras', 1001, Type.INT32), extendee: '.allkinds.two.Groups' },
  ],
});

const features = (set: NonNullable<NonNullable<FieldInit['options']>['features']>): Partial<FieldInit> => ({
  options: { features: set },
});

/** Messages in an edition: presence, encodings and checks by feature. */
export const editionMessages = descriptors({
  package: 'allkinds.edition',
  syntax: 'editions',
  edition: Edition.EDITION_2023,
  enumType: [
    color,
    {
      ...color,
      name: 'Closed',
      options: { features: { enumType: EnumType.CLOSED } },
      value: color.value!.map((value) => ({ ...value, name: `CLOSED_${value.name}` })),
    },
  ],
  messageType: [
    singular('Scalars'),
    singular('Implicits', () => features({ fieldPresence: Presence.IMPLICIT })),
    singular('Requireds', () => features({ fieldPresence: Presence.LEGACY_REQUIRED })),
    nested('allkinds.edition'),
    {
      name: 'Features',
      field: [
        field('delimited', 1, Type.MESSAGE, {
          ...typed('allkinds.edition.Nested'),
          ...features({ messageEncoding: MessageEncoding.DELIMITED }),
        }),
        repeated('delimiteds', 16, Type.MESSAGE, {
          ...typed('allkinds.edition.Nested'),
          ...features({ messageEncoding: MessageEncoding.DELIMITED }),
        }),
        repeated('expanded', 3, Type.SINT64, features({ repeatedFieldEncoding: RepeatedEncoding.EXPANDED })),
        repeated('packed', 4, Type.SINT64),
        field('unchecked', 5, Type.STRING, features({ utf8Validation: Utf8Validation.NONE })),
        field('closed', 6, Type.ENUM, typed('allkinds.edition.Closed', Type.ENUM)),
        repeated('closeds', 7, Type.ENUM, typed('allkinds.edition.Closed', Type.ENUM)),
        field('open', 8, Type.ENUM, typed('allkinds.edition.Color', Type.ENUM)),
      ],
    },
  ],
});
