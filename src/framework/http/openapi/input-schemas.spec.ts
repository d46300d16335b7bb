import 'reflect-metadata';
import { create, createFileRegistry, type DescMessage, type MessageInitShape } from '@bufbuild/protobuf';
import {
  DurationSchema,
  FeatureSet_FieldPresence as Presence,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
  type FieldDescriptorProtoSchema,
  file_google_protobuf_duration,
  file_google_protobuf_wrappers,
  FileDescriptorProtoSchema,
} from '@bufbuild/protobuf/wkt';
import { Type as Made } from 'class-transformer';
import {
  ArrayMaxSize,
  IsArray,
  IsDefined,
  IsIn,
  IsInt,
  IsNotEmpty,
  IsOptional,
  Length,
  Max,
  MinLength,
  Validate,
  ValidateBy,
  ValidateNested,
  ValidatorConstraint,
  type ValidatorConstraintInterface,
} from 'class-validator';
import { describe, expect, it, vi } from 'vitest';
import { InputSchemas } from './input-schemas.js';
import { hasImplicitPresence, MessageSchemas } from './message-schemas.js';
import type { Schema } from './schema.js';
import { SchemaRegistry } from './schema-registry.js';

type FieldInit = MessageInitShape<typeof FieldDescriptorProtoSchema>;

const field = (name: string, number: number, type: Type, more: FieldInit = {}): FieldInit => ({
  name,
  jsonName: name.replace(/_./g, (match) => match.slice(1).toUpperCase()),
  number,
  type,
  label: Label.OPTIONAL,
  ...more,
});

const file = create(FileDescriptorProtoSchema, {
  name: 'box.proto',
  package: 'box.v1',
  syntax: 'proto3',
  dependency: ['google/protobuf/duration.proto', 'google/protobuf/wrappers.proto'],
  enumType: [
    {
      name: 'Size',
      value: ['SIZE_UNSPECIFIED', 'SIZE_SMALL', 'SIZE_LARGE'].map((name, number) => ({ name, number })),
    },
  ],
  messageType: [
    {
      name: 'Box',
      field: [
        field('owner_name', 1, Type.STRING),
        field('size', 2, Type.ENUM, { typeName: '.box.v1.Size' }),
        field('inner', 3, Type.MESSAGE, { typeName: '.box.v1.Box', label: Label.REPEATED }),
        field('weights', 4, Type.MESSAGE, { typeName: '.box.v1.Box.WeightsEntry', label: Label.REPEATED }),
        field('seal', 5, Type.BYTES),
        field('serial', 6, Type.UINT64),
        field('age', 7, Type.MESSAGE, { typeName: '.google.protobuf.Duration' }),
        field('limit', 8, Type.MESSAGE, { typeName: '.google.protobuf.Int32Value' }),
        field('text', 9, Type.STRING, { oneofIndex: 0 }),
        field('number', 10, Type.INT32, { oneofIndex: 0 }),
        field('old', 11, Type.BOOL, { options: { deprecated: true } }),
        field('ratio', 12, Type.DOUBLE),
        field('marks', 13, Type.STRING, { label: Label.REPEATED }),
      ],
      oneofDecl: [{ name: 'label_kind' }],
      nestedType: [
        {
          name: 'WeightsEntry',
          field: [field('key', 1, Type.STRING), field('value', 2, Type.FLOAT)],
          options: { mapEntry: true },
        },
      ],
    },
  ],
});

const known = [file_google_protobuf_duration, file_google_protobuf_wrappers];
const registry = createFileRegistry(file, (name) => known.find((one) => `${one.name}.proto` === name));
const Box = registry.getMessage('box.v1.Box') as DescMessage;

function schemas(): { registry: SchemaRegistry; messages: MessageSchemas; inputs: InputSchemas } {
  const shared = new SchemaRegistry();
  const messages = new MessageSchemas(shared);
  return { registry: shared, messages, inputs: new InputSchemas(shared, messages, () => undefined) };
}

describe('MessageSchemas', () => {
  it('writes a message as its canonical JSON, itself inside itself', () => {
    const { registry: shared, messages } = schemas();

    expect(messages.output(Box)).toEqual({ $ref: '#/components/schemas/box.v1.Box' });
    expect(shared.schemas).toEqual({
      'box.v1.Size': { type: 'string', enum: ['SIZE_UNSPECIFIED', 'SIZE_SMALL', 'SIZE_LARGE'] },
      'box.v1.Box': {
        type: 'object',
        properties: {
          ownerName: { type: 'string' },
          size: { $ref: '#/components/schemas/box.v1.Size' },
          inner: { type: 'array', items: { $ref: '#/components/schemas/box.v1.Box' } },
          weights: { type: 'object', additionalProperties: { type: 'number', format: 'float' } },
          seal: { type: 'string', format: 'byte' },
          serial: { type: 'string', format: 'uint64', pattern: '^[0-9]+$' },
          age: { type: 'string', pattern: '^-?[0-9]+(\\.[0-9]{1,9})?s$', description: 'A duration such as 1.5s.' },
          limit: { type: 'integer', format: 'int32', nullable: true },
          text: { type: 'string' },
          number: { type: 'integer', format: 'int32' },
          old: { type: 'boolean', deprecated: true },
          ratio: { type: 'number', format: 'double' },
          marks: { type: 'array', items: { type: 'string' } },
        },
        required: ['ownerName', 'size', 'inner', 'weights', 'seal', 'serial', 'old', 'ratio', 'marks'],
      },
    });
  });

  it('knows which fields the wire format cannot tell from absent ones', () => {
    expect(Box.fields.filter(hasImplicitPresence).map((one) => one.name)).not.toContain('text');
    expect(Box.field['ownerName']?.presence).toBe(Presence.IMPLICIT);
    expect(DurationSchema.fields.every(hasImplicitPresence)).toBe(true);
  });
});

