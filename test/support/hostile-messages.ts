import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';

/** Numbers in [0, 1) that are the same for the same seed. */
export type Random = () => number;

/** @see https://github.com/cprosche/mulberry32 */
export function randomOf(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  return Buffer.from([...bytes, rest]);
}

export const tag = (no: number, wireType: number): Buffer => varint(no * 8 + wireType);

export function delimited(no: number, data: Buffer): Buffer {
  return Buffer.concat([tag(no, 2), varint(data.length), data]);
}

/** `pattern` again and again, in at most `size` bytes. */
export function repeatedTo(size: number, pattern: Buffer): Buffer {
  if (pattern.length === 0) return pattern;
  return Buffer.alloc(Math.max(1, Math.floor(size / pattern.length)) * pattern.length, pattern);
}

// Texts that are short, or dear to decode: U+FFFD as sent, characters of several bytes, and one more than is put together
// character by character.
const texts = ['', 'a', 'ab', '\u{fffd}', 'é', '漢', `${'a'.repeat(31)}é`, '\u{fffd}'.repeat(20)].map((text) =>
  Buffer.from(text),
);

function scalar(type: ScalarType, random: Random): { wireType: number; data: Buffer } {
  switch (type) {
    case ScalarType.STRING:
    case ScalarType.BYTES: {
      const data = texts[Math.floor(random() * texts.length)] as Buffer;
      return { wireType: 2, data: Buffer.concat([varint(data.length), data]) };
    }
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return { wireType: 1, data: Buffer.alloc(8, Math.floor(random() * 256)) };
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return { wireType: 5, data: Buffer.alloc(4, Math.floor(random() * 256)) };
    default:
      return { wireType: 0, data: varint(Math.floor(random() * (random() < 0.5 ? 128 : 2 ** 40))) };
  }
}

