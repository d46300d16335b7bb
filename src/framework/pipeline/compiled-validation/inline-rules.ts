import { isEmail, length } from 'class-validator';
import type { Rule } from './rule.js';

/** Gives a value a name in the generated text. */
export type Refer = (value: unknown) => string;

/** The check of one value as an expression over `v`, or undefined where the constraints are not the usual ones. */
type Inline = (constraints: readonly unknown[], refer: Refer) => string | undefined;

const isNumeral = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);

function compared(test: string): Inline {
  return ([limit]) => (isNumeral(limit) ? test.replace('$', String(limit)) : undefined);
}

function always(test: string): Inline {
  return () => test;
}

function lengthBetween(min: unknown, max: unknown, refer: Refer): string | undefined {
  if (!isNumeral(min) || min < 0) return undefined;
  if (max !== undefined && !isNumeral(max)) return undefined;
  return `(typeof v === 'string' && ${refer(hasLength)}(v, ${String(min)}, ${String(max ?? Number.MAX_SAFE_INTEGER)}))`;
}

// The list itself, not its values: it may grow later.
const oneOf: Inline = ([values], refer) =>
  Array.isArray(values) ? `(v === v && ${refer(values)}.includes(v))` : undefined;

// The list of an enum is made anew by each check of class-validator; enums do not lose values.
const oneOfEnum: Inline = ([entity], refer) =>
  typeof entity === 'object' && entity !== null ? `${refer(new Set(Object.values(entity)))}.has(v)` : undefined;

/**
 * The rules that are cheaper than a call: by the name that class-validator gives them, with the message that tells its
 * own decorator from one of the same name, and the expression.
 */
const inlines: Readonly<Record<string, { readonly message: string; readonly inline: Inline }>> = {
  isDefined: { message: 'should not be null or undefined', inline: always('(v !== undefined && v !== null)') },
  isEmpty: { message: 'must be empty', inline: always("(v === '' || v === null || v === undefined)") },
  isNotEmpty: { message: 'should not be empty', inline: always("(v !== '' && v !== null && v !== undefined)") },
  isString: { message: 'must be a string', inline: always("(typeof v === 'string' || v instanceof String)") },
  isBoolean: { message: 'must be a boolean value', inline: always("(typeof v === 'boolean' || v instanceof Boolean)") },
  isInt: { message: 'must be an integer number', inline: always('Number.isInteger(v)') },
  isPositive: { message: 'must be a positive number', inline: always("(typeof v === 'number' && v > 0)") },
  isNegative: { message: 'must be a negative number', inline: always("(typeof v === 'number' && v < 0)") },
  isArray: { message: 'must be an array', inline: always('Array.isArray(v)') },
  isObject: {
    message: 'must be an object',
    inline: always("(v !== null && (typeof v === 'object' || typeof v === 'function') && !Array.isArray(v))"),
  },
  isDate: { message: 'must be a Date instance', inline: always('(v instanceof Date && !Number.isNaN(v.getTime()))') },
  min: { message: 'must not be less than $constraint1', inline: compared("(typeof v === 'number' && v >= $)") },
  max: { message: 'must not be greater than $constraint1', inline: compared("(typeof v === 'number' && v <= $)") },
  arrayNotEmpty: { message: 'should not be empty', inline: always('(Array.isArray(v) && v.length > 0)') },
  arrayMinSize: {
    message: 'must contain at least $constraint1 elements',
    inline: compared('(Array.isArray(v) && v.length >= $)'),
  },
  arrayMaxSize: {
    message: 'must contain no more than $constraint1 elements',
    inline: compared('(Array.isArray(v) && v.length <= $)'),
  },
  isLength: {
    message: 'longer than or equal to $constraint1',
    inline: ([min, max], refer) => lengthBetween(min, max, refer),
  },
  minLength: {
    message: 'longer than or equal to $constraint1',
    inline: ([min], refer) => lengthBetween(min, undefined, refer),
  },
  maxLength: {
    message: 'shorter than or equal to $constraint1',
    inline: ([max], refer) => lengthBetween(0, max, refer),
  },
  isNumber: {
    message: 'must be a number conforming',
    inline: ([options]) =>
      typeof options === 'object' && options !== null && Object.keys(options).length === 0
        ? 'Number.isFinite(v)'
        : undefined,
  },
  isIn: { message: 'must be one of the following values: $constraint1', inline: oneOf },
  isEnum: { message: 'must be one of the following values: $constraint2', inline: oneOfEnum },
  equals: { message: 'must be equal to $constraint1', inline: ([value], refer) => `(v === ${refer(value)})` },
  notEquals: { message: 'should not be equal to $constraint1', inline: ([value], refer) => `(v !== ${refer(value)})` },
  matches: {
    message: 'must match $constraint1 regular expression',
    // With `g` or `y` an expression remembers where it stopped.
    inline: ([pattern], refer) =>
      pattern instanceof RegExp && !pattern.global && !pattern.sticky
        ? `(typeof v === 'string' && ${refer(pattern)}.test(v))`
        : undefined,
  },
  isEmail: {
    message: 'must be an email',
    inline: ([options], refer) =>
      options === undefined ? `(typeof v === 'string' && ${refer(isPlainEmail)}(v))` : undefined,
  },
};

