import 'reflect-metadata';
import { Logger } from '@nestjs/common';
import { Exclude, Expose, Transform, Type } from 'class-transformer';
import {
  Allow,
  IsDefined,
  IsInt,
  IsOptional,
  IsString,
  Length,
  registerDecorator,
  ValidateNested,
  ValidatePromise,
} from 'class-validator';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { DtoChecker } from '../validation.js';
import { CompiledDto, messageSource, NotCompilable, plainSource, Refused } from './index.js';

class Address {
  @Length(1, 5)
  city!: string;
}
class Person {
  @IsString()
  name!: string;
  @IsOptional()
  @ValidateNested()
  @Type(() => Address)
  address?: Address;
  @IsOptional()
  @ValidateNested({ each: true })
  @Type(() => Person)
  children?: Person[];
}

function reasonOf(dto: new () => object): string {
  try {
    new CompiledDto(dto, { source: plainSource });
  } catch (error) {
    if (error instanceof NotCompilable) return error.message;
    throw error;
  }
  return 'compiled';
}

afterEach(() => {
  vi.unstubAllGlobals();
});

describe('CompiledDto', () => {
  it('names the field that has no rules for what is in it', async () => {
    class Untyped {
      @ValidateNested()
      address!: Address;
    }
    const untyped = new DtoChecker(Untyped);

    const read = (await untyped.read({ address: { city: 'Bonn' } })) as Refused;

    expect(read.violations).toMatchObject([{ field: 'address', rule: 'unknownValue' }]);
  });

  it('makes instances of the class and of those nested in it, at once', () => {
    const read = new CompiledDto(Person, { source: plainSource }).read({
      name: 'Ann',
      address: { city: 'Bonn' },
      children: [{ name: 'Ben', children: [] }],
    });

    expect(read).toBeInstanceOf(Person);
    expect(read).toMatchObject({ address: expect.any(Address) as object, children: [expect.any(Person)] });
  });

  it('names what is wrong in a class that contains itself, with the path', () => {
    const children = [{ name: 'Ben', children: [{ name: 1, address: { city: 'Amsterdam', zip: 1 } }] }];
    const read = new CompiledDto(Person, { source: plainSource }).read({ name: 'Ann', children });

    expect(read).toBeInstanceOf(Refused);
    expect((read as Refused).violations.map(({ field, rule }) => `${field} ${rule}`)).toEqual([
      'children[0].children[0].name isString',
      'children[0].children[0].address.zip unknownField',
      'children[0].children[0].address.city isLength',
    ]);
  });

  it('reads messages where they are: without the properties of protobuf-es, bytes as a Buffer of their own', () => {
    class Blob {
      @Allow()
      data!: Buffer;
      @Allow()
      parts!: Buffer[];
    }
    const data = new Uint8Array([1, 2]);
    const read = new CompiledDto(Blob, { source: messageSource }).read({
      $typeName: 'test.Blob',
      data,
      parts: [data],
      $unknown: [],
    }) as Blob;
    data[0] = 9;

    expect(Object.keys(read)).toEqual(['data', 'parts']);
    expect(read.data).toEqual(Buffer.from([1, 2]));
    expect(read.parts).toEqual([Buffer.from([1, 2])]);
  });

  it('needs no code from text', () => {
    vi.stubGlobal('Function', () => {
      throw new EvalError('Code generation from strings disallowed for this context');
    });
    const compiled = new CompiledDto(Person, { source: plainSource });

    expect(compiled.read({ name: 'Ann', address: { city: 'Bonn' } })).toBeInstanceOf(Person);
    expect(compiled.read({ name: 1 })).toBeInstanceOf(Refused);
  });

  it('puts nothing of a name into the code but the name', () => {
    const name = "a'] = 1; throw new Error('\u2028`${1}\\";
    class Odd {}
    IsInt()(Odd.prototype, name);
    const compiled = new CompiledDto(Odd, { source: plainSource });

    expect(compiled.read({ [name]: 1 })).toEqual({ [name]: 1 });
    expect(compiled.read({ [name]: 'x' })).toBeInstanceOf(Refused);
  });

  it('leaves to the library a value that only it can convert', () => {
    const compiled = new CompiledDto(Person, { source: plainSource });

    expect(compiled.read({ name: new Map() })).toBeUndefined();
    expect(compiled.read({ name: JSON.parse('{"constructor":1}') as object })).toBeUndefined();
  });

  it('leaves a value to the library when a rule answers with a promise', () => {
    class Late {
      @IsString()
      name!: string;
    }
    const validator = { validate: (value: unknown) => (value === 'x' ? Promise.resolve(false) : true) };
    registerDecorator({ name: 'late', target: Late, propertyName: 'name', validator });
    const compiled = new CompiledDto(Late, { source: plainSource });

    expect(compiled.read({ name: 'x' })).toBeUndefined();
    expect(compiled.read({ name: 'y' })).toBeInstanceOf(Late);
  });
});

