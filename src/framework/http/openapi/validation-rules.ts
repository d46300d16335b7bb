import type { Schema } from './schema.js';

type Translate = (args: readonly unknown[]) => Schema;

const text: Schema = { type: 'string' };
const format =
  (name: string): Translate =>
  () => ({ type: 'string', format: name });
const pattern =
  (source: string): Translate =>
  () => ({ type: 'string', pattern: source });
const number = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined);
const withNumber = (key: keyof Schema, value: unknown): Schema =>
  number(value) === undefined ? {} : { [key]: number(value) };

// By the name that class-validator files a rule under.
const translations: Readonly<Record<string, Translate>> = {
  isString: () => text,
  isNumber: () => ({ type: 'number' }),
  isInt: () => ({ type: 'integer' }),
  isBoolean: () => ({ type: 'boolean' }),
  isArray: () => ({ type: 'array' }),
  isObject: () => ({ type: 'object' }),
  isNotEmptyObject: () => ({ type: 'object', minProperties: 1 }),
  isInstance: () => ({ type: 'object' }),
  isDate: format('date-time'),
  isDefined: () => ({}),
  isNotEmpty: () => ({ minLength: 1 }),
  isEmpty: () => ({ maxLength: 0 }),
  equals: ([value]) => ({ enum: [value] }),
  notEquals: ([value]) => ({ not: { enum: [value] } }),
  isIn: ([values]) => (Array.isArray(values) ? { enum: values } : {}),
  isNotIn: ([values]) => (Array.isArray(values) ? { not: { enum: values } } : {}),
  isEnum: ([entity]) => (typeof entity === 'object' && entity !== null ? { enum: enumValues(entity) } : {}),

  isLength: ([min, max]) => ({ ...text, ...withNumber('minLength', min), ...withNumber('maxLength', max) }),
  minLength: ([min]) => ({ ...text, ...withNumber('minLength', min) }),
  maxLength: ([max]) => ({ ...text, ...withNumber('maxLength', max) }),
  // No character takes less than a byte: the upper bound holds for characters as well.
  isByteLength: ([, max]) => ({ ...text, ...withNumber('maxLength', max) }),
  matches: ([expression, modifiers]) => matches(expression, modifiers),
  contains: ([seed]) => ({ ...text, pattern: escape(String(seed)) }),
  notContains: ([seed]) => ({ ...text, not: { pattern: escape(String(seed)) } }),

  isEmail: format('email'),
  isUrl: format('uri'),
  isUuid: format('uuid'),
  isFqdn: format('hostname'),
  isDateString: format('date-time'),
  isIso8601: format('date-time'),
  isRFC3339: format('date-time'),
  isBase64: format('byte'),
  isIp: ([version]) => ({ ...text, ...(version !== undefined && { format: `ipv${Number(version)}` }) }),
  isJwt: pattern('^[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]*$'),
  isNumberString: pattern('^[+-]?([0-9]*\\.)?[0-9]+$'),
  isBooleanString: () => ({ ...text, enum: ['true', 'false', '1', '0'] }),
  isHexadecimal: pattern('^(0x|0h)?[0-9A-Fa-f]+$'),
  isMongoId: pattern('^[0-9A-Fa-f]{24}$'),
  isMilitaryTime: pattern('^([01][0-9]|2[0-3]):[0-5][0-9]$'),
  isAscii: pattern('^[\\x00-\\x7F]+$'),
  isAlpha: ([locale]) => (locale === undefined || locale === 'en-US' ? { ...text, pattern: '^[A-Za-z]+$' } : text),
  isAlphanumeric: ([locale]) =>
    locale === undefined || locale === 'en-US' ? { ...text, pattern: '^[A-Za-z0-9]+$' } : text,

  min: ([min]) => withNumber('minimum', min),
  max: ([max]) => withNumber('maximum', max),
  isPositive: () => ({ minimum: 0, exclusiveMinimum: true }),
  isNegative: () => ({ maximum: 0, exclusiveMaximum: true }),
  isDivisibleBy: ([divisor]) => withNumber('multipleOf', divisor),

  arrayMinSize: ([min]) => ({ type: 'array', ...withNumber('minItems', min) }),
  arrayMaxSize: ([max]) => ({ type: 'array', ...withNumber('maxItems', max) }),
  arrayNotEmpty: () => ({ type: 'array', minItems: 1 }),
  arrayUnique: () => ({ type: 'array', uniqueItems: true }),
};

/** What a rule of class-validator says in JSON Schema; a rule without a counterpart is named under `x-rules`. */
export function ruleSchema(name: string, args: readonly unknown[]): Schema {
  const translate = Object.hasOwn(translations, name) ? translations[name] : undefined;
  return translate === undefined ? { 'x-rules': [name] } : translate(args);
}

/** The values of a TypeScript enum, without the names that lead back from numbers. */
export function enumValues(entity: object): readonly unknown[] {
  return Object.entries(entity)
    .filter(([name]) => !/^-?\d+$/.test(name))
    .map(([, value]) => value as unknown);
}

// JSON Schema has no flags. Where one changes what the expression means, the expression is told, not used.
function matches(expression: unknown, modifiers: unknown): Schema {
  const source = expression instanceof RegExp ? expression.source : String(expression);
  const flags = `${expression instanceof RegExp ? expression.flags : ''}${typeof modifiers === 'string' ? modifiers : ''}`;
  const isPlain = !/[imsv]/.test(flags) && !(flags.includes('u') && /\\[pP]\{|\\u\{/.test(source));
  return isPlain ? { ...text, pattern: source } : { ...text, 'x-rules': [`matches /${source}/${flags}`] };
}

function escape(seed: string): string {
  return seed.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
