import { create, type DescMessage, toJson } from '@bufbuild/protobuf';
import { TimestampSchema } from '@bufbuild/protobuf/wkt';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  editionMessages,
  plainMessages,
  proto2Messages,
  proto3Messages,
  requiredMessages,
} from '../../../test/support/all-kinds-proto.js';
import { initOf } from '../../../test/support/message-arbitrary.js';
import { BadRequestSchema } from '../../gen/google/rpc/error_details_pb.js';
import { StatusSchema } from '../../gen/google/rpc/status_pb.js';
import { UserSchema } from '../../gen/user/service/v1/user_pb.js';
import { answerJson } from './answer-json.js';

vi.mock(import('@bufbuild/protobuf'), { spy: true });

afterEach(() => {
  vi.clearAllMocks();
});

const descs: DescMessage[] = [
  ...[...plainMessages, ...proto3Messages, ...proto2Messages, ...editionMessages],
  ...[TimestampSchema, StatusSchema, BadRequestSchema, UserSchema],
];

function byLibrary(desc: DescMessage, value: object): unknown {
  return toJson(desc, create(desc, value as Record<string, unknown>), { alwaysEmitImplicit: true });
}

function outcome(run: () => unknown): unknown {
  try {
    return { json: JSON.stringify(run()) };
  } catch (error) {
    return { error: String(error) };
  }
}

describe('answerJson', () => {
  it.each(descs.map((desc) => [desc.typeName, desc] as const))(
    'gives the JSON of the library for %s',
    (_name, desc) => {
      const write = answerJson(desc);
      fc.assert(
        fc.property(initOf(desc), (value) => {
          expect(outcome(() => write(value))).toEqual(outcome(() => byLibrary(desc, value)));
        }),
        { numRuns: 100 },
      );
    },
  );

  it.each([
    ['a message', create(UserSchema, { displayName: 'Alice', createdAt: create(TimestampSchema, { seconds: 1n }) })],
    ['initial values', { displayName: 'Alice', createdAt: create(TimestampSchema, { seconds: 1n }) }],
    ['nothing', {}],
  ])('does not need the library for %s', (_what, value) => {
    const json = answerJson(UserSchema)(value);

    expect(toJson).not.toHaveBeenCalled();
    expect(json).toEqual(byLibrary(UserSchema, value));
  });

  it.each([
    ['another message', { ...create(UserSchema), $typeName: 'user.service.v1.Other' }],
    ['text for a time', { createdAt: '2026-01-01T00:00:00Z' }],
    ['a message that lacks a field', { $typeName: UserSchema.typeName }],
    ['a number for a text', { displayName: 1 }],
    ['a list for a time', { createdAt: [] }],
    ['a time too late', { createdAt: create(TimestampSchema, { seconds: 253_402_300_800n }) }],
    ['a time with a fraction', { createdAt: create(TimestampSchema, { seconds: 1n, nanos: 1000 }) }],
  ])('leaves %s to the library', (_what, value) => {
    const write = answerJson(UserSchema);

    const actual = outcome(() => write(value));

    expect(toJson).toHaveBeenCalledOnce();
    const message: object = '$typeName' in value ? value : create(UserSchema, value as object);

    expect(actual).toEqual(outcome(() => toJson(UserSchema, message as never, { alwaysEmitImplicit: true })));
  });

  it('refuses a message that lacks what it must have', () => {
    const write = answerJson(requiredMessages[0]!);

    expect(() => write({})).toThrow('required field not set');
  });
});
