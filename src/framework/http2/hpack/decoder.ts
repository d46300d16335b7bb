// RFC 7541 sections 3 and 6, decoding of header blocks.
import { DynamicTable, defaultTableBytes } from './dynamic-table.js';
import { HpackError } from './hpack-error.js';
import { Cursor, readInteger } from './integer.js';
import { RecentLiterals } from './recent-literals.js';
import { entryOverheadBytes, firstDynamicIndex, staticNames, staticValues } from './static-table.js';
import { readString, skipString } from './string-literal.js';

/** Two say the lowest and the last of the sizes since the block before, RFC 7541 section 4.2; more say nothing. */
const maxSizeUpdates = 2;

/** The first octets of literals that must not be indexed are from here on; those merely without indexing are below. */
const neverIndexed = 0x10;

/**
 * Judges a field. Called once per literal in the block, and once in the process per entry of the static table: the
 * number is kept with the entry, so that a field that comes again by its index is not looked at again.
 */
export type JudgeField = (name: string, value: string) => number;

/**
 * Called for each field.
 *
 * @param mark what `judgeField` said of it; 0 without one
 */
export type OnField = (name: string, value: string, mark: number) => void;

export interface HpackDecoderOptions {
  /** The SETTINGS_HEADER_TABLE_SIZE that we announce; 4096 unless announced. */
  readonly maxTableBytes: number;
  /** The sum of name + value + 32 of all fields that a block may have, RFC 9113 section 6.5.2. */
  readonly maxListBytes: number;
  /** Checks and classifies fields; must not throw. */
  readonly judgeField?: JudgeField;
}

/**
 * The header compression of one direction of one connection, receiving side.
 *
 * After an `HpackError` the dynamic table is no longer known to be right: end the connection with COMPRESSION_ERROR.
 */
export class HpackDecoder {
  readonly #cursor = new Cursor();
  readonly #table = new DynamicTable(defaultTableBytes);
  readonly #announcedBytes: number;
  readonly #maxListBytes: number;
  readonly #judgeField: JudgeField;
  readonly #staticMarks: Int32Array;
  #recent: RecentLiterals | undefined;
  #maxTableBytes: number;
  #listBytes = 0;

  constructor({ maxTableBytes, maxListBytes, judgeField = unjudged }: HpackDecoderOptions) {
    this.#announcedBytes = maxTableBytes;
    // Until the peer has seen our SETTINGS it may use the table that everybody has.
    this.#maxTableBytes = Math.max(maxTableBytes, defaultTableBytes);
    this.#maxListBytes = maxListBytes;
    this.#judgeField = judgeField;
    this.#staticMarks = staticMarksOf(judgeField);
  }

  /** Names, values and 32 for each field of the block decoded last, delivered or not. */
  get listBytes(): number {
    return this.#listBytes;
  }

  /**
   * The peer has acknowledged the SETTINGS with our table size. Matters when that is below 4096: from now on the table
   * must be that small, and the next block must begin by saying so (RFC 9113 section 4.3.1).
   */
  settingsAcknowledged(): void {
    this.#maxTableBytes = this.#announcedBytes;
  }

  /** Lets go of what only saves time; it comes back with the next blocks. */
  rest(): void {
    this.#recent = undefined;
  }

  /**
   * Decodes one whole header block, `block[start, end)`, and calls `onField` for each field in order, before the next
   * is read. Names and values are octets as the characters U+0000 to U+00FF, and nothing else is checked.
   *
   * @returns `list-too-large` when the fields exceed `maxListBytes`: those from there on are not delivered. The block
   *          is decoded to its end all the same, so that the dynamic table stays right and the connection can go on
   * @throws HpackError malformed input, an index without an entry, or a table size that we did not allow
   */
  decode(block: Uint8Array, start: number, end: number, onField: OnField): 'ok' | 'list-too-large' {
    const cursor = this.#cursor;
    cursor.at = start;
    this.#listBytes = 0;
    this.#readSizeUpdates(block, end);
    while (cursor.at < end) {
      const first = block[cursor.at] as number;
      if (first >= 0x80) this.#indexed(readInteger(block, end, cursor, 0x7f), onField);
      else this.#literal(block, end, first, onField);
    }
    return this.#listBytes > this.#maxListBytes ? 'list-too-large' : 'ok';
  }