/** Messages of one type that are made to cost as much as they can for their bytes. */
export class HostileMessages {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  /** A message of about `size` bytes. */
  of(desc: DescMessage, size: number): Buffer {
    const shapes = [
      () => this.#unknown(size),
      () => this.#oneField(desc, size),
      () => this.#oneField(desc, size),
      () => this.#mixed(desc, size),
      () => this.#deep(desc, size),
      () => Buffer.from(Array.from({ length: Math.min(size, 4096) }, () => Math.floor(this.#random() * 256))),
    ];
    return (this.#pick(shapes) as () => Buffer)();
  }

  #pick<T>(items: readonly T[]): T | undefined {
    return items[Math.floor(this.#random() * items.length)];
  }

  #unknown(size: number): Buffer {
    const no = 1 + Math.floor(this.#random() * 0x1fff_ffff);
    const short = 2000 + Math.floor(this.#random() * 40);
    const patterns = [
      Buffer.from([0x78, 0x01]),
      Buffer.concat([tag(short, 0), varint(1)]),
      delimited(no, Buffer.alloc(0)),
      Buffer.concat([tag(no, 5), Buffer.alloc(4)]),
      // Groups: empty, within each other, and with many fields.
      Buffer.concat([tag(short, 3), tag(short, 4)]),
      Buffer.concat([
        ...Array.from({ length: 90 }, () => tag(7000, 3)),
        ...Array.from({ length: 90 }, () => tag(7000, 4)),
      ]),
      Buffer.concat([tag(short, 3), repeatedTo(size, Buffer.from([0x78, 0x01])), tag(short, 4)]),
      // Each with a number of its own.
      Buffer.concat(Array.from({ length: 1000 }, (_, index) => Buffer.concat([tag(5000 + index, 0), varint(1)]))),
    ];
    return repeatedTo(size, this.#pick(patterns) as Buffer);
  }

  /** One field, or two in turn, again and again. */
  #oneField(desc: DescMessage, size: number): Buffer {
    const field = this.#pick(desc.fields);
    if (field === undefined) return this.#unknown(size);
    const other = this.#random() < 0.3 ? this.#pick(desc.fields) : undefined;
    const pattern = [this.#record(field, size, 3), ...(other === undefined ? [] : [this.#record(other, 20, 1)])];
    if (field.fieldKind === 'map') return this.#entries(field, size);
    return repeatedTo(size, Buffer.concat(pattern));
  }

  #mixed(desc: DescMessage, size: number): Buffer {
    if (desc.fields.length === 0) return this.#unknown(size);
    const records = Array.from({ length: 40 }, () => this.#record(this.#pick(desc.fields) as DescField, 30, 2));
    return repeatedTo(size, Buffer.concat(records));
  }

  /** Messages within each other, as deep as allowed or deeper, each with a little besides. */
  #deep(desc: DescMessage, size: number): Buffer {
    const field = this.#pick(desc.fields.filter(({ message }) => message === desc)) ?? this.#pick(desc.fields);
    if (field?.message === undefined) return this.#oneField(desc, size);
    let data: Buffer = Buffer.alloc(0);
    const depth = this.#pick([10, 90, 110]) as number;
    const isEntry = field.fieldKind === 'map';
    for (let level = 0; level < depth && data.length < size; level++)
      data = delimited(field.number, isEntry ? delimited(2, data) : data);
    return repeatedTo(size, data);
  }

  #record(field: DescField, size: number, levels: number): Buffer {
    const { number: no } = field;
    if (field.fieldKind === 'map') return this.#entries(field, Math.min(size, 60));
    if (field.message !== undefined) return this.#message(field, no, size, levels);
    const type = field.fieldKind === 'enum' || field.scalar === undefined ? ScalarType.INT32 : field.scalar;
    const { wireType, data } = scalar(type, this.#random);
    if (field.fieldKind === 'list' && wireType !== 2 && this.#random() < 0.6)
      return delimited(no, this.#random() < 0.2 ? Buffer.alloc(0) : repeatedTo(size, data));
    return Buffer.concat([tag(no, wireType), data]);
  }

  #message(field: DescField & { message?: DescMessage }, no: number, size: number, levels: number): Buffer {
    const inner = field.message as DescMessage;
    const isEmpty = levels === 0 || this.#random() < 0.4;
    const data = isEmpty ? Buffer.alloc(0) : this.#inner(inner, Math.floor(size * this.#random() * 0.1), levels - 1);
    const isGroup = 'delimitedEncoding' in field && field.delimitedEncoding;
    return isGroup ? Buffer.concat([tag(no, 3), data, tag(no, 4)]) : delimited(no, data);
  }

  #inner(desc: DescMessage, size: number, levels: number): Buffer {
    const field = this.#pick(desc.fields);
    if (field === undefined) return Buffer.alloc(0);
    const record = this.#record(field, size, levels);
    return this.#random() < 0.5 ? record : repeatedTo(size, record);
  }

  /** Entries with keys of their own, the same key, none, or keys that are indices far from each other. */
  #entries(field: DescField & { fieldKind: 'map' }, size: number): Buffer {
    const mode = Math.floor(this.#random() * 4);
    const parts: Buffer[] = [];
    let bytes = 0;
    for (let count = 0; bytes < size && count < 4000; count++) {
      const number = mode === 0 ? count : mode === 1 ? 7 : 1000 * (count + 1) + 20;
      const key = mode === 3 ? Buffer.alloc(0) : this.#key(field.mapKey, number);
      const part = delimited(
        field.number,
        Buffer.concat([key, this.#random() < 0.3 ? delimited(2, Buffer.alloc(0)) : Buffer.alloc(0)]),
      );
      parts.push(part);
      bytes += part.length;
    }
    return Buffer.concat(parts);
  }

  #key(type: ScalarType, number: number): Buffer {
    if (type === ScalarType.STRING) return delimited(1, Buffer.from(String(number)));
    const { wireType } = scalar(type, this.#random);
    if (wireType === 0) return Buffer.concat([tag(1, 0), varint(number)]);
    const data = Buffer.alloc(wireType === 1 ? 8 : 4);
    data.writeUInt32LE(number);
    return Buffer.concat([tag(1, wireType), data]);
  }
}
