import { plainValue } from '../plain-message.js';
import { notHere } from './rule.js';

/** Where values come from: what class-transformer would have been given, and what it would have made of it. */
export interface ValueSource {
  /** Where the value is undefined, the property keeps what the class itself gives it. */
  readonly keepsDefaults: boolean;
  /** Own properties that are none of the value's. */
  readonly ignored: ReadonlySet<string>;
  /** Own properties that only the libraries know how to treat. */
  readonly refused: ReadonlySet<string>;
  /** Leaves to the libraries what their copies leave out, such as holes in arrays: Nest's pipe alters the value there. */
  readonly isWhole: boolean;
  /** Whether an object, no array, is one whose properties are read; `special` copies the others. */
  readonly isRecord: (value: object) => boolean;
  readonly special: (value: object) => unknown;
  /** What `String()` and the like are given in the place of an object. */
  readonly toPlain: (value: unknown) => unknown;
}

function isPlainRecord(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return false;
  return typeof (value as { then?: unknown }).then !== 'function';
}

function copySpecial(value: object): unknown {
  if (value instanceof Date) return new Date(value.valueOf());
  if (value instanceof Buffer) return Buffer.from(value);
  throw notHere;
}

/** Plain objects as `@Input()` makes them. */
export const plainSource: ValueSource = {
  keepsDefaults: true,
  ignored: new Set(['__proto__', 'constructor']),
  refused: new Set(),
  isWhole: false,
  isRecord: isPlainRecord,
  special: copySpecial,
  toPlain: (value) => value,
};

/** Whatever Nest's own pipe is given; it deletes from the value what could reach a prototype, and closes holes. */
export const pipeSource: ValueSource = {
  ...plainSource,
  keepsDefaults: false,
  ignored: new Set(),
  refused: new Set(['__proto__', 'constructor', 'prototype']),
  isWhole: true,
  // Bytes in the place of an object are told by Nest before everything else.
  special: (value) => {
    if (value instanceof Date) return copySpecial(value);
    throw notHere;
  },
};

/** Messages of protobuf-es as they were decoded. */
export const messageSource: ValueSource = {
  keepsDefaults: true,
  ignored: new Set(['__proto__', 'constructor', '$typeName', '$unknown']),
  refused: new Set(),
  isWhole: false,
  isRecord: (value) => !(value instanceof Uint8Array),
  special: (value) => Buffer.from(value as Uint8Array),
  toPlain: plainValue,
};

/** The elements that are there, as `forEach` visits them. */
export function mapElements(
  source: ValueSource,
  elements: readonly unknown[],
  convert: (element: unknown) => unknown,
): unknown[] {
  const result: unknown[] = [];
  for (let index = 0; index < elements.length; index += 1) {
    const element = elements[index];
    if (element !== undefined || index in elements) result.push(convert(element));
    else if (source.isWhole) throw notHere;
  }
  return result;
}

/** Makes the copies of values whose class is not known. */
export function copierOf(source: ValueSource): (value: unknown) => unknown {
  const copy = (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return mapElements(source, value, copy);
    if (!source.isRecord(value)) return source.special(value);
    const result: Record<string, unknown> = {};
    for (const key of Object.keys(value)) {
      // Without a class to make, class-transformer takes the property `constructor` for it.
      if (key === 'constructor' || source.refused.has(key)) throw notHere;
      if (source.ignored.has(key)) continue;
      if (key in result) {
        if (source.isWhole) throw notHere;
        continue;
      }
      result[key] = copy((value as Record<string, unknown>)[key]);
    }
    return result;
  };
  return copy;
}