// Variation selectors and the second half of a surrogate pair do not count towards class-validator's length.
function hasLength(text: string, min: number, max: number): boolean {
  if (text.length < min) return false;
  if (text.length <= max) {
    let counted = 0;
    for (let index = 0; counted < min && index < text.length; index += 1) {
      const unit = text.charCodeAt(index);
      if (unit < 0xdc00 || (unit > 0xdfff && unit !== 0xfe0e && unit !== 0xfe0f)) counted += 1;
    }
    if (counted >= min) return true;
  }
  return length(text, min, max);
}

// Addresses of letters, digits and single separators, short enough for every limit: the others get the whole check.
const plainEmail = /^[a-z\d]+(?:[._+-][a-z\d]+)*@(?:[a-z\d]+(?:-[a-z\d]+)*\.)+[a-z]{2,}$/i;

function isPlainEmail(text: string): boolean {
  return (text.length <= 64 && plainEmail.test(text)) || isEmail(text);
}

/**
 * The expression over `v` that stands for a rule, if it has one. It is tried on values around the rule's limits first,
 * and given up if the registered validator sees one of them otherwise: a decorator of the user's, or another version.
 */
export function inlineOf(rule: Rule, refer: Refer): string | undefined {
  const [constraint, ...more] = rule.constraints;
  const known = constraint === undefined ? undefined : inlines[constraint.name];
  if (constraint === undefined || known === undefined || more.length > 0) return undefined;
  const constraints: readonly unknown[] = rule.metadata.constraints ?? [];
  try {
    const told = constraint.instance().defaultMessage?.({
      targetName: '',
      property: rule.metadata.propertyName,
      object: {},
      value: '',
      constraints: [...constraints],
    });
    if (told?.includes(known.message) !== true) return undefined;
    const references: unknown[] = [];
    const text = known.inline(constraints, (value) => `r[${String(references.push(value) - 1)}]`);
    if (text === undefined) return undefined;
    // oxlint-disable-next-line typescript/no-implied-eval
    const tried = new Function('r', 'v', `return ${text}`) as (references: unknown[], value: unknown) => boolean;
    const agrees = samplesFor(constraints).every(
      (value) => tried(references, value) === constraint.accepts({}, value, value),
    );
    return agrees ? known.inline(constraints, refer) : undefined;
  } catch {
    return undefined;
  }
}

const samples: readonly unknown[] = [
  ...[undefined, null, true, false, 0, -0, 1, -1, 0.5, 1e21, Number.NaN, Infinity, -Infinity, 5n, Symbol('sample')],
  ...['', ' ', 'a', '0', 'abc', 'a@b.co', 'a.b@c.d', '👍', '❤️', '\u{FE0F}'],
  ...[[], [1], ['a', 'b'], {}, { a: 1 }, new Date(0), new Date(Number.NaN), () => 1],
  // Boxed, as class-validator knows them.
  ...([Object('a'), Object(1), Object(true)] as unknown[]),
];

function samplesFor(constraints: readonly unknown[]): unknown[] {
  const near = constraints.flatMap((limit): unknown[] => {
    if (Array.isArray(limit)) return limit;
    if (typeof limit !== 'number') return [limit];
    const around = [limit - 1, limit, limit + 1];
    const sizes = around.filter((size) => Number.isInteger(size) && size >= 0 && size <= 1_000);
    return [...around, ...sizes.flatMap((size) => ['a'.repeat(size), '👍'.repeat(size), Array.from({ length: size })])];
  });
  return [...samples, ...near];
}
