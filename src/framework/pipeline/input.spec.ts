import { create } from '@bufbuild/protobuf';
import { WireType } from '@bufbuild/protobuf/wire';
import { Transform, Type } from 'class-transformer';
import { IsArray, IsEmail, IsIn, IsInt, IsOptional, Length, Matches, Max, Min, ValidateNested } from 'class-validator';
import { describe, expect, it } from 'vitest';
import { ErrorInfoSchema } from '../../gen/google/rpc/error_details_pb.js';
import { LogEntrySchema } from '../../gen/log/service/v1/log_pb.js';
import {
  CreateUserRequestSchema,
  UpdateUserRequestSchema,
  UserChangeSchema,
} from '../../gen/user/service/v1/user_pb.js';
import { Deadline, RequestContext, RookeryError, runInContext, Status } from '../core/index.js';
import { InputReader } from './input.js';
import { ValidationError } from './pipeline.errors.js';

class CreateUserInput {
  @Length(1, 100)
  displayName!: string;
  @IsEmail()
  email!: string;
  @IsIn(['developer', 'operator', 'viewer'])
  role!: string;
  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(150)
  age?: number;
}

const valid = { displayName: 'Ann', email: 'ann@example.com', role: 'viewer' };
const reader = new InputReader(CreateUserInput, CreateUserRequestSchema);

function http(body: unknown, query: object = {}, params: object = {}) {
  return { body, query, params };
}

async function violationsOf(read: () => unknown): Promise<string[]> {
  const error: unknown = await Promise.resolve()
    .then(read)
    .then(
      () => undefined,
      (reason: unknown) => reason,
    );
  if (!(error instanceof ValidationError)) throw new Error(`expected a ValidationError, got ${String(error)}`);
  return error.violations.map(({ field, rule, message }) => `${field} ${rule}: ${message}`);
}

describe('InputReader with a message type', () => {
  it('gives the same instance for a JSON body and for a message', async () => {
    const fromHttp = await reader.fromHttp(http({ ...valid, age: 30 }));
    const fromMessage = await reader.fromMessage(create(CreateUserRequestSchema, { ...valid, age: 30 }));

    expect(fromHttp).toBeInstanceOf(CreateUserInput);
    expect(fromHttp).toEqual(fromMessage);
    expect(fromHttp).toEqual(Object.assign(new CreateUserInput(), valid, { age: 30 }));
  });

  it('reports a missing field alike on both faces', async () => {
    const onHttp = await violationsOf(() => reader.fromHttp(http({ displayName: 'Ann', role: 'viewer' })));
    const onGrpc = await violationsOf(() =>
      reader.fromMessage(create(CreateUserRequestSchema, { displayName: 'Ann', role: 'viewer' })),
    );

    expect(onHttp).toEqual(['email isEmail: email must be an email']);
    expect(onGrpc).toEqual(onHttp);
  });

  it('refuses a field number that the message does not have, unless it is told to take them', async () => {
    const message = create(CreateUserRequestSchema, valid);
    message.$unknown = [{ no: 99, wireType: WireType.Varint, data: new Uint8Array([1]) }];

    expect(await violationsOf(() => reader.fromMessage(message))).toEqual([
      '#99 unknownField: #99 is not a known field',
    ]);
    expect(await reader.fromMessage(message, true)).toEqual(Object.assign(new CreateUserInput(), valid));
  });

  it('names every wrong field once, by its type before its rules', async () => {
    const violations = await violationsOf(() =>
      reader.fromHttp(http({ displayName: 5, email: 'x', role: 'viewer', age: 151, nick: 1 })),
    );

    expect(violations).toEqual([
      'displayName type: displayName must be a string',
      'nick unknownField: nick is not a known field',
      'email isEmail: email must be an email',
      'age max: age must not be greater than 150',
    ]);
  });

  it.each([[], 'text', 5, true])('refuses the body %j', async (body) => {
    expect(await violationsOf(() => reader.fromHttp(http(body)))).toEqual([
      ' type: the request body must be a JSON object',
    ]);
  });

  it('accepts what the JSON mapping accepts: null for absent, numbers as text, proto names', async () => {
    const input = await reader.fromHttp(http({ display_name: 'Ann', email: valid.email, role: 'viewer', age: '42' }));
    const absent = await reader.fromHttp(http({ ...valid, age: null }));

    expect(input).toMatchObject({ displayName: 'Ann', age: 42 });
    expect(absent).not.toHaveProperty('age', expect.anything());
  });

  it('lets the path win over the query and the query over the body', async () => {
    const input = await reader.fromHttp(
      http({ ...valid, role: 'viewer' }, { role: 'operator', displayName: 'Q' }, { displayName: 'P' }),
    );

    expect(input).toMatchObject({ role: 'operator', displayName: 'P' });
  });

  it('reads field masks, times and 64-bit integers', async () => {
    class UpdateInput {
      @Matches(/^\d+$/)
      id!: string;
      @IsOptional()
      displayName?: string;
      @IsOptional()
      updateMask?: { paths: string[] };
    }
    class EntryInput {
      @IsOptional()
      time?: { seconds: bigint; nanos: number };
    }

    const update = await new InputReader(UpdateInput, UpdateUserRequestSchema).fromHttp(
      http({ updateMask: 'displayName,age' }, {}, { id: '7' }),
    );
    const entry = await new InputReader(EntryInput, LogEntrySchema).fromHttp(http({ time: '2026-01-02T03:04:05.5Z' }));
    const wrong = await violationsOf(() =>
      new InputReader(EntryInput, LogEntrySchema).fromHttp(http({ time: 'yesterday' })),
    );

    expect(update).toMatchObject({ id: '7', updateMask: { paths: ['display_name', 'age'] } });
    expect(entry).toMatchObject({ time: { seconds: 1767323045n, nanos: 500_000_000 } });
    expect(wrong).toEqual(['time type: time must be an RFC 3339 time such as 2026-01-31T08:00:00Z']);
  });

  it('refuses a set field that the DTO does not speak of, and ignores an unset one', async () => {
    class Narrow {
      @Length(1, 100)
      displayName!: string;
    }
    const narrow = new InputReader(Narrow, CreateUserRequestSchema);

    expect(await narrow.fromMessage(create(CreateUserRequestSchema, { displayName: 'x' }))).toEqual(
      Object.assign(new Narrow(), { displayName: 'x' }),
    );
    expect(
      await violationsOf(() =>
        narrow.fromMessage(create(CreateUserRequestSchema, { displayName: 'x', role: 'viewer' })),
      ),
    ).toEqual(['role unknownField: role is not a known field']);
  });

  it('reads maps, enums by name and nested messages, with paths', async () => {
    class Info {
      @IsOptional()
      reason?: string;
      @IsOptional()
      domain?: string;
      @IsOptional()
      metadata?: Record<string, string>;
    }
    class Change {
      @IsInt()
      kind!: number;
      @IsOptional()
      user?: object;
    }

    expect(await new InputReader(Info, ErrorInfoSchema).fromHttp(http({ metadata: { a: 'b' } }))).toMatchObject({
      metadata: { a: 'b' },
    });
    expect(
      await violationsOf(() => new InputReader(Info, ErrorInfoSchema).fromHttp(http({ metadata: { a: 1 } }))),
    ).toEqual(['metadata.a type: metadata.a must be a string']);
    expect(
      await new InputReader(Change, UserChangeSchema).fromHttp(http({ kind: 'KIND_DELETED', user: { id: 5 } })),
    ).toMatchObject({ kind: 2, user: { id: '5', displayName: '' } });
    expect(
      await violationsOf(() =>
        new InputReader(Change, UserChangeSchema).fromHttp(http({ kind: 'NO', user: { id: 'x' } })),
      ),
    ).toEqual([
      'kind type: kind must be one of KIND_UNSPECIFIED, KIND_UPSERTED, KIND_DELETED',
      'user.id type: user.id must be an integer between -9223372036854775808 and 9223372036854775807',
    ]);
  });

  it('takes no stack for a wrong request, and leaves the stacks of other errors alone', () => {
    const limit = Error.stackTraceLimit;
    const refusal = (): unknown => reader.fromHttp(http({}));

    expect(refusal).toThrow(expect.objectContaining({ stack: expect.not.stringContaining('input.ts') as string }));
    expect(Error.stackTraceLimit).toBe(limit);
  });

  it('tells a refusal only after the request proved valid', () => {
    class Denied extends RookeryError {
      static override readonly status = Status.PermissionDenied;
    }
    const context = new RequestContext({
      face: 'http',
      operation: '',
      peer: '',
      header: () => undefined,
      deadline: new Deadline(Infinity),
    });
    context.denial = new Denied('no');

    expect(() => runInContext(context, () => reader.fromHttp(http({})))).toThrow(ValidationError);
    expect(() => runInContext(context, () => reader.fromHttp(http(valid)))).toThrow(Denied);
  });
});