  /** Section 6.3; only the beginning of a block has them. */
  #readSizeUpdates(block: Uint8Array, end: number): void {
    const cursor = this.#cursor;
    for (let updates = 1; cursor.at < end && ((block[cursor.at] as number) & 0xe0) === 0x20; updates += 1) {
      const bytes = readInteger(block, end, cursor, 0x1f);
      if (updates > maxSizeUpdates) throw new HpackError(`more than ${maxSizeUpdates} table size updates in a block`);
      if (bytes > this.#maxTableBytes) {
        throw new HpackError(`table size update: ${bytes} (expected: <= ${this.#maxTableBytes})`);
      }
      this.#table.resize(bytes);
    }
    if (this.#table.maxBytes > this.#maxTableBytes) {
      throw new HpackError(`table size update missing (expected: one to <= ${this.#maxTableBytes})`);
    }
  }

  /** Section 6.1. */
  #indexed(index: number, onField: OnField): void {
    if (index >= firstDynamicIndex) {
      const table = this.#table;
      const slot = table.slotAt(index - firstDynamicIndex);
      if (slot < 0) throw noEntry(index);
      this.#deliver(table.nameIn(slot), table.valueIn(slot), table.markIn(slot), onField);
    } else {
      if (index === 0) throw noEntry(index);
      const mark = this.#staticMarks[index] as number;
      this.#deliver(staticNames[index] as string, staticValues[index] as string, mark, onField);
    }
  }

  /** Section 6.2: with incremental indexing 01, without indexing 0000, never indexed 0001. */
  #literal(block: Uint8Array, end: number, first: number, onField: OnField): void {
    const cursor = this.#cursor;
    const isIndexed = first >= 0x40;
    if (!isIndexed && first >= 0x20) throw new HpackError('table size update behind a field');
    const index = readInteger(block, end, cursor, isIndexed ? 0x3f : 0x0f);
    if (!isIndexed && this.#listBytes > this.#maxListBytes) {
      // Neither to be delivered nor to be kept: no text is made of it.
      if (index === 0) skipString(block, end, cursor);
      else this.#nameAt(index);
      skipString(block, end, cursor);
      return;
    }
    const name = index === 0 ? readString(block, end, cursor) : this.#nameAt(index);
    if (first < neverIndexed && index !== 0) {
      this.#mayHaveComeBefore(block, end, name, onField);
      return;
    }
    const value = readString(block, end, cursor);
    const mark = this.#judgeField(name, value);
    if (isIndexed) this.#table.add(name, value, mark);
    this.#deliver(name, value, mark, onField);
  }

  /** The value of a literal without indexing, whose name is in a table. */
  #mayHaveComeBefore(block: Uint8Array, end: number, name: string, onField: OnField): void {
    const cursor = this.#cursor;
    const start = cursor.at;
    this.#recent ??= new RecentLiterals();
    const recent = this.#recent;
    const slot = start < end ? recent.slotOf(block, start, end) : -1;
    if (slot >= 0 && recent.has(slot, name, block, start)) {
      cursor.at = start + recent.lengthIn(slot);
      this.#deliver(name, recent.valueIn(slot), recent.markIn(slot), onField);
      return;
    }
    const value = readString(block, end, cursor);
    const mark = this.#judgeField(name, value);
    if (slot >= 0) recent.keep(slot, name, value, mark, block, start);
    this.#deliver(name, value, mark, onField);
  }

  #nameAt(index: number): string {
    if (index < firstDynamicIndex) return staticNames[index] as string;
    const slot = this.#table.slotAt(index - firstDynamicIndex);
    if (slot < 0) throw noEntry(index);
    return this.#table.nameIn(slot);
  }

  #deliver(name: string, value: string, mark: number, onField: OnField): void {
    const listBytes = this.#listBytes + name.length + value.length + entryOverheadBytes;
    this.#listBytes = listBytes;
    if (listBytes <= this.#maxListBytes) onField(name, value, mark);
  }
}

function noEntry(index: number): HpackError {
  return new HpackError(`no table entry has the index ${index}`);
}

const unjudged: JudgeField = () => 0;

/** By the function that made them: there is one in a process, or a few. */
const marksByJudge = new WeakMap<JudgeField, Int32Array>();

function staticMarksOf(judgeField: JudgeField): Int32Array {
  const known = marksByJudge.get(judgeField);
  if (known !== undefined) return known;
  const marks = Int32Array.from(staticNames, (name, index) =>
    index === 0 ? 0 : judgeField(name, staticValues[index] as string),
  );
  marksByJudge.set(judgeField, marks);
  return marks;
}
