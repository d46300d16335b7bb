import 'reflect-metadata';
import { ValidationPipe } from '@nestjs/common';
import { plainToInstance, Type } from 'class-transformer';
import * as v from 'class-validator';
import { ValidateIf, ValidateNested, validate, type ValidationOptions } from 'class-validator';
import { describe, expect, it } from 'vitest';
import type { FieldViolation } from '../../core/index.js';
import { plainMessage } from '../plain-message.js';
import { ValidationError } from '../pipeline.errors.js';
import { DtoChecker, flatten, isValidated } from '../validation.js';
import { StrictValidationPipe } from '../validation.pipe.js';
import { CompiledDto, NotCompilable, plainSource, Refused } from './index.js';

type Dto = new () => object;
type Decorate = (options?: ValidationOptions) => PropertyDecorator;

const libraryOptions = {
  whitelist: true,
  forbidNonWhitelisted: true,
  forbidUnknownValues: true,
  stopAtFirstError: true,
  validationError: { target: false, value: false },
};

enum Colour {
  Red = 'red',
  Green = 'green',
}
enum Level {
  Low,
  High,
}
class Known {
  readonly isKnown = true;
}

/** Each rule as a user would write it, with the variants that take another way through its code. */
const rules: Readonly<Record<string, readonly Decorate[]>> = {
  IsDefined: [v.IsDefined],
  IsOptional: [v.IsOptional],
  Allow: [v.Allow],
  Validate: [(options) => v.Validate(Shouting, options), (options) => v.Validate(Shouting, [3, 'x'], options)],
  ValidateBy: [
    (options) =>
      v.ValidateBy(
        { name: 'isEven', validator: { validate: (value) => typeof value === 'number' && value % 2 === 0 } },
        options,
      ),
    (options) =>
      v.ValidateBy(
        {
          name: 'matchesSibling',
          constraints: ['other'],
          validator: {
            validate: (value, args) => value === (args?.object as Record<string, unknown> | undefined)?.['other'],
            defaultMessage: (args) => `${args?.property ?? ''} $target ${String(args?.value)} is not $constraint1`,
          },
        },
        options,
      ),
    // A name that class-validator uses itself, for something else.
    (options) => v.ValidateBy({ name: 'isInt', validator: { validate: (value) => value === 'int' } }, options),
    (options) =>
      v.ValidateBy(
        {
          name: 'isString',
          validator: { validate: (value) => value !== 'b', defaultMessage: () => '$property must be a string' },
        },
        options,
      ),
  ],
  IsLatLong: [v.IsLatLong],
  IsLatitude: [v.IsLatitude],
  IsLongitude: [v.IsLongitude],
  Equals: [
    (o) => v.Equals('a', o),
    (o) => v.Equals(Number.NaN, o),
    (o) => v.Equals(undefined, o),
    (o) => v.Equals(0, o),
  ],
  NotEquals: [(o) => v.NotEquals('a', o), (o) => v.NotEquals(null, o), (o) => v.NotEquals(Number.NaN, o)],
  IsEmpty: [v.IsEmpty],
  IsNotEmpty: [v.IsNotEmpty],
  IsIn: [(o) => v.IsIn(['a', 'b', 'red'], o), (o) => v.IsIn([1, Number.NaN, null, 'a'], o), (o) => v.IsIn([], o)],
  IsNotIn: [(o) => v.IsNotIn(['a', 1], o)],
  IsDivisibleBy: [(o) => v.IsDivisibleBy(3, o)],
  IsPositive: [v.IsPositive],
  IsNegative: [v.IsNegative],
  Max: [(o) => v.Max(5, o), (o) => v.Max(-0.5, o), (o) => v.Max(Infinity, o), (o) => v.Max(Number.NaN, o)],
  Min: [(o) => v.Min(1, o), (o) => v.Min(-1e21, o)],
  MinDate: [(o) => v.MinDate(new Date(0), o), (o) => v.MinDate(() => new Date(5), o)],
  MaxDate: [(o) => v.MaxDate(new Date(1e12), o)],
  Contains: [(o) => v.Contains('a', o)],
  NotContains: [(o) => v.NotContains('a', o)],
  IsAlpha: [(o) => v.IsAlpha(undefined, o), (o) => v.IsAlpha('de-DE', o)],
  IsAlphanumeric: [(o) => v.IsAlphanumeric(undefined, o)],
  IsDecimal: [(o) => v.IsDecimal(undefined, o), (o) => v.IsDecimal({ force_decimal: true }, o)],
  IsAscii: [v.IsAscii],
  IsBase64: [(o) => v.IsBase64(undefined, o), (o) => v.IsBase64({ urlSafe: true }, o)],
  IsByteLength: [(o) => v.IsByteLength(1, 5, o), (o) => v.IsByteLength(2, undefined, o)],
  IsCreditCard: [v.IsCreditCard],
  IsCurrency: [(o) => v.IsCurrency(undefined, o)],
  IsEmail: [(o) => v.IsEmail(undefined, o), (o) => v.IsEmail({}, o), (o) => v.IsEmail({ allow_display_name: true }, o)],
  IsFQDN: [(o) => v.IsFQDN(undefined, o)],
  IsFullWidth: [v.IsFullWidth],
  IsHalfWidth: [v.IsHalfWidth],
  IsVariableWidth: [v.IsVariableWidth],
  IsHexColor: [v.IsHexColor],
  IsHexadecimal: [v.IsHexadecimal],
  IsMACAddress: [(o) => v.IsMACAddress(undefined, o), (o) => v.IsMACAddress({ no_separators: true }, o)],
  IsIP: [(o) => v.IsIP(undefined, o), (o) => v.IsIP(6, o)],
  IsPort: [v.IsPort],
  IsISBN: [(o) => v.IsISBN(undefined, o), (o) => v.IsISBN(13, o)],
  IsISIN: [v.IsISIN],
  IsISO8601: [(o) => v.IsISO8601(undefined, o), (o) => v.IsISO8601({ strict: true }, o)],
  IsJSON: [v.IsJSON],
  IsJWT: [v.IsJWT],
  IsLowercase: [v.IsLowercase],
  IsMobilePhone: [
    (o) => v.IsMobilePhone(undefined, undefined, o),
    (o) => v.IsMobilePhone('de-DE', { strictMode: true }, o),
  ],
  IsISO31661Alpha2: [v.IsISO31661Alpha2],
  IsISO31661Alpha3: [v.IsISO31661Alpha3],
  IsISO31661Numeric: [v.IsISO31661Numeric],
  IsMongoId: [v.IsMongoId],
  IsMultibyte: [v.IsMultibyte],
  IsSurrogatePair: [v.IsSurrogatePair],
  IsUrl: [(o) => v.IsUrl(undefined, o), (o) => v.IsUrl({ require_protocol: true }, o)],
  IsUUID: [(o) => v.IsUUID(undefined, o), (o) => v.IsUUID('4', o)],
  IsFirebasePushId: [v.IsFirebasePushId],
  IsUppercase: [v.IsUppercase],
  Length: [
    (o) => v.Length(1, 5, o),
    (o) => v.Length(2, undefined, o),
    (o) => v.Length(0, 0, o),
    (o) => v.Length(-1, 2.5, o),
    (o) => v.Length(undefined as unknown as number, 3, o),
  ],
  MaxLength: [(o) => v.MaxLength(3, o), (o) => v.MaxLength(Infinity, o)],
  MinLength: [(o) => v.MinLength(2, o), (o) => v.MinLength(0, o)],
  Matches: [
    (o) => v.Matches(/^a/, o),
    (o) => v.Matches(/b/g, o),
    (o) => v.Matches('^a', 'i', o),
    (o) => v.Matches(/^\p{L}+$/u, o),
  ],
  IsPhoneNumber: [(o) => v.IsPhoneNumber(undefined, o), (o) => v.IsPhoneNumber('DE', o)],
  IsMilitaryTime: [v.IsMilitaryTime],
  IsHash: [(o) => v.IsHash('md5', o)],
  IsISSN: [(o) => v.IsISSN(undefined, o)],
  IsDateString: [(o) => v.IsDateString(undefined, o), (o) => v.IsDateString({ strict: true }, o)],
  IsBooleanString: [v.IsBooleanString],
  IsNumberString: [(o) => v.IsNumberString(undefined, o), (o) => v.IsNumberString({ no_symbols: true }, o)],
  IsBase32: [v.IsBase32],
  IsBIC: [v.IsBIC],
  IsBtcAddress: [v.IsBtcAddress],
  IsDataURI: [v.IsDataURI],
  IsEAN: [v.IsEAN],
  IsEthereumAddress: [v.IsEthereumAddress],
  IsHSL: [v.IsHSL],
  IsIBAN: [(o) => v.IsIBAN(undefined, o)],
  IsIdentityCard: [(o) => v.IsIdentityCard('ES', o)],
  IsISRC: [v.IsISRC],
  IsLocale: [v.IsLocale],
  IsMagnetURI: [v.IsMagnetURI],
  IsMimeType: [v.IsMimeType],
  IsOctal: [v.IsOctal],
  IsPassportNumber: [(o) => v.IsPassportNumber('DE', o)],
  IsPostalCode: [(o) => v.IsPostalCode('any', o), (o) => v.IsPostalCode('DE', o)],
  IsRFC3339: [v.IsRFC3339],
  IsRgbColor: [(o) => v.IsRgbColor(undefined, o)],
  IsSemVer: [v.IsSemVer],
  IsStrongPassword: [(o) => v.IsStrongPassword(undefined, o)],
  IsTimeZone: [v.IsTimeZone],
  IsBase58: [v.IsBase58],
  IsTaxId: [(o) => v.IsTaxId('de-DE', o)],
  IsISO4217CurrencyCode: [v.IsISO4217CurrencyCode],
  IsISO6391: [v.IsISO6391],
  IsBoolean: [v.IsBoolean],
  IsDate: [v.IsDate],
  IsNumber: [
    (o) => v.IsNumber(undefined, o),
    (o) => v.IsNumber({ maxDecimalPlaces: 1 }, o),
    (o) => v.IsNumber({ allowNaN: true, allowInfinity: true }, o),
  ],
  IsEnum: [(o) => v.IsEnum(Colour, o), (o) => v.IsEnum(Level, o), (o) => v.IsEnum({ x: Number.NaN, y: undefined }, o)],
  IsInt: [v.IsInt],
  IsString: [v.IsString],
  IsArray: [v.IsArray],
  IsObject: [v.IsObject],
  ArrayContains: [(o) => v.ArrayContains(['a', 1], o)],
  ArrayNotContains: [(o) => v.ArrayNotContains(['a'], o)],
  ArrayNotEmpty: [v.ArrayNotEmpty],
  ArrayMinSize: [(o) => v.ArrayMinSize(1, o)],
  ArrayMaxSize: [(o) => v.ArrayMaxSize(2, o)],
  ArrayUnique: [(o) => v.ArrayUnique(o), (o) => v.ArrayUnique((one: unknown) => typeof one, o)],
  IsNotEmptyObject: [(o) => v.IsNotEmptyObject(undefined, o), (o) => v.IsNotEmptyObject({ nullable: false }, o)],
  IsInstance: [(o) => v.IsInstance(Known, o), (o) => v.IsInstance(Date, o)],
};