describe('InputReader without a message type', () => {
  class Item {
    @Length(1, 10)
    name!: string;
  }
  class Order {
    @IsInt()
    page!: number;
    @IsArray()
    @ValidateNested({ each: true })
    @Type(() => Item)
    items!: Item[];
  }
  const orders = new InputReader(Order, undefined);

  it('reads path and query by the types of the DTO', async () => {
    expect(await orders.fromHttp(http({ items: [] }, { page: '3' }))).toEqual(
      Object.assign(new Order(), { page: 3, items: [] }),
    );
  });

  it.each(['\u00a03', ' 3', '3 ', '0x3', '0b1', '3_0', '', '\u0663', 'Infinity', '1e999', '+3'])(
    'takes %j of a query for no number',
    async (page) => {
      expect(await violationsOf(() => orders.fromHttp(http({ items: [] }, { page })))).toEqual([
        'page isInt: page must be an integer number',
      ]);
    },
  );

  it('takes decimal numbers of a query in every form', async () => {
    for (const [page, number] of [
      ['-3', -3],
      ['3.0', 3],
      ['30e-1', 3],
      ['.3e1', 3],
    ] as const)
      expect(await orders.fromHttp(http({ items: [] }, { page }))).toMatchObject({ page: number });
  });

  it('leaves the body as it is, also where class-validator reads it', async () => {
    class Trimmed {
      @Transform(({ value }) => String(value).trim())
      @Length(1, 3)
      name!: string;
    }
    const body = { name: ' a ', unset: '' };

    const input = await new InputReader(Trimmed, undefined).fromHttp(http(body));

    expect(input).toEqual({ name: 'a' });
    expect(body).toEqual({ name: ' a ', unset: '' });
  });

  it('gives paths into arrays', async () => {
    const items = [{ name: 'a' }, { name: 'b' }, { name: '' }];

    expect(await violationsOf(() => orders.fromHttp(http({ page: 1, items })))).toEqual([
      'items[2].name isLength: items[2].name must be longer than or equal to 1 characters',
    ]);
    expect(await violationsOf(() => orders.fromHttp(http({ page: 1, items: [{ name: 'a', extra: 1 }] })))).toEqual([
      'items[0].extra unknownField: items[0].extra is not a known field',
    ]);
  });
});
