import 'reflect-metadata';
import { create } from '@bufbuild/protobuf';
import { WireType } from '@bufbuild/protobuf/wire';
import { type ArgumentMetadata, type ExecutionContext, Logger, type ParamData } from '@nestjs/common';
import { ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js';
import { Transform } from 'class-transformer';
import { Allow } from 'class-validator';
import { describe, expect, it, vi } from 'vitest';
import { CreateUserRequestSchema } from '../../gen/user/service/v1/user_pb.js';
import { LiveValue, metadataKeys } from '../core/index.js';
import { Input, InputPipe } from './input.decorator.js';
import type { MessagePolicy } from './pipeline.options.js';

class NameInput {
  @Allow()
  displayName!: string;
}

class Controller {
  create(@Input() input: NameInput): NameInput {
    return input;
  }
}

type Factory = (data: ParamData, context: ExecutionContext) => unknown;

/** What Nest makes of a message on its way to the handler. */
async function transformed(pipe: InputPipe, message: object): Promise<unknown> {
  const handler = Object.getOwnPropertyDescriptor(Controller.prototype, 'create')?.value as object;
  Reflect.defineMetadata(metadataKeys.rpc, { input: CreateUserRequestSchema }, handler);
  const parameters = Reflect.getMetadata(ROUTE_ARGS_METADATA, Controller, 'create') as Record<
    string,
    { factory: Factory }
  >;
  const [parameter] = Object.values(parameters);
  const context = { getType: () => 'rpc', getHandler: () => handler, getArgByIndex: () => message };
  const raw = parameter?.factory({}, context as unknown as ExecutionContext);
  return pipe.transform(raw, { type: 'custom', metatype: NameInput } as ArgumentMetadata);
}

describe('InputPipe', () => {
  it('takes or refuses unknown fields as the present policy says', async () => {
    const message = create(CreateUserRequestSchema, { displayName: 'Ann' });
    message.$unknown = [{ no: 99, wireType: WireType.Varint, data: new Uint8Array([1]) }];
    const policy = new LiveValue<MessagePolicy>({ unknownFields: 'ignore' });
    const pipe = new InputPipe(policy);

    await expect(transformed(pipe, message)).resolves.toEqual({ displayName: 'Ann' });
    policy.publish({ unknownFields: 'refuse' });
    await expect(transformed(pipe, message)).rejects.toThrow('#99 is not a known field');
    await expect(transformed(new InputPipe(), message)).rejects.toThrow('#99 is not a known field');
  });

  it('makes the functions of a class before the first request, and says then what is missing', () => {
    const pipe = new InputPipe();
    const metadata = (metatype: unknown): ArgumentMetadata => ({ type: 'custom', metatype: metatype as never });
    using log = vi.spyOn(Logger.prototype, 'log').mockReturnValue();
    class Odd {
      @Transform(({ value }) => value as unknown)
      @Allow()
      name!: string;
    }

    pipe.extractor(function odd() {}, metadata(Odd), true);

    expect(log).toHaveBeenCalledWith(expect.stringContaining('Odd is checked by class-validator'));
    expect(() => pipe.extractor(function bare() {}, metadata(Object), false)).toThrow(
      '@Input() on bare: the parameter',
    );
  });
});