/** Exports in upper case that are no rules for a value: what stands in the way of compiling, or has a part of its own below. */
const others = new Set([
  ...['MetadataStorage', 'ValidationError', 'ValidationTypes', 'Validator', 'ValidatorConstraint'],
  ...['ValidateIf', 'ValidateNested', 'ValidatePromise'],
]);

@v.ValidatorConstraint({ name: 'shouting' })
class Shouting implements v.ValidatorConstraintInterface {
  validate(value: unknown, args?: v.ValidationArguments): boolean {
    return typeof value === 'string' && value === value.toUpperCase() && args?.property !== '';
  }

  defaultMessage(args?: v.ValidationArguments): string {
    return `$property of $target is not loud but ${typeof args?.value} ($constraint1, $constraint2)`;
  }
}

/** Texts that some rule takes; each is also something that the others should not take. */
const texts: readonly string[] = [
  ...[
    '',
    ' ',
    'a',
    'b',
    'A',
    'ab',
    'abc',
    'abcdef',
    'AB',
    'red',
    'green',
    'Low',
    'int',
    '0',
    '1',
    '12',
    '-3',
    '1.5',
    '0x1f',
    '017',
  ],
  ...[
    'true',
    'false',
    'null',
    '[1,2]',
    '{"a":1}',
    'äöü',
    'ＡＢＣ',
    'カタカナ',
    '👍',
    '👍👍👍',
    '❤️',
    '️',
    'a️',
    'ﬀ',
    '\ud83d',
    'a\u0000b',
  ],
  ...['$value', '$property', '$&', "$'", '$constraint1', '$target', 'a\nb', 'constructor', '__proto__'],
  ...[
    'ann@example.com',
    'Ann.B+c@ex-ample.co.uk',
    'a_b@x.de',
    'a..b@x.de',
    '.a@x.de',
    'a@-x.de',
    'a@x',
    'a@localhost',
    'a b@x.de',
    'a@x.d',
    'a@b@c.de',
  ],
  ...[
    '"a b"@x.de',
    'Ann <ann@example.com>',
    'ü@x.de',
    'a@ü.de',
    `${'a'.repeat(65)}@x.de`,
    `a@${'b'.repeat(64)}.de`,
    'a@1.2',
    'a@x.d1',
  ],
  ...[
    'example.com',
    'https://example.com/a?b=c',
    'ftp://x',
    'localhost',
    '127.0.0.1',
    '::1',
    '8080',
    '99999',
    '12:30',
    '25:61',
  ],
  ...['2026-01-31', '2026-02-30', '2026-01-31T08:00:00Z', '2026-01-31T08:00:00.5+02:00', 'yesterday'],
  ...['550e8400-e29b-41d4-a716-446655440000', 'f47ac10b-58cc-4372-a567-0e02b2c3d479', '507f1f77bcf86cd799439011'],
  ...[
    'd41d8cd98f00b204e9800998ecf8427e',
    'MFRGG===',
    'YWJj',
    'YW-_',
    '3mJr7AoUXx2Wqd',
    'data:text/plain;base64,YQ==',
    '#fff',
    'rgb(1,2,3)',
  ],
  ...[
    'hsl(1,2%,3%)',
    '01:23:45:67:89:ab',
    '0123456789ab',
    '4111111111111111',
    '$1,234.50',
    '978-3-16-148410-0',
    '0-306-40615-2',
  ],
  ...[
    'US0378331005',
    'DE89370400440532013000',
    'DEUTDEFF',
    'DE',
    'DEU',
    '276',
    'EUR',
    'de',
    'de-DE',
    'Europe/Berlin',
    '10115',
  ],
  ...[
    '+4915112345678',
    '015112345678',
    '52.5,13.4',
    '91',
    '-181',
    '73513537',
    '2049-3630',
    'USRC17607839',
    '1.2.3',
    'v1',
    'text/plain',
  ],
  ...[
    '1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2',
    '0x52908400098527886E0F7030069857D2E4169EE7',
    'Aa1!aaaa',
    'C01X00T47',
    '99999999R',
  ],
  ...[
    '36574261809',
    '-JhLeOlGIEjaIOFHR0xd',
    'magnet:?xt=urn:btih:06E2A9683BF4DA92C73A661AC56F0ECC9C63C5B4',
    'eyJhbGciOiJub25lIn0.e30.',
  ],
];

