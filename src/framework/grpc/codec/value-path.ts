import type { DescField, DescMessage } from '@bufbuild/protobuf';
import { EncodeError } from './encode-error.js';
import { isJsonStruct, isUnwrapped } from './well-known-fields.js';

/**
 * Encodes a value, or one of its parts, again.
 *
 * @param isInit  whether it may be less than a message, as what `create()` takes
 * @throws what it cannot be encoded for
 */
export type TryEncode = (desc: DescMessage, value: object, isInit: boolean) => void;

type Fields = Readonly<Record<string, unknown>>;

/**
 * Says where in `value` the encoder stopped, such as `items[3].price`: encoders keep no account of where they are, so that
 * those that succeed pay nothing. What lies before the wrong part is encoded once more for each level above it.
 *
 * @returns an error with that path before its message, or `error` itself where it has none
 */
export function withPath(error: unknown, desc: DescMessage, value: unknown, tryEncode: TryEncode): unknown {
  if (!(error instanceof EncodeError) && !(error instanceof TypeError)) return error;
  const search = new Search(tryEncode, error);
  const path = search.pathIn(desc, value, true);
  const { message } = search.error;
  return path === '' ? error : new EncodeError(undefined, `${path}: ${message}`, { cause: error });
}

class Search {
  error: Error;
  readonly #tryEncode: TryEncode;

  constructor(tryEncode: TryEncode, error: Error) {
    this.#tryEncode = tryEncode;
    this.error = error;
  }

  pathIn(desc: DescMessage, value: unknown, mayBeInit: boolean): string {
    if (!isObject(value)) return '';
    const isInit = mayBeInit && value['$typeName'] !== desc.typeName;
    for (const field of desc.fields) {
      const { message } = field;
      if (message === undefined || isJsonStruct({ ...field, message }) || isUnwrapped({ ...field, message })) continue;
      for (const [segment, part] of partsOf(field, valueOf(field, value))) {
        if (!this.#isWrong(message, part, isInit)) continue;
        const rest = this.pathIn(message, part, isInit);
        return `${field.localName}${segment}${rest === '' ? '' : '.'}${rest}`;
      }
    }
    return this.#leafIn(desc, value);
  }

  #isWrong(desc: DescMessage, part: unknown, isInit: boolean): boolean {
    if (part === undefined || (part === null && isInit)) return false;
    try {
      this.#tryEncode(desc, part as object, isInit);
      return false;
    } catch (error) {
      if (error instanceof Error) this.error = error;
      return true;
    }
  }

  /** The field or oneof of this message that the error names, and its element. */
  #leafIn(desc: DescMessage, value: Fields): string {
    const { error } = this;
    const named = error instanceof EncodeError ? error.field : undefined;
    const member = [...desc.fields, ...desc.oneofs].find((each) => `${desc.typeName}.${each.name}` === named);
    if (member === undefined) return '';
    if (member.kind === 'oneof') return member.localName;
    for (const [segment, part] of partsOf(member, valueOf(member, value))) {
      if (segment !== '' && this.#isWrongAlone(desc, member, segment, part)) return `${member.localName}${segment}`;
    }
    return member.localName;
  }

  #isWrongAlone(desc: DescMessage, field: DescField, segment: string, part: unknown): boolean {
    const whole = field.fieldKind === 'map' ? { [keyOf(segment)]: part } : [part];
    try {
      this.#tryEncode(desc, { [field.localName]: whole }, true);
      return false;
    } catch (error) {
      return error instanceof EncodeError && this.error instanceof EncodeError && error.field === this.error.field;
    }
  }
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null;
}

function valueOf(field: DescField, message: Fields): unknown {
  if (field.oneof === undefined) return message[field.localName];
  const choice = message[field.oneof.localName];
  return isObject(choice) && choice['case'] === field.localName ? choice['value'] : undefined;
}

function* partsOf(field: DescField, value: unknown): Iterable<[segment: string, part: unknown]> {
  if (field.fieldKind === 'list') {
    if (Array.isArray(value)) for (const [index, part] of value.entries()) yield [`[${index}]`, part];
  } else if (field.fieldKind === 'map') {
    if (isObject(value)) for (const [key, part] of Object.entries(value)) yield [`[${JSON.stringify(key)}]`, part];
  } else {
    yield ['', value];
  }
}

function keyOf(segment: string): string {
  return JSON.parse(segment.slice(1, -1)) as string;
}
