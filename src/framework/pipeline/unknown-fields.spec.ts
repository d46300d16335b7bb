import { create, createFileRegistry, type DescMessage, fromBinary } from '@bufbuild/protobuf';
import {
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
  type FieldDescriptorProtoSchema,
  FileDescriptorProtoSchema,
  file_google_protobuf_struct,
  file_google_protobuf_wrappers,
} from '@bufbuild/protobuf/wkt';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { UnknownFields } from './unknown-fields.js';

type Field = MessageInitShape<typeof FieldDescriptorProtoSchema>;

function field(name: string, number: number, typeName: string, init: Field = {}): Field {
  return { name, number, type: Type.MESSAGE, typeName, label: Label.OPTIONAL, ...init };
}

// A tree whose nodes hold one another in every way there is.
const file = create(FileDescriptorProtoSchema, {
  name: 'tree.proto',
  syntax: 'proto2',
  dependency: ['google/protobuf/struct.proto', 'google/protobuf/wrappers.proto'],
  enumType: [{ name: 'Colour', value: [{ name: 'RED', number: 0 }] }],
  messageType: [
    {
      name: 'Node',
      oneofDecl: [{ name: 'choice' }],
      field: [
        field('child', 1, '.Node'),
        field('items', 2, '.Node', { label: Label.REPEATED }),
        field('by_name', 3, '.Node.ByNameEntry', { label: Label.REPEATED }),
        field('left', 4, '.Node', { oneofIndex: 0 }),
        field('right', 5, '.Node', { oneofIndex: 0 }),
        field('free', 6, '.google.protobuf.Struct'),
        field('number', 7, '.google.protobuf.Int32Value'),
        { name: 'colour', number: 8, type: Type.ENUM, typeName: '.Colour', label: Label.OPTIONAL },
      ],
      nestedType: [
        {
          name: 'ByNameEntry',
          options: { mapEntry: true },
          field: [{ name: 'key', number: 1, type: Type.STRING, label: Label.OPTIONAL }, field('value', 2, '.Node')],
        },
      ],
    },
  ],
});
const files = [file_google_protobuf_struct, file_google_protobuf_wrappers];
const registry = createFileRegistry(file, (name) => files.find((each) => each.proto.name === name)?.proto);
const desc = registry.getMessage('Node') as DescMessage;
const unknown = new UnknownFields(desc);

/** A field with a length, then bytes. */
function part(number: number, bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes]);
}

/** A field with the number 1. */
function varint(number: number): Buffer {
  return Buffer.from([number << 3, 1]);
}

function fieldsOf(bytes: Buffer): string[] {
  return unknown.of(fromBinary(desc, bytes)).map((each) => `${each.field} ${each.rule}: ${each.message}`);
}

describe('UnknownFields', () => {
  it('finds none in a message of known fields', () => {
    const found = unknown.of(fromBinary(desc, Buffer.concat([part(1, part(2, Buffer.alloc(0))), part(7, varint(1))])));

    expect(found).toEqual([]);
  });

  it.each([
    ['on top', varint(9), '#9'],
    ['in a message', part(1, varint(9)), 'child.#9'],
    ['in a message of a message', part(1, part(1, varint(9))), 'child.child.#9'],
    ['in a list', Buffer.concat([part(2, Buffer.alloc(0)), part(2, varint(9))]), 'items[1].#9'],
    ['in a map', part(3, Buffer.concat([part(1, Buffer.from('a')), part(2, varint(9))])), 'byName.a.#9'],
    ['in the chosen message of a oneof', part(5, varint(9)), 'right.#9'],
  ])('finds one %s', (_, bytes, path) => {
    expect(fieldsOf(bytes)).toEqual([`${path} unknownField: ${path} is not a known field`]);
  });

  it('tells each number once, in the order of the fields', () => {
    expect(fieldsOf(Buffer.concat([varint(9), part(1, varint(10)), varint(9), varint(11)]))).toEqual([
      '#9 unknownField: #9 is not a known field',
      '#11 unknownField: #11 is not a known field',
      'child.#10 unknownField: child.#10 is not a known field',
    ]);
  });

  it('tells a value that a closed enum does not have by the name of its field', () => {
    expect(fieldsOf(varint(8))).toEqual(['colour type: colour has a value that is not known']);
  });

  it('takes the keys of a JSON object for what they are', () => {
    const free = part(1, Buffer.concat([part(1, Buffer.from('$unknown')), part(2, Buffer.from([0x20, 1]))]));

    expect(fieldsOf(part(6, free))).toEqual([]);
  });

  it('names the first 32 of very many, and looks no further', () => {
    const many = Array.from({ length: 1000 }, () => part(2, varint(9)));
    const message = fromBinary(desc, Buffer.concat(many));
    const looked: unknown[] = [];
    const { items } = message as unknown as { items: object[] };
    Object.defineProperty(items, '40', { get: (): unknown => looked.push(40) });

    expect(unknown.of(message).map(({ field: name }) => name)).toEqual(
      Array.from({ length: 32 }, (_, index) => `items[${index}].#9`),
    );
    expect(looked).toEqual([]);
  });
});