const numbers: readonly number[] = [
  0,
  -0,
  1,
  2,
  3,
  5,
  5.5,
  6,
  -1,
  -0.5,
  0.25,
  1e21,
  -1e22,
  2 ** 53,
  Number.NaN,
  Infinity,
  -Infinity,
];

/** The same numbers in every run: a difference found once is found again. */
class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  below(limit: number): number {
    // mulberry32
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit);
  }

  oneIn(count: number): boolean {
    return this.below(count) === 0;
  }

  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  shuffled<T>(list: readonly T[]): T[] {
    const rest = [...list];
    return list.map(() => rest.splice(this.below(rest.length), 1)[0] as T);
  }
}

const aSymbol = Symbol('s');
const aFunction = (): string => 'a';

/** Values that only JavaScript has, never JSON or protobuf. */
function strangeValue(chance: Chance): unknown {
  const oddities: readonly (() => unknown)[] = [
    () => aSymbol,
    () => Object('abc') as unknown,
    () => Object(true) as unknown,
    () => new Map([['a', 'a']]),
    () => new Set(['a', 1]),
    () => new Known(),
    () => aFunction,
    () => Object.assign(Object.create(null), { v: 'a' }) as unknown,
    () => Object.assign([], { 0: 'a', 2: 'b' }),
    () => Promise.resolve('a'),
    // oxlint-disable-next-line unicorn/no-thenable -- it is there to be one
    () => ({ then: aFunction }),
    () => new Uint8Array([1, 2]),
    () => new Inner(),
    () => JSON.parse('{"__proto__":{"v":1},"v":"a"}') as unknown,
    () => JSON.parse('{"constructor":"a","v":"a"}') as unknown,
    () => ({ prototype: 1, toString: 'a', valueOf: 1 }),
  ];
  return chance.of(oddities)();
}

