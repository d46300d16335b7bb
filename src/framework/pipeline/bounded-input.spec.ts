import { create } from '@bufbuild/protobuf';
import { Transform, Type } from 'class-transformer';
import { IsArray, IsObject, IsOptional, IsString, Length, ValidateNested } from 'class-validator';
import { describe, expect, it } from 'vitest';
import { BadRequestSchema, ErrorInfoSchema } from '../../gen/google/rpc/error_details_pb.js';
import type { FieldViolation } from '../core/index.js';
import { InputReader } from './input.js';
import { libraryLimits } from './library-limits.js';
import { ValidationError } from './pipeline.errors.js';
import { StrictValidationPipe } from './validation.pipe.js';

class Item {
  @Length(1, 20)
  field!: string;
  @IsString()
  description!: string;
  @IsString()
  reason!: string;
  @IsOptional()
  localizedMessage?: object;
}

class Order {
  @IsArray()
  @ValidateNested({ each: true })
  @Type(() => Item)
  fieldViolations!: Item[];
}

/** Only the libraries can check it. */
class TrimmedOrder {
  @IsArray()
  @Transform(({ value }: { value: unknown }) => value)
  fieldViolations!: unknown[];
  @IsOptional()
  @IsObject()
  more?: object;
}

const wrongItem = { field: '', description: 'd', reason: '' };
const wrongItems = { fieldViolations: Array.from({ length: 50_000 }, () => wrongItem) };

async function errorOf(read: () => unknown): Promise<ValidationError> {
  try {
    await read();
  } catch (error) {
    return error as ValidationError;
  }
  throw new Error('nothing was refused');
}

const fromHttp = (reader: InputReader, body: unknown): (() => unknown) => {
  return () => reader.fromHttp({ body, query: {}, params: {} });
};

describe('a request with 50 000 wrong items', () => {
  const typed = new InputReader(Order, BadRequestSchema);
  const message = create(BadRequestSchema, wrongItems);
  const pipe = new StrictValidationPipe();

  it.each([
    ['by the rules, as JSON', fromHttp(new InputReader(Order, undefined), wrongItems)],
    ['by the rules, as JSON of a message', fromHttp(typed, wrongItems)],
    ['by the rules, as a message', () => typed.fromMessage(message)],
    ["by Nest's own decorators", () => pipe.transform(wrongItems, { type: 'body', metatype: Order })],
  ])('is told of 32 of them, and that there are more: %s', async (_name, read) => {
    const error = await errorOf(read);

    const text = (index: number): string =>
      `fieldViolations[${index}].field must be longer than or equal to 1 characters`;
    expect(error).toMatchObject({
      reason: 'VALIDATION_FAILED',
      message: `${text(0)} (and more than 31 more, of which 31 are reported)`,
    });
    expect(error.violations).toEqual(
      Array.from({ length: 32 }, (_, index): FieldViolation => {
        const field = `fieldViolations[${index}].field`;
        return { field, rule: 'isLength', message: text(index) };
      }),
    );
  });

  it.each([
    ['of the wrong type', { fieldViolations: Array.from({ length: 50_000 }, () => 1) }, 'fieldViolations[31]', 'type'],
    ['not known', Object.fromEntries(Array.from({ length: 50_000 }, (_, i) => [`x${i}`, 1])), 'x31', 'unknownField'],
  ])('is told of 32 of them where they are %s', async (_name, body, field, rule) => {
    const { violations } = await errorOf(fromHttp(typed, body));

    expect(violations).toHaveLength(32);
    expect(violations[31]).toMatchObject({ field, rule });
  });

  it('is told of 32 unknown fields also without a message type', async () => {
    const body = {
      fieldViolations: Array.from({ length: 50_000 }, (_, i) => ({ ...wrongItem, field: 'a', [`x${i}`]: 1 })),
    };

    const { violations } = await errorOf(fromHttp(new InputReader(Order, undefined), body));

    expect(violations.map(({ field, rule }) => `${field} ${rule}`)).toEqual(
      Array.from({ length: 32 }, (_, i) => `fieldViolations[${i}].x${i} unknownField`),
    );
  });
});

describe('exactly 32 violations', () => {
  it('are all that there are', async () => {
    const body = { fieldViolations: wrongItems.fieldViolations.slice(0, 32) };

    const error = await errorOf(fromHttp(new InputReader(Order, undefined), body));

    expect(error.message).toMatch(/ \(and 31 more\)$/);
    expect(error.violations).toHaveLength(32);
  });
});

describe('a name of a mebibyte', () => {
  const name = 'n'.repeat(1_048_576);

  it.each([
    ['as a field', new InputReader(Order, BadRequestSchema), { [name]: 1 }, `${'n'.repeat(200)}…`],
    [
      'as a key of a map',
      new InputReader(Order, ErrorInfoSchema),
      { metadata: { [name]: 1 } },
      `metadata.${'n'.repeat(191)}…`,
    ],
    [
      'as a field of a class',
      new InputReader(Order, undefined),
      { fieldViolations: [], [name]: 1 },
      `${'n'.repeat(200)}…`,
    ],
  ])('is told by its beginning: %s', async (_name, reader, body, field) => {
    const error = await errorOf(fromHttp(reader, body));

    expect(error.violations[0]?.field).toBe(field);
    expect(error.violations[0]?.message).toHaveLength(401);
    expect(error.message.length).toBeLessThan(500);
  });
});

describe('a class that only class-validator can check', () => {
  const reader = new InputReader(TrimmedOrder, undefined);
  const pipe = new StrictValidationPipe();
  const list = (length: number): unknown => ({ fieldViolations: Array.from({ length }, () => 0) });
  const members = (count: number): object => Object.fromEntries(Array.from({ length: count }, (_, i) => [`m${i}`, 1]));

  it('is given as many values as it may have', async () => {
    // The list itself is a member.
    expect(await reader.fromHttp({ body: list(libraryLimits.maxElements - 1), query: {}, params: {} })).toBeInstanceOf(
      TrimmedOrder,
    );
  });

  it.each([
    ['values', list(libraryLimits.maxElements), libraryLimits.maxElements],
    ['members of one object', { fieldViolations: [], more: members(1001) }, libraryLimits.maxMembers],
    ['members of one object within lists', { fieldViolations: [[members(1001)]] }, libraryLimits.maxMembers],
  ])('is not given more %s', async (_name, body, limit) => {
    const expected = {
      reason: 'TOO_MANY_ELEMENTS',
      httpStatus: 413,
      message: `request message with more than ${limit} elements`,
    };

    expect(await errorOf(fromHttp(reader, body))).toMatchObject(expected);
    expect(await errorOf(() => pipe.transform(body, { type: 'body', metatype: TrimmedOrder }))).toMatchObject(expected);
  });
});
