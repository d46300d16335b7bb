// RFC 7541 sections 4.2 and 6, encoding of header blocks.
import { defaultTableBytes } from './dynamic-table.js';
import { Indexing, type IndexingPolicy, RepeatedFields, untabled } from './indexing.js';
import { maxIntegerBytes, writeInteger } from './integer.js';
import { SearchableTable } from './searchable-table.js';
import { entryOverheadBytes, firstDynamicIndex, staticByName } from './static-table.js';
import { maxStringBytes, writeString } from './string-literal.js';

/** A header field. Names are lower case; names and values consist of the characters U+0000 to U+00FF, one per octet. */
export interface HeaderField {
  readonly name: string;
  readonly value: string;
}

export interface HpackEncoderOptions {
  /** Bound of the dynamic table in octets, however much the peer allows; 0 for none. */
  readonly maxTableBytes: number;
  /** What enters the dynamic table; without it what repeats. */
  readonly indexing?: IndexingPolicy;
  /** Whether strings that get shorter by it are sent in Huffman code; true without it. */
  readonly huffman?: boolean;
}

/** Size updates that can stand at the beginning of a block. */
const maxUpdatesBytes = 2 * maxIntegerBytes;

/** What a list that never changes came to the last time. */
interface FixedList {
  /** The table's next serial number, behind the list. */
  readonly serial: number;
  /** `undefined` while it is not sure that it will be the same the next time. */
  readonly octets: Buffer | undefined;
  readonly maxBytes: number;
}

/** An application answers with few statuses; a connection keeps no more than these. */
const maxFixedLists = 4;

/**
 * The header compression of one direction of one connection, sending side. Blocks must be sent in the order in which
 * they were encoded, each whole.
 */
export class HpackEncoder {
  readonly #maxTableBytes: number;
  readonly #indexing: IndexingPolicy;
  readonly #huffman: boolean;
  readonly #table: SearchableTable;
  /** The lowest and the last size since the last block, when they are still to be sent. */
  #lowestBytes: number;
  #nextBytes: number;
  readonly #fixed = new Map<readonly HeaderField[], FixedList>();

  constructor({ maxTableBytes, indexing = new RepeatedFields(), huffman = true }: HpackEncoderOptions) {
    this.#maxTableBytes = maxTableBytes;
    this.#indexing = indexing;
    this.#huffman = huffman;
    this.#table = new SearchableTable(defaultTableBytes);
    this.#nextBytes = Math.min(maxTableBytes, defaultTableBytes);
    this.#lowestBytes = this.#nextBytes;
  }

  /** The peer's SETTINGS_HEADER_TABLE_SIZE, any 32-bit number; the next block begins with the size update. */
  setMaxTableBytes(bytes: number): void {
    this.#nextBytes = Math.min(bytes, this.#maxTableBytes);
    this.#lowestBytes = Math.min(this.#lowestBytes, this.#nextBytes);
  }

  /** Lets go of what the next blocks may do without. */
  rest(): void {
    this.#fixed.clear();
    this.#indexing.rest?.();
  }

  /** Octets that a block with these fields takes at most. */
  maxEncodedBytes(fields: readonly HeaderField[]): number {
    let bytes = maxUpdatesBytes;
    for (const { name, value } of fields) bytes += maxIntegerBytes + maxStringBytes(name) + maxStringBytes(value);
    return bytes;
  }