function randomValue(chance: Chance, depth: number): unknown {
  const kind = chance.below(depth > 0 ? 100 : 75);
  if (kind < 38) return chance.of(texts);
  if (kind < 52) return chance.of(numbers);
  if (kind < 55) return undefined;
  if (kind < 58) return null;
  if (kind < 62) return chance.oneIn(2);
  if (kind < 64) return BigInt(chance.below(5));
  if (kind < 67) return chance.of([new Date(0), new Date(1e13), new Date(Number.NaN)]);
  if (kind < 68) return Buffer.from('ab');
  if (kind < 69) return strangeValue(chance);
  if (kind < 70) return chance.of([Colour.Red, Level.High, Level]);
  if (kind < 75) return chance.of(texts).repeat(chance.below(4));
  if (kind < 88) return Array.from({ length: chance.below(4) }, () => randomValue(chance, depth - 1));
  return record(chance, ['v', 'a', 'other', 'inner', 'list'], depth - 1);
}

function record(chance: Chance, keys: readonly string[], depth: number): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const key of chance.shuffled(keys)) {
    if (!chance.oneIn(5)) result[key] = chance.oneIn(10) ? undefined : randomValue(chance, depth);
  }
  if (chance.oneIn(12)) result[chance.of(['x', '7', 'toString', 'isKnown', '$typeName'])] = randomValue(chance, depth);
  return result;
}

class Inner {
  v: unknown = undefined;
}
decorate(Inner, 'v', v.IsString(), v.Length(1, 5));

function decorate(dto: Dto, property: string, ...decorators: PropertyDecorator[]): void {
  // As compiled code has it: from the bottom up.
  for (const one of decorators.reverse()) one(dto.prototype as object, property);
}

