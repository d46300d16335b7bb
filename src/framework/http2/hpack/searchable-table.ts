// RFC 7541 section 2.3.2, the dynamic table as its encoder needs it.
import { DynamicTable } from './dynamic-table.js';

/** The entries with one name. */
class NameEntries {
  /** Serial number of each value. */
  readonly serials: Map<string, number> = new Map();
  newest = 0;
}

/** A dynamic table that finds entries by name and value. */
export class SearchableTable extends DynamicTable {
  readonly #byName = new Map<string, NameEntries>();

  /** Age of the entry with this name and value; negative when there is none. */
  find(name: string, value: string): number {
    const serial = this.#byName.get(name)?.serials.get(value);
    return serial === undefined ? -1 : this.ageOf(serial);
  }

  /** Age of the newest entry with this name; negative when there is none. */
  findName(name: string): number {
    const entries = this.#byName.get(name);
    return entries === undefined ? -1 : this.ageOf(entries.newest);
  }

  /** Inserts an entry that is not there yet. */
  insert(name: string, value: string): void {
    const serial = this.nextSerial;
    if (!this.add(name, value, 0)) return;
    let entries = this.#byName.get(name);
    if (entries === undefined) {
      entries = new NameEntries();
      this.#byName.set(name, entries);
    }
    entries.serials.set(value, serial);
    entries.newest = serial;
  }

  /** Names leave with their last entry, so both maps are bounded by the table. */
  protected override evicted(_serial: number, name: string, value: string): void {
    const entries = this.#byName.get(name);
    entries?.serials.delete(value);
    if (entries?.serials.size === 0) this.#byName.delete(name);
  }
}