class Exposed {
  @Expose()
  @IsString()
  a!: string;
}
class Excluded {
  @Exclude()
  @IsString()
  a!: string;
}
class Transformed {
  @Transform(({ value }) => String(value))
  @IsString()
  a!: string;
}
class Chosen {
  @Type(() => Address, { discriminator: { property: 'kind', subTypes: [{ name: 'a', value: Address }] } })
  @IsDefined()
  a!: Address;
}
class ByValue {
  @Type((options) => (options?.object ? Address : Person))
  @IsDefined()
  a!: Address;
}
class InMap {
  @Type(() => Map)
  @IsDefined()
  a!: unknown;
}
class Promised {
  @ValidatePromise()
  a!: unknown;
}
class Asynchronous {
  a!: string;
}
registerDecorator({
  name: 'taken',
  async: true,
  target: Asynchronous,
  propertyName: 'a',
  validator: { validate: (value) => Promise.resolve(value !== 'taken') },
});
class WithAccessor {
  @IsString()
  get a(): string {
    return 'a';
  }
}
class WithParameter {
  @IsString()
  a: string;

  constructor(a: string) {
    this.a = a;
  }
}
class Undecorated {
  @IsString()
  a = 'a';
  b = 1;
}
class Outer {
  @ValidateNested()
  @Type(() => Transformed)
  inner!: Transformed;
}

describe('a class that is not compiled', () => {
  it.each([
    [Exposed, 'Exposed: it uses @Expose() or @Exclude()'],
    [Excluded, 'Excluded: it uses @Exclude()'],
    [Transformed, 'Transformed: a uses @Transform()'],
    [Chosen, 'Chosen: a has a discriminator'],
    [ByValue, 'ByValue: the type of a is chosen by its value'],
    [InMap, 'InMap: a has a type that is not compiled'],
    [Promised, 'Promised: a has a rule of type promiseValidation'],
    [Asynchronous, 'Asynchronous: a has the asynchronous rule taken'],
    [WithAccessor, 'WithAccessor: a is defined on its prototype'],
    [WithParameter as unknown as new () => object, 'WithParameter: its constructor takes parameters'],
    [Undecorated, 'Undecorated: its property b has no rule'],
    [Outer, 'Transformed: a uses @Transform()'],
  ])('%o', (dto, reason) => {
    expect(reasonOf(dto)).toBe(reason);
  });

  it('is told of once, by name and reason, and checked by class-validator as a whole', async () => {
    const log = vi.spyOn(Logger.prototype, 'log').mockReturnValue();

    const checkers = [new DtoChecker(Outer), new DtoChecker(Outer)];
    const reads = await Promise.all(checkers.map(async (checker) => await checker.read({ inner: { a: 5 } })));
    const refused = await new DtoChecker(Asynchronous).read({ a: 'taken' });

    expect(reads).toEqual([{ inner: { a: '5' } }, { inner: { a: '5' } }]);
    expect(refused).toMatchObject({ violations: [{ field: 'a', rule: 'taken' }] });
    expect(log.mock.calls.map(([line]: unknown[]) => line)).toEqual([
      'Outer is checked by class-validator, not compiled: Transformed: a uses @Transform()',
      'Asynchronous is checked by class-validator, not compiled: Asynchronous: a has the asynchronous rule taken',
    ]);
  });
});