/** A class whose instances have these properties from the start, or have none before they are set. */
function dtoClass(defaults: Readonly<Record<string, () => unknown>>, parent: Dto = Object): Dto {
  const base = parent === Object ? class {} : parent;
  return class Subject extends base {
    constructor() {
      super();
      for (const [name, make] of Object.entries(defaults)) {
        Object.defineProperty(this, name, { value: make(), writable: true, enumerable: true, configurable: true });
      }
    }
  };
}

const messages: readonly (ValidationOptions['message'] | undefined)[] = [
  undefined,
  'a text',
  '$property is not $constraint1 or $constraint2 but $value in $target, $constraint1',
  (args) => `${args.property} ${args.targetName} ${String(args.constraints?.length)} ${typeof args.value} $value`,
];

/** What a rule is tried in: each gives a class, and the values that go in. */
const forms: readonly ((rule: Decorate, chance: Chance) => readonly [Dto, () => Record<string, unknown>])[] = [
  (rule, chance) => {
    const dto = dtoClass(chance.oneIn(2) ? {} : { v: () => undefined });
    decorate(dto, 'v', rule());
    return [dto, () => ({ v: randomValue(chance, 2) })];
  },
  (rule, chance) => {
    const dto = dtoClass({});
    decorate(dto, 'v', rule({ each: true }));
    const list = (): unknown[] => Array.from({ length: chance.below(4) }, () => randomValue(chance, 1));
    return [dto, () => ({ v: chance.oneIn(4) ? randomValue(chance, 1) : list() })];
  },
  (rule, chance) => {
    const dto = dtoClass(chance.oneIn(2) ? {} : { v: () => 'a', other: () => undefined });
    const text = chance.of(messages);
    const options = text === undefined ? {} : { message: text };
    decorate(dto, 'v', v.IsOptional(), rule({ ...options, context: { why: 'no reason' } }));
    decorate(dto, 'other', rule({ ...options, each: true, groups: ['g'], always: chance.oneIn(2) }), v.IsDefined());
    return [dto, () => record(chance, ['v', 'other'], 2)];
  },
  (rule, chance) => {
    const inner = dtoClass({ v: () => undefined });
    decorate(inner, 'v', rule());
    const dto = dtoClass({});
    decorate(
      dto,
      'inner',
      ValidateNested(),
      Type(() => inner),
    );
    decorate(
      dto,
      'list',
      v.IsOptional(),
      ValidateNested({ each: true }),
      Type(() => inner),
    );
    const some = (): unknown => (chance.oneIn(6) ? randomValue(chance, 1) : { v: randomValue(chance, 1) });
    const list = (): unknown[] => Array.from({ length: chance.below(3) }, some);
    return [dto, () => ({ inner: some(), ...(chance.oneIn(3) ? {} : { list: chance.oneIn(8) ? some() : list() }) })];
  },
  (rule, chance) => {
    const base = dtoClass({ v: () => undefined });
    decorate(base, 'v', rule(), v.IsNotEmpty());
    decorate(base, 'a', v.IsOptional(), v.IsString());
    const dto = dtoClass({}, base);
    decorate(dto, chance.of(['v', 'other', '7']), rule({ message: 'again $value' }));
    return [dto, () => record(chance, ['v', 'a', 'other', '7'], 1)];
  },
  (rule, chance) => {
    const dto = dtoClass({});
    const condition = (object: object, one: unknown): boolean => 'other' in object && one !== 'a';
    decorate(dto, 'v', ValidateIf(condition), rule({ validateIf: (_object, one) => one !== 1 }), v.IsString());
    decorate(dto, 'other', v.Allow());
    return [dto, () => record(chance, ['v', 'other'], 2)];
  },
];

const allRules = Object.values(rules).flat();
/** What many values keep, so that whole objects are accepted now and then. */
const mildRules: readonly Decorate[] = [
  v.IsNotEmpty,
  v.IsDefined,
  (o) => v.NotEquals('b', o),
  (o) => v.IsNotIn([1], o),
];
const names = ['a', 'b', '7', 'inner', 'list', 'v'];

/** A class with some of everything: conversions, nesting in itself and in others, default values, a base class. */
function randomDto(chance: Chance, depth: number): Dto {
  const defaults: Record<string, () => unknown> = {};
  const isMild = chance.oneIn(2);
  const used = isMild ? names : names.filter(() => chance.oneIn(2));
  for (const name of used) {
    if (chance.oneIn(3)) defaults[name] = () => undefined;
    else if (chance.oneIn(8))
      defaults[name] = chance.of([() => 'a', () => 5, () => [new Inner()], () => new Inner(), () => new Map()]);
  }
  const dto = dtoClass(defaults, depth > 0 && chance.oneIn(4) ? randomDto(chance, 0) : Object);
  for (const name of used) decorate(dto, name, ...randomDecorators(chance, dto, depth, isMild ? mildRules : allRules));
  for (const name of used) {
    if (chance.oneIn(3))
      Reflect.defineMetadata('design:type', chance.of([Array, Object, String, Inner]), dto.prototype as object, name);
    if (chance.oneIn(3)) decorate(dto, name, Type(randomType(chance, dto, depth)));
  }
  return dto;
}