class InnerBox {
  @MinLength(3)
  readonly ownerName!: string;
}

class BoxInput {
  @IsNotEmpty()
  readonly ownerName!: string;

  @IsIn([1, 2])
  readonly size!: number;

  @ArrayMaxSize(4)
  @ValidateNested({ each: true })
  @Made(() => InnerBox)
  readonly inner!: InnerBox[];

  @IsOptional()
  readonly weights?: Record<string, number>;

  @Length(1, 5)
  readonly seal!: Uint8Array;

  @ValidateBy({ name: 'isSerial', validator: { validate: (value) => value !== 0n } })
  readonly serial!: bigint;

  @IsDefined()
  readonly age!: object;

  @IsDefined()
  readonly labelKind!: object;

  @IsInt()
  @Max(9)
  readonly ratio: number = 5;

  @Length(1, 5, { each: true })
  readonly marks!: string[];

  @IsDefined()
  readonly unheardOf!: string;
}

describe('InputSchemas', () => {
  it('joins the rules of the class with the types of the message', () => {
    const { registry: shared, inputs } = schemas();

    expect(inputs.object(BoxInput, Box)).toEqual({
      type: 'object',
      properties: {
        ownerName: { type: 'string', minLength: 1 },
        size: { type: 'string', enum: ['SIZE_SMALL', 'SIZE_LARGE'] },
        inner: { type: 'array', maxItems: 4, items: { $ref: '#/components/schemas/InnerBox' } },
        weights: { type: 'object', additionalProperties: { type: 'number', format: 'float' } },
        seal: { type: 'string', format: 'byte' },
        serial: { type: 'string', format: 'uint64', pattern: '^[0-9]+$', 'x-rules': ['isSerial'] },
        age: { type: 'string', pattern: '^-?[0-9]+(\\.[0-9]{1,9})?s$', description: 'A duration such as 1.5s.' },
        text: { type: 'string' },
        number: { type: 'integer', format: 'int32' },
        ratio: { type: 'integer', maximum: 9 },
        marks: { type: 'array', items: { type: 'string', minLength: 1, maxLength: 5 } },
      },
      required: ['ownerName', 'size', 'seal', 'serial', 'age'],
      additionalProperties: false,
    });
    expect(shared.schemas['InnerBox']).toEqual({
      type: 'object',
      properties: { ownerName: { type: 'string', minLength: 3 } },
      required: ['ownerName'],
      additionalProperties: false,
    });
  });

  it('tells an array of arrays from an array', () => {
    class Leaf {
      @IsInt()
      readonly size!: number;
    }
    class Grid {
      @IsArray()
      @IsArray({ each: true })
      @ValidateNested({ each: true })
      @Made(() => Leaf)
      readonly ruled!: Leaf[][];

      @ArrayMaxSize(2)
      @ArrayMaxSize(3, { each: true })
      @ValidateNested({ each: true })
      @Made(() => Leaf)
      readonly bounded!: Leaf[][];

      @ValidateNested({ each: true })
      @Made(() => Leaf)
      readonly written!: Leaf[][];

      @ValidateNested({ each: true })
      @Made(() => Leaf)
      readonly row!: Leaf[];

      @IsArray({ each: true })
      readonly plain!: unknown[][];
    }
    const shared = new SchemaRegistry();
    const written: Schema = { type: 'array', items: { type: 'array', items: { type: 'object' } } };
    const authored: Schema = { properties: { written } };
    const inputs = new InputSchemas(shared, new MessageSchemas(shared), (dto) => (dto === Grid ? authored : undefined));
    const leaf: Schema = { $ref: '#/components/schemas/Leaf' };

    expect(inputs.object(Grid, undefined).properties).toEqual({
      ruled: { type: 'array', items: { type: 'array', items: leaf } },
      bounded: { type: 'array', maxItems: 2, items: { type: 'array', maxItems: 3, items: leaf } },
      written: { type: 'array', items: { type: 'array', items: leaf } },
      row: { type: 'array', items: leaf },
      plain: { type: 'array', items: { type: 'array', items: {} } },
    });
  });

  it('does not run a rule that asks others', () => {
    const validate = vi.fn<() => Promise<boolean>>();
    @ValidatorConstraint({ name: 'isFree', async: true })
    class IsFree implements ValidatorConstraintInterface {
      readonly validate = validate;
    }
    class Asking {
      @Validate(IsFree)
      readonly name!: string;
    }
    const { inputs } = schemas();

    expect(inputs.object(Asking, undefined)).toMatchObject({
      properties: { name: { type: 'string', 'x-rules': ['isFree'] } },
      required: ['name'],
    });
    expect(validate).not.toHaveBeenCalled();
  });

  it('numbers classes that share a name', () => {
    const { inputs } = schemas();
    class Other {
      @MinLength(1)
      readonly ownerName!: string;
    }
    Object.defineProperty(Other, 'name', { value: 'InnerBox' });

    expect([inputs.ref(InnerBox, undefined), inputs.ref(Other, undefined), inputs.ref(InnerBox, undefined)]).toEqual([
      { $ref: '#/components/schemas/InnerBox' },
      { $ref: '#/components/schemas/InnerBox_2' },
      { $ref: '#/components/schemas/InnerBox' },
    ]);
  });
});
