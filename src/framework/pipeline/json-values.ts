import { type DescEnum, ScalarType } from '@bufbuild/protobuf';
import { base64Decode } from '@bufbuild/protobuf/wire';
import type { FieldViolation } from '../core/index.js';

/** Where the JSON value stood: text (path and query) has only strings, a body has JSON's own types. */
export type Origin = 'body' | 'text';

/** Collects what is wrong while a value is read. */
export type Violations = FieldViolation[];

/**
 * Where a value stands: below `parent`, `undefined` for a field of the request itself. It is changed from one value to
 * the next, and made a text only for what is wrong.
 */
export interface Place {
  readonly parent: Place | undefined;
  /** Name of a property, or index of an item. */
  key: string | number;
}

/** The path of a place: `items[2].name`. */
export function pathText({ parent, key }: Place): string {
  const before = parent === undefined ? '' : pathText(parent);
  if (typeof key === 'number') return `${before}[${key}]`;
  return before === '' ? key : `${before}.${key}`;
}

/** Reads one value of a field; what is wrong with it goes to `violations`, and the result is then `malformed`. */
export type ReadValue = (value: unknown, at: Place, origin: Origin, violations: Violations) => unknown;

/** Stands for a value that could not be read. */
export const malformed = Symbol('malformed');

/** Notes that the value at a place should have been something else. */
export function wrong(at: Place, expectation: string, violations: Violations): typeof malformed {
  const path = pathText(at);
  violations.push({ field: path, rule: 'type', message: `${path} must be ${expectation}` });
  return malformed;
}

/** The reader of an enum: names, and the numbers behind them. */
export function enumReader(desc: DescEnum): ReadValue {
  const byName = new Map(desc.values.map((value) => [value.name, value.number]));
  const names = desc.values.map((value) => value.name).join(', ');
  return (value, at, origin, violations) => {
    const number = typeof value === 'string' ? byName.get(value) : value;
    if (typeof number === 'number' && Number.isInteger(number) && (desc.open || desc.value[number] !== undefined))
      return number;
    if (
      origin === 'text' &&
      typeof value === 'string' &&
      integerText.test(value) &&
      desc.value[Number(value)] !== undefined
    )
      return Number(value);
    return wrong(at, `one of ${names}`, violations);
  };
}

/** What a field of this type holds when the wire leaves it out. */
export function zeroOf(scalar: ScalarType, longAsString: boolean): unknown {
  if (scalar === ScalarType.STRING) return '';
  if (scalar === ScalarType.BOOL) return false;
  if (scalar === ScalarType.BYTES) return Buffer.alloc(0);
  if (longRanges.has(scalar)) return longAsString ? '0' : 0n;
  return 0;
}

const intRanges: ReadonlyMap<ScalarType, readonly [number, number]> = new Map([
  [ScalarType.INT32, [-(2 ** 31), 2 ** 31 - 1] as const],
  [ScalarType.SINT32, [-(2 ** 31), 2 ** 31 - 1] as const],
  [ScalarType.SFIXED32, [-(2 ** 31), 2 ** 31 - 1] as const],
  [ScalarType.UINT32, [0, 2 ** 32 - 1] as const],
  [ScalarType.FIXED32, [0, 2 ** 32 - 1] as const],
]);

const longRanges: ReadonlyMap<ScalarType, readonly [bigint, bigint]> = new Map([
  [ScalarType.INT64, [-(2n ** 63n), 2n ** 63n - 1n] as const],
  [ScalarType.SINT64, [-(2n ** 63n), 2n ** 63n - 1n] as const],
  [ScalarType.SFIXED64, [-(2n ** 63n), 2n ** 63n - 1n] as const],
  [ScalarType.UINT64, [0n, 2n ** 64n - 1n] as const],
  [ScalarType.FIXED64, [0n, 2n ** 64n - 1n] as const],
]);

/** The reader of a scalar type. */
export function scalarReader(scalar: ScalarType, longAsString: boolean): ReadValue {
  const ints = intRanges.get(scalar);
  if (ints !== undefined) return intReader(ints);
  const longs = longRanges.get(scalar);
  if (longs !== undefined) return longReader(longs, longAsString);
  if (scalar === ScalarType.STRING) return readString;
  if (scalar === ScalarType.BOOL) return readBool;
  if (scalar === ScalarType.BYTES) return readBytes;
  return readFloat;
}

const decimalText = /^-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/;

/** The number that `text` says in decimal digits; `undefined` for what else `Number` reads: white space, other bases, too large. */
export function decimalOf(text: string): number | undefined {
  const number = decimalText.test(text) ? Number(text) : Number.NaN;
  return Number.isFinite(number) ? number : undefined;
}

// 4.0 and "4" are integers in the mapping; 4.5 and "four" are not.
const integerText = /^-?\d{1,20}(\.0{1,8})?$/;

function intReader([least, most]: readonly [number, number]): ReadValue {
  return (value, at, _origin, violations) => {
    const number = typeof value === 'string' && integerText.test(value) ? Number(value) : value;
    if (typeof number === 'number' && Number.isInteger(number) && number >= least && number <= most) return number;
    return wrong(at, `an integer between ${least} and ${most}`, violations);
  };
}

function longReader([least, most]: readonly [bigint, bigint], longAsString: boolean): ReadValue {
  return (value, at, _origin, violations) => {
    const isIntegral =
      typeof value === 'number' ? Number.isSafeInteger(value) : typeof value === 'string' && /^-?\d{1,20}$/.test(value);
    const long = isIntegral ? BigInt(value as number | string) : undefined;
    if (long === undefined || long < least || long > most)
      return wrong(at, `an integer between ${least} and ${most}`, violations);
    return longAsString ? long.toString() : long;
  };
}

const readString: ReadValue = (value, at, _origin, violations) =>
  typeof value === 'string' && value.isWellFormed() ? value : wrong(at, 'a string', violations);

const readBool: ReadValue = (value, at, origin, violations) => {
  if (typeof value === 'boolean') return value;
  if (origin === 'text' && (value === 'true' || value === 'false')) return value === 'true';
  return wrong(at, 'true or false', violations);
};

const readFloat: ReadValue = (value, at, _origin, violations) => {
  if (typeof value === 'number') return value;
  if (value === 'NaN' || value === 'Infinity' || value === '-Infinity') return Number(value);
  const number = typeof value === 'string' ? decimalOf(value) : undefined;
  return number ?? wrong(at, 'a number', violations);
};

const readBytes: ReadValue = (value, at, _origin, violations) => {
  if (typeof value !== 'string') return wrong(at, 'base64 text', violations);
  try {
    // A Buffer, not a Uint8Array: class-transformer copies the one and takes the other apart.
    return Buffer.from(base64Decode(value));
  } catch {
    return wrong(at, 'base64 text', violations);
  }
};