function randomDecorators(chance: Chance, dto: Dto, depth: number, from: readonly Decorate[]): PropertyDecorator[] {
  const options = (): ValidationOptions => {
    const text = chance.of(messages);
    return { each: chance.oneIn(4), ...(text === undefined ? {} : { message: text }) };
  };
  const condition = chance.of([
    (object: object) => 'a' in object,
    (_object: object, one: unknown) => one !== 'b',
    () => false,
  ]);
  return [
    ...(chance.oneIn(3) ? [v.IsOptional()] : []),
    ...(chance.oneIn(6) ? [ValidateIf(condition)] : []),
    ...(chance.oneIn(6) ? [v.IsDefined(options())] : []),
    ...(chance.oneIn(from === mildRules ? 8 : 3)
      ? [ValidateNested(options()), Type(randomType(chance, dto, depth))]
      : []),
    ...(chance.oneIn(12) ? [ValidateNested()] : []),
    ...Array.from({ length: chance.below(3) }, () => chance.of(from)(options())),
    v.Allow(),
  ];
}

function randomType(chance: Chance, dto: Dto, depth: number): () => Dto {
  const kind = chance.below(10);
  if (kind < 3) return () => dto;
  if (kind < 6 && depth > 0) {
    const inner = randomDto(chance, depth - 1);
    return () => inner;
  }
  const type = chance.of([String, Number, Boolean, Date, Buffer, Object, Inner, Inner, Inner] as unknown[]);
  return () => type as Dto;
}

/** What a decoder of protobuf-es gives: with its own properties, bytes, 64-bit integers, and no null. */
function randomMessage(chance: Chance, depth: number): Record<string, unknown> {
  const result: Record<string, unknown> = { $typeName: 'test.Message' };
  if (chance.oneIn(4)) result['$unknown'] = [{ no: 9, wireType: 0, data: new Uint8Array([1]) }];
  for (const name of [...names, ...(chance.oneIn(4) ? ['zero', 'x'] : [])]) {
    if (chance.oneIn(2)) result[name] = messageValue(chance, depth);
  }
  return result;
}

function messageValue(chance: Chance, depth: number): unknown {
  const kind = chance.below(depth > 0 ? 14 : 9);
  if (kind < 3) return chance.of(texts);
  if (kind < 4) return chance.of(['', '0', 0, false, 0n, undefined]);
  if (kind < 6) return chance.of(numbers);
  if (kind < 7) return chance.of([5n, true]);
  if (kind < 8) return new Uint8Array([97, 98, 99].slice(chance.below(4)));
  if (kind < 9) return { case: chance.of(['text', undefined]), value: undefined };
  if (kind < 11) return Array.from({ length: chance.below(3) }, () => messageValue(chance, depth - 1));
  if (kind < 12)
    return Object.fromEntries([
      ['__proto__', 1],
      ['toString', 'a'],
      ['k', messageValue(chance, depth - 1)],
    ]);
  return randomMessage(chance, depth - 1);
}

type Outcome =
  | { readonly instance: object; readonly violations: readonly FieldViolation[] }
  | { readonly thrown: string };

async function byLibrary(dto: Dto, plain: Record<string, unknown>): Promise<Outcome> {
  try {
    const instance = plainToInstance(dto, plain, { exposeDefaultValues: true });
    if (isValidated(dto)) return { instance, violations: flatten(await validate(instance, libraryOptions), '') };
    // An empty message to this package, a mistake to class-validator.
    const unknown = Object.keys(instance).map((field) => ({
      field,
      rule: 'unknownField',
      message: `${field} is not a known field`,
    }));
    return { instance, violations: unknown };
  } catch (error) {
    return { thrown: String(error) };
  }
}

/** Undefined for what is left to the library. */
function outcomeOf(readValue: () => object | undefined): Outcome | undefined {
  try {
    const read = readValue();
    if (read instanceof Promise) read.catch(() => undefined);
    if (read === undefined || read instanceof Promise) return undefined;
    return read instanceof Refused ? read : { instance: read, violations: [] };
  } catch (error) {
    return { thrown: String(error) };
  }
}

