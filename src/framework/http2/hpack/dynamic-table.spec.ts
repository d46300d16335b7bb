import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DynamicTable } from './dynamic-table.js';
import { SearchableTable } from './searchable-table.js';

type Entry = readonly [name: string, value: string];

const entriesOf = (table: DynamicTable): Entry[] =>
  Array.from({ length: table.count }, (_, age) => {
    const slot = table.slotAt(age);
    return [table.nameIn(slot), table.valueIn(slot)];
  });

/** RFC 7541 section 4, as it is written there. */
class PlainTable {
  entries: Entry[] = [];

  constructor(public maxBytes: number) {}

  get bytes(): number {
    return this.entries.reduce((sum, [name, value]) => sum + name.length + value.length + 32, 0);
  }

  add(name: string, value: string): void {
    const size = name.length + value.length + 32;
    while (this.entries.length > 0 && this.bytes > this.maxBytes - size) this.entries.pop();
    if (size <= this.maxBytes) this.entries.unshift([name, value]);
  }

  resize(maxBytes: number): void {
    this.maxBytes = maxBytes;
    while (this.bytes > maxBytes) this.entries.pop();
  }
}

const names = fc.constantFrom('a', 'b', 'content-type', 'x'.repeat(40));
const values = fc.oneof(
  fc.constantFrom('', '1', '2', '3'),
  fc.string({ maxLength: 12 }),
  fc.integer({ min: 0, max: 700 }).map((length) => 'v'.repeat(length)),
);
const operations = fc.array(
  fc.oneof(
    { arbitrary: fc.tuple(names, values), weight: 12 },
    { arbitrary: fc.integer({ min: 0, max: 900 }), weight: 1 },
  ),
  { maxLength: 120 },
);

describe('DynamicTable', () => {
  it('holds what the plain reading of the RFC holds, after any insertions and changes of size', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4096 }), operations, (maxBytes, list) => {
        const table = new DynamicTable(maxBytes);
        const plain = new PlainTable(maxBytes);

        for (const operation of list) {
          if (typeof operation === 'number') {
            table.resize(operation);
            plain.resize(operation);
          } else {
            table.add(...operation, 0);
            plain.add(...operation);
          }
          expect(table.bytes).toBe(plain.bytes);
        }

        expect(entriesOf(table)).toEqual(plain.entries);
        expect(table.slotAt(table.count)).toBe(-1);
      }),
    );
  });

  it('holds as many of the smallest entries as the size has room for, and no more', () => {
    const table = new DynamicTable(4096);

    for (let at = 0; at < 1000; at += 1) table.add('', '', at);

    expect(table.count).toBe(128);
    expect(table.bytes).toBe(4096);
    expect(table.markIn(table.slotAt(0))).toBe(999);
    expect(table.markIn(table.slotAt(127))).toBe(872);
  });

  it('holds an entry that fills it', () => {
    const table = new DynamicTable(100);

    expect(table.add('a', 'v'.repeat(67), 0)).toBe(true);
    expect(table.bytes).toBe(100);
  });

  it('is emptied by an entry that is larger than itself', () => {
    const table = new DynamicTable(100);
    table.add('a', 'b', 0);

    expect(table.add('a', 'v'.repeat(68), 0)).toBe(false);
    expect(table.count).toBe(0);
    expect(table.bytes).toBe(0);
  });
});

describe('SearchableTable', () => {
  it('finds exactly the entries it holds, at their ages', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 600 }), operations, (maxBytes, list) => {
        const table = new SearchableTable(maxBytes);
        const seen = new Set<string>();

        for (const operation of list) {
          if (typeof operation === 'number') {
            table.resize(operation);
            continue;
          }
          const [name, value] = operation;
          seen.add(JSON.stringify(operation));
          if (table.find(name, value) < 0) table.insert(name, value);
        }

        const held = entriesOf(table);
        for (const text of seen) {
          const [name, value] = JSON.parse(text) as Entry;
          expect(table.find(name, value)).toBe(held.findIndex((entry) => entry[0] === name && entry[1] === value));
          expect(table.findName(name)).toBe(held.findIndex((entry) => entry[0] === name));
        }
      }),
    );
  });
});