  /** Writes a header block, for which `target` must have `maxEncodedBytes`, and returns the offset behind it. */
  encode(fields: readonly HeaderField[], target: Buffer, offset: number): number {
    return this.encodeMore(fields, target, this.#writeSizeUpdates(target, offset));
  }

  /** Octets that `encodeFixed()` takes at most. */
  maxFixedBytes(fields: readonly HeaderField[]): number {
    return this.#fixed.get(fields)?.maxBytes ?? this.maxEncodedBytes(fields);
  }

  /**
   * Begins a block as `encode()` does, with a list that is sent often and never changes; `encodeMore()` goes on. As long
   * as nothing enters the table, the list comes to the same octets.
   */
  encodeFixed(fields: readonly HeaderField[], target: Buffer, offset: number): number {
    const start = this.#writeSizeUpdates(target, offset);
    const { nextSerial } = this.#table;
    const known = this.#fixed.get(fields);
    if (known?.serial === nextSerial && known.octets !== undefined) {
      target.set(known.octets, start);
      return start + known.octets.length;
    }
    const end = this.encodeMore(fields, target, start);
    // What repeats enters the table the second time: not before it has come twice to the same is it so for good.
    const isSteady = known?.serial === nextSerial && this.#table.nextSerial === nextSerial;
    const octets = isSteady ? Buffer.from(target.subarray(start, end)) : undefined;
    if (known === undefined && this.#fixed.size >= maxFixedLists) this.#fixed.clear();
    const maxBytes = known?.maxBytes ?? this.maxEncodedBytes(fields);
    this.#fixed.set(fields, { serial: this.#table.nextSerial, octets, maxBytes });
    return end;
  }

  /** Goes on with a block. */
  encodeMore(fields: readonly HeaderField[], target: Buffer, offset: number): number {
    let at = offset;
    for (let position = 0; position < fields.length; position += 1) {
      const { name, value } = fields[position] as HeaderField;
      at = this.#writeField(target, at, name, value);
    }
    return at;
  }

  /**
   * Writes a block made by `precompute`, with the size updates that are due in front of it. Takes at most 12 octets
   * more than the block has.
   */
  appendPrecomputed(block: Uint8Array, target: Buffer, offset: number): number {
    const at = this.#writeSizeUpdates(target, offset);
    target.set(block, at);
    return at + block.length;
  }

  /** When the size went down and up again, both must be told: the entries in between are gone, section 4.2. */
  #writeSizeUpdates(target: Buffer, offset: number): number {
    const table = this.#table;
    if (this.#nextBytes === table.maxBytes && this.#lowestBytes === table.maxBytes) return offset;
    // Entries may leave the table by it.
    this.#fixed.clear();
    let at = offset;
    if (this.#lowestBytes < this.#nextBytes && this.#lowestBytes < table.maxBytes) {
      table.resize(this.#lowestBytes);
      at = writeInteger(target, at, 0x20, 0x1f, this.#lowestBytes);
    }
    table.resize(this.#nextBytes);
    this.#lowestBytes = this.#nextBytes;
    return writeInteger(target, at, 0x20, 0x1f, this.#nextBytes);
  }

  #writeField(target: Buffer, offset: number, name: string, value: string): number {
    const known = staticByName.get(name);
    const staticIndex = known?.values.get(value);
    if (staticIndex !== undefined) return writeInteger(target, offset, 0x80, 0x7f, staticIndex);
    const age = this.#table.find(name, value);
    if (age >= 0) return writeInteger(target, offset, 0x80, 0x7f, firstDynamicIndex + age);
    return this.#writeLiteral(target, offset, name, value, known?.index ?? this.#dynamicNameIndex(name));
  }

  #dynamicNameIndex(name: string): number {
    const age = this.#table.findName(name);
    return age < 0 ? 0 : firstDynamicIndex + age;
  }

  /** @param nameIndex 0 when no table has the name */
  #writeLiteral(target: Buffer, offset: number, name: string, value: string, nameIndex: number): number {
    const table = this.#table;
    let indexing = this.#indexing.choose(name, value);
    // One entry is not worth half of all others.
    const isTooLarge = (name.length + value.length + entryOverheadBytes) * 2 > table.maxBytes;
    if (indexing === Indexing.Incremental && isTooLarge) indexing = Indexing.Without;
    let at = writeInteger(target, offset, indexing, indexing === Indexing.Incremental ? 0x3f : 0x0f, nameIndex);
    if (nameIndex === 0) at = writeString(target, at, name, this.#huffman);
    if (indexing === Indexing.Incremental) table.insert(name, value);
    return writeString(target, at, value, this.#huffman);
  }
}

/**
 * A header block that neither reads nor changes a dynamic table: made once, it is right on every connection whose next
 * block needs no size update; `HpackEncoder.appendPrecomputed` takes care of that.
 */
export function precompute(fields: readonly HeaderField[]): Buffer {
  const encoder = new HpackEncoder({ maxTableBytes: defaultTableBytes, indexing: untabled });
  const target = Buffer.alloc(encoder.maxEncodedBytes(fields));
  return target.subarray(0, encoder.encode(fields, target, 0));
}
