import { describe, expect, it } from 'vitest';
import { HpackDecoder, HpackEncoder, HpackError } from './index.js';
import { Indexing } from './indexing.js';

const hex = (digits: string): Buffer => Buffer.from(digits.replaceAll(/\s/g, ''), 'hex');
const newDecoder = (maxTableBytes = 4096, maxListBytes = 16_384): HpackDecoder =>
  new HpackDecoder({ maxTableBytes, maxListBytes });

function decode(decoder: HpackDecoder, block: Buffer): string[] {
  const fields: string[] = [];
  decoder.decode(block, 0, block.length, (name, value) => fields.push(`${name}: ${value}`));
  return fields;
}

const everything = { choose: () => Indexing.Incremental };

describe('HpackDecoder', () => {
  it('reads only what lies between start and end', () => {
    const fields: string[] = [];
    const block = hex('ff 8286 ff');

    newDecoder().decode(block, 1, 3, (name, value) => fields.push(`${name}: ${value}`));

    expect(fields).toEqual([':method: GET', ':scheme: http']);
  });

  it('takes a plain Uint8Array, and octets above 0x7f as the characters of that number', () => {
    const value = Buffer.from(Array.from({ length: 64 }, (_, at) => 0xff - at));
    const block = new Uint8Array([0x0f, 0x11, value.length, ...value]);
    const fields: string[] = [];

    newDecoder().decode(block, 0, block.length, (_, text) => fields.push(text));

    expect(fields).toEqual([value.toString('latin1')]);
  });

  it.each([
    ['index 0', '80'],
    ['an index behind the static table while the dynamic table is empty', 'be'],
    ['a name by such an index', '7e 00'],
    ['a name by such an index, not to be indexed', '0f 2f 00'],
    ['an index larger than 32 bits', 'ff ff ff ff ff 7f'],
    ['an integer of too many octets', 'ff 80 80 80 80 80 00'],
    ['an integer without an end', 'ff ff'],
    ['a name without an end', '40 0a 61 62'],
    ['a value without an end', '04 05 2f'],
    ['a value without a length', '04'],
    ['a literal without a name', '40'],
    ['a length that exceeds every memory', '04 7f ff ff ff ff 0f 2f'],
    ['a Huffman-coded string with bad padding', '04 81 18'],
    ['a table size update behind a field', '82 20 01 61 01 62'],
    ['a table size update larger than announced', '3f e2 1f'],
    ['a table size update without an end', '3f'],
    ['three table size updates', '20 20 20'],
  ])('refuses %s, whatever lies behind the end', (_, block) => {
    const bytes = hex(block);
    const surrounded = Buffer.concat([bytes, Buffer.alloc(64, 1)]);

    expect(() => decode(newDecoder(), bytes)).toThrow(HpackError);
    expect(() => newDecoder().decode(surrounded, 0, bytes.length, () => {})).toThrow(HpackError);
  });

  it('takes two table size updates, the second up to what was announced', () => {
    const decoder = newDecoder();
    decode(decoder, hex('40 01 61 01 62'));

    expect(decode(decoder, hex('20 3f e1 1f 82'))).toEqual([':method: GET']);
    expect(() => decode(decoder, hex('be'))).toThrow(HpackError); // the first of them emptied the table
  });

  it('allows the table of 4096 until a smaller one is acknowledged, and then requires the update', () => {
    const decoder = newDecoder(100);
    decode(decoder, hex('40 01 61 01 62'));
    decode(decoder, hex('be'));

    decoder.settingsAcknowledged();

    expect(() => decode(decoder, hex('be'))).toThrow('table size update missing (expected: one to <= 100)');
    expect(() => decode(decoder, hex('3f 46'))).toThrow('table size update: 101 (expected: <= 100)');
    expect(decode(decoder, hex('3f 45 be'))).toEqual(['a: b']);
    expect(decode(decoder, hex('be'))).toEqual(['a: b']);
  });

  it('allows a larger table once it is announced', () => {
    const decoder = newDecoder(8192);

    expect(decode(decoder, hex('3f e1 3f 82'))).toEqual([':method: GET']);
    expect(() => decode(decoder, hex('3f e2 3f'))).toThrow(HpackError);
  });

  it('says that the list is too large, delivers what came before, and keeps its table right', () => {
    const decoder = newDecoder(4096, 42 + 38);
    const fields: string[] = [];
    // :method GET is 42, a: 1234 is 37 and fits; then one by index, one new, one without indexing
    const block = hex('82 40 01 61 04 31323334 86 40 01 63 01 64 00 01 65 01 66 00 81 1f 01 66');

    const outcome = decoder.decode(block, 0, block.length, (name, value) => fields.push(`${name}: ${value}`));

    expect(outcome).toBe('list-too-large');
    expect(fields).toEqual([':method: GET', 'a: 1234']);
    expect(decode(decoder, hex('be'))).toEqual(['c: d']);
    expect(decode(decoder, hex('bf'))).toEqual(['a: 1234']);
  });

  it('says so for a field that fits after one that did not, too', () => {
    const decoder = newDecoder(4096, 50);
    const block = hex('0f 2b 20' + '61'.repeat(32) + '82');
    const fields: string[] = [];

    expect(decoder.decode(block, 0, block.length, (name) => fields.push(name))).toBe('list-too-large');
    expect(fields).toEqual([]);
  });

  it('refuses malformed input behind the limit all the same', () => {
    const decoder = newDecoder(4096, 10);

    expect(() => decode(decoder, hex('82 80'))).toThrow(HpackError);
    expect(() => decode(decoder, hex('82 04 81 18'))).toThrow(HpackError);
    expect(() => decode(decoder, hex('82 0f 2f 00'))).toThrow(HpackError);
    expect(() => decode(decoder, hex('82 04 05 2f'))).toThrow(HpackError);
  });

  it('starts to count anew with each block', () => {
    const decoder = newDecoder(4096, 50);

    expect(decoder.decode(hex('82 82'), 0, 2, () => {})).toBe('list-too-large');
    expect(decoder.decode(hex('82'), 0, 1, () => {})).toBe('ok');
  });

  it('does not let one large entry become a bomb by its index', () => {
    const decoder = newDecoder(4096, 16_384);
    const encoder = new HpackEncoder({ maxTableBytes: 65_536, indexing: everything });
    encoder.setMaxTableBytes(4096);
    const target = Buffer.alloc(10_000);
    const end = encoder.encode([{ name: 'x', value: 'v'.repeat(2000) }], target, 0);
    const bomb = Buffer.concat([target.subarray(0, end), Buffer.alloc(60_000, 0xbe)]);
    let delivered = 0;

    const outcome = decoder.decode(bomb, 0, bomb.length, (_, value) => (delivered += value.length));

    expect(outcome).toBe('list-too-large');
    expect(delivered).toBeLessThanOrEqual(16_384);
  });

  it('gives the same text for the same octets, and another for others, when literals come again', () => {
    const decoder = newDecoder();
    const literal = (nameIndex: number, value: string): Buffer =>
      Buffer.concat([Buffer.of(nameIndex, value.length), Buffer.from(value)]);
    const paths = Array.from({ length: 50 }, (_, at) => `/users.v1.UserService/Get${at}`);

    for (let round = 0; round < 3; round += 1) {
      for (const path of paths) {
        const block = Buffer.concat([literal(0x04, path), literal(0x01, path), literal(0x04, path)]);
        expect(decode(decoder, block)).toEqual([`:path: ${path}`, `:authority: ${path}`, `:path: ${path}`]);
      }
    }
  });

  it('does not take a literal that is cut for the whole one that came before', () => {
    const decoder = newDecoder();
    const block = hex('04 0c 2f73616d706c652f70617468');
    decode(decoder, block);

    expect(() => decoder.decode(block, 0, block.length - 1, () => {})).toThrow('header block ends inside a string');
  });

  it('judges a field once, however often it comes', () => {
    const judged: string[] = [];
    const judgeField = (name: string, value: string): number => {
      if (!judged.includes(name)) judged.push(name);
      return name.length * 1000 + value.length;
    };
    const decoder = new HpackDecoder({ maxTableBytes: 4096, maxListBytes: 16_384, judgeField });
    const marks: number[] = [];
    judged.length = 0;

    const path = '0c 2f73616d706c652f70617468';
    for (const block of ['82 40 01 61 01 62', 'be', `04 ${path}`, `04 ${path}`, `01 ${path}`, `04 ${path}`]) {
      decoder.decode(hex(block), 0, hex(block).length, (_name, _value, mark) => marks.push(mark));
    }

    expect(judged).toEqual(['a', ':path', ':authority']);
    expect(marks).toEqual([7003, 1001, 1001, 5012, 5012, 10_012, 5012]);
  });
});