/** Where two values differ: in type, prototype, names or order of their properties, or below. */
function difference(one: unknown, other: unknown, path = ''): string | undefined {
  if (Object.is(one, other)) return undefined;
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) {
    return `${path}: ${String(one)} is not ${String(other)}`;
  }
  if (Object.getPrototypeOf(one) !== Object.getPrototypeOf(other)) return `${path}: another prototype`;
  if (one instanceof Date)
    return Object.is(one.getTime(), (other as Date).getTime()) ? undefined : `${path}: another time`;
  const keys = Reflect.ownKeys(one);
  const otherKeys = Reflect.ownKeys(other);
  if (keys.length !== otherKeys.length || keys.some((key, index) => key !== otherKeys[index])) {
    return `${path}: ${keys.map(String).join()} is not ${otherKeys.map(String).join()}`;
  }
  for (const key of keys) {
    const found = difference(
      (one as Record<PropertyKey, unknown>)[key],
      (other as Record<PropertyKey, unknown>)[key],
      `${path}.${String(key)}`,
    );
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * class-validator looks through everything ever decorated, for each value; with thousands of classes that alone would
 * take minutes. What has had its turn is forgotten, and instances of validators are found by a map.
 */
function forgetRules(): void {
  const storage = v.getMetadataStorage() as unknown as { validationMetadatas: Map<Dto, unknown> };
  for (const [dto] of storage.validationMetadatas) if (dto !== Inner) storage.validationMetadatas.delete(dto);
}

const validators = new Map<Dto, object>();
v.useContainer({
  get: (type) => {
    const made = validators.get(type as Dto) ?? new (type as Dto)();
    validators.set(type as Dto, made);
    return made;
  },
});

const nestOptions = {
  transform: true,
  whitelist: true,
  forbidNonWhitelisted: true,
  forbidUnknownValues: true,
  stopAtFirstError: true,
};

function hasThen(one: unknown): boolean {
  return typeof (one as { then?: unknown } | null | undefined)?.then === 'function';
}

/** @param tally counts what was settled at once */
async function piped(pipe: ValidationPipe, one: unknown, dto: Dto, tally?: { compiled: number }): Promise<object> {
  let isAtOnce = true;
  try {
    const read: unknown = pipe.transform(one, { type: 'body', metatype: dto });
    isAtOnce = !hasThen(read);
    return { instance: await read };
  } catch (error) {
    return error instanceof ValidationError ? { violations: error.violations } : { thrown: String(error) };
  } finally {
    if (tally !== undefined && isAtOnce) tally.compiled += 1;
  }
}

/** Functions from text, and closures; none for a class that is left to the library. */
function compiledWays(dto: Dto): CompiledDto[] {
  try {
    return [
      new CompiledDto(dto, { source: plainSource }),
      new CompiledDto(dto, { source: plainSource, generate: false }),
    ];
  } catch (error) {
    if (error instanceof NotCompilable) return [];
    throw error;
  }
}

function isUnset(one: unknown): boolean {
  if (Array.isArray(one) || Buffer.isBuffer(one)) return one.length === 0;
  if (typeof one === 'object' && one !== null) return Object.values(one).every((entry) => entry === undefined);
  return [undefined, '', '0', 0, false, 0n].includes(one as string);
}

const counted = { cases: 0, accepted: 0, refused: 0, thrown: 0, left: 0 };

async function compare(dto: Dto, ways: readonly CompiledDto[], plain: Record<string, unknown>): Promise<string[]> {
  const differences: string[] = [];
  const expected = await byLibrary(dto, plain);
  counted.cases += 1;
  for (const way of ways) {
    const found = outcomeOf(() => way.read(plain));
    if (found === undefined) {
      counted.left += 1;
      continue;
    }
    const differs = difference({ ...found }, { ...expected });
    if (differs !== undefined)
      differences.push(`${differs}\nfor ${describeValue(plain)}\n${describeValue(found)}\n${describeValue(expected)}`);
    if ('thrown' in found) counted.thrown += 1;
    else if (found.violations.length === 0) counted.accepted += 1;
    else counted.refused += 1;
  }
  return differences;
}

function describeValue(one: unknown): string {
  return JSON.stringify(one, (_key, inner: unknown) =>
    typeof inner === 'object' || typeof inner === 'string' || typeof inner === 'boolean' ? inner : String(inner),
  );
}

describe('compiled validation against class-validator', () => {
  it('knows every rule that class-validator exports', () => {
    const exported = Object.entries(v)
      .filter(([name, one]) => typeof one === 'function' && /^[A-Z]/.test(name))
      .map(([name]) => name);

    expect(exported.filter((name) => !others.has(name)).sort()).toEqual(Object.keys(rules).sort());
  });

  it.each(Object.entries(rules))(
    '%s: the same instance and the same violations',
    { timeout: 60_000 },
    async (name, variants) => {
      const differences: string[] = [];
      const chance = new Chance(Buffer.from(name).readUIntBE(0, 3));
      for (const rule of variants) {
        const dto = dtoClass({});
        decorate(dto, 'v', rule());
        const ways = compiledWays(dto);
        for (const one of [...texts, ...numbers]) differences.push(...(await compare(dto, ways, { v: one })));
        for (const form of forms) {
          const [tried, make] = form(rule, chance);
          const triedWays = compiledWays(tried);
          expect(triedWays).toHaveLength(2);
          for (let round = 0; round < 70; round += 1) differences.push(...(await compare(tried, triedWays, make())));
          forgetRules();
        }
      }
      expect(differences).toEqual([]);
    },
  );

  it('gives the same for classes and values put together at random', { timeout: 60_000 }, async () => {
    const differences: string[] = [];
    const chance = new Chance(42);
    for (let round = 0; round < 600; round += 1) {
      const dto = randomDto(chance, 2);
      const ways = compiledWays(dto);
      for (let time = 0; ways.length > 0 && time < 40; time += 1) {
        differences.push(...(await compare(dto, ways, record(chance, names, 3))));
      }
      forgetRules();
    }
    expect(differences).toEqual([]);
  });

  it('reads messages as a plain copy of them without unset unknown fields would be read', {
    timeout: 60_000,
  }, async () => {
    const differences: string[] = [];
    const chance = new Chance(7);
    const tally = { cases: 0, accepted: 0, refused: 0, left: 0 };
    for (let round = 0; round < 400; round += 1) {
      const dto = randomDto(chance, 2);
      const checker = compiledWays(dto).length > 0 ? new DtoChecker(dto) : undefined;
      for (let time = 0; checker !== undefined && time < 25; time += 1) {
        const one = randomMessage(chance, 3);
        const plain = plainMessage(one);
        for (const [name, of] of Object.entries(plain)) {
          if (!checker.declared.has(name) && isUnset(of)) delete plain[name];
        }
        const expected = await byLibrary(dto, plain);
        const found = outcomeOf(() => checker.readMessage(one));
        if (found === undefined) {
          tally.left += 1;
          continue;
        }
        const differs = difference({ ...found }, { ...expected });
        if (differs !== undefined) differences.push(`${differs}\n${describeValue(found)}\n${describeValue(expected)}`);
        tally.cases += 1;
        if ('violations' in found) tally[found.violations.length === 0 ? 'accepted' : 'refused'] += 1;
      }
      forgetRules();
    }
    expect(differences).toEqual([]);
    expect(tally.cases).toBeGreaterThan(5_000);
    expect(tally.accepted).toBeGreaterThan(100);
    expect(tally.refused).toBeGreaterThan(1_000);
    expect(tally.left).toBeLessThan(tally.cases / 5);
  });

  it("gives what Nest's pipe gives, and leaves the value as that leaves it", { timeout: 60_000 }, async () => {
    class Library extends ValidationPipe {
      constructor() {
        super({ ...nestOptions, exceptionFactory: (errors) => new ValidationError(flatten(errors, '')) });
      }
    }
    const pipes = { found: new StrictValidationPipe(), expected: new Library() };
    const tally = { cases: 0, accepted: 0, refused: 0, compiled: 0 };
    const differences: string[] = [];
    const seeds = new Chance(9);
    for (let round = 0; round < 200; round += 1) {
      const dto = randomDto(seeds, 2);
      for (let time = 0; time < 25; time += 1) {
        const seed = seeds.below(2 ** 31);
        const make = (chance = new Chance(seed)): unknown =>
          chance.oneIn(8) ? randomValue(chance, 2) : record(chance, names, 3);
        const [one, other] = [make(), make()];
        // A promise in the place of the value is no case: Nest waits for it before.
        // One with a type name is taken for a message.
        if (hasThen(one) || (typeof one === 'object' && one !== null && '$typeName' in one)) continue;
        const found = await piped(pipes.found, one, dto, tally);
        const expected = await piped(pipes.expected, other, dto);
        const left = 'thrown' in found ? undefined : difference(one, other, 'value');
        const differs = difference(found, expected) ?? left;
        if (differs !== undefined) differences.push(`${differs}\n${describeValue(found)}\n${describeValue(expected)}`);
        tally.cases += 1;
        tally['instance' in found ? 'accepted' : 'refused'] += 1;
      }
      forgetRules();
    }
    expect(differences).toEqual([]);
    expect(tally.cases).toBeGreaterThan(4_000);
    expect(tally.accepted).toBeGreaterThan(300);
    expect(tally.refused).toBeGreaterThan(1_000);
    expect(tally.compiled).toBeGreaterThan(2_000);
  });

  it('was tried on enough, of all kinds', () => {
    expect(counted.cases).toBeGreaterThanOrEqual(100_000);
    // Both ways count each.
    expect(counted.accepted).toBeGreaterThan(counted.cases / 10);
    expect(counted.refused).toBeGreaterThan(counted.cases / 2);
    expect(counted.left).toBeLessThan(counted.cases / 10);
  });
});
