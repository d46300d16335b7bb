// RFC 7541 sections 2.3.2 and 4, the dynamic table.
import { entryOverheadBytes } from './static-table.js';

/** The size of a dynamic table while nothing else was agreed, RFC 9113 section 6.5.2. */
export const defaultTableBytes = 4096;

/** Slots of a table's first allocation: idle connections should cost little. */
const firstSlots = 16;

/**
 * A ring of entries, newest first: insertion and eviction move no entry. It grows with its content and never holds
 * more than `maxBytes` / 32 entries.
 *
 * Each entry has a serial number that stays its own; they wrap around after 2^32, and only their differences count.
 */
export class DynamicTable {
  #names: string[] = [];
  #values: string[] = [];
  #marks: number[] = [];
  #mask = -1;
  #nextSerial = 0;
  #count = 0;
  #bytes = 0;

  constructor(public maxBytes: number) {}

  get count(): number {
    return this.#count;
  }

  /** Size as section 4.1 counts it. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Serial number of the entry that is inserted next. */
  get nextSerial(): number {
    return this.#nextSerial;
  }

  /** Where the entry is kept until it is evicted; negative when there is none. @param age 0 for the newest entry */
  slotAt(age: number): number {
    return age < this.#count ? (this.#nextSerial - 1 - age) & this.#mask : -1;
  }

  /** How many entries are newer. */
  ageOf(serial: number): number {
    return (this.#nextSerial - 1 - serial) | 0;
  }

  nameIn(slot: number): string {
    return this.#names[slot] as string;
  }

  valueIn(slot: number): string {
    return this.#values[slot] as string;
  }

  /** What the decoder's owner knows of the entry. */
  markIn(slot: number): number {
    return this.#marks[slot] as number;
  }

  /** Evicts until the entry fits, then inserts it; one that is larger than the table empties it, section 4.4. */
  add(name: string, value: string, mark: number): boolean {
    const size = name.length + value.length + entryOverheadBytes;
    this.#shrinkTo(this.maxBytes - size);
    if (size > this.maxBytes) return false;
    if (this.#count > this.#mask) this.#grow();
    const slot = this.#nextSerial & this.#mask;
    this.#names[slot] = name;
    this.#values[slot] = value;
    this.#marks[slot] = mark;
    this.#nextSerial = (this.#nextSerial + 1) | 0;
    this.#count += 1;
    this.#bytes += size;
    return true;
  }

  /** Changes the maximum and evicts what is too much, section 4.3. */
  resize(maxBytes: number): void {
    this.maxBytes = maxBytes;
    this.#shrinkTo(maxBytes);
  }

  /** Called for each entry that is evicted. */
  protected evicted(_serial: number, _name: string, _value: string): void {}

  #shrinkTo(bytes: number): void {
    while (this.#count > 0 && this.#bytes > bytes) {
      const serial = (this.#nextSerial - this.#count) | 0;
      const slot = serial & this.#mask;
      const name = this.#names[slot] as string;
      const value = this.#values[slot] as string;
      this.#names[slot] = '';
      this.#values[slot] = '';
      this.#count -= 1;
      this.#bytes -= name.length + value.length + entryOverheadBytes;
      this.evicted(serial, name, value);
    }
  }

  #grow(): void {
    const slots = Math.max(firstSlots, this.#names.length * 2);
    const [names, values, marks] = [this.#names, this.#values, this.#marks];
    const oldMask = this.#mask;
    this.#names = [];
    this.#values = [];
    this.#marks = [];
    for (let slot = 0; slot < slots; slot += 1) {
      this.#names.push('');
      this.#values.push('');
      this.#marks.push(0);
    }
    this.#mask = slots - 1;
    for (let age = 0; age < this.#count; age += 1) {
      const serial = this.#nextSerial - 1 - age;
      this.#names[serial & this.#mask] = names[serial & oldMask] as string;
      this.#values[serial & this.#mask] = values[serial & oldMask] as string;
      this.#marks[serial & this.#mask] = marks[serial & oldMask] as number;
    }
  }
}
