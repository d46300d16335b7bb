import { describe, expect, it } from 'vitest';
import { type HeaderField, HpackDecoder, HpackEncoder, precompute } from './index.js';

const target = Buffer.alloc(65_536);

function encode(encoder: HpackEncoder, ...fields: (readonly [name: string, value: string])[]): string {
  const list = fields.map(([name, value]) => ({ name, value }));
  return target.toString('hex', 0, encoder.encode(list, target, 0));
}

function decode(decoder: HpackDecoder, block: string): HeaderField[] {
  const fields: HeaderField[] = [];
  const bytes = Buffer.from(block, 'hex');
  decoder.decode(bytes, 0, bytes.length, (name, value) => fields.push({ name, value }));
  return fields;
}

const plain = (): HpackEncoder => new HpackEncoder({ maxTableBytes: 4096, huffman: false });

describe('HpackEncoder', () => {
  it('sends a field of the static table as its index', () => {
    expect(encode(plain(), [':status', '200'], [':status', '404'], ['accept-encoding', 'gzip, deflate'])).toBe(
      '888d90',
    );
  });

  it('indexes a field when it comes for the second time, and sends the index from then on', () => {
    const encoder = plain();

    expect(encode(encoder, ['server', 'x'])).toBe('0f270178');
    expect(encode(encoder, ['server', 'x'])).toBe('760178');
    expect(encode(encoder, ['server', 'x'])).toBe('be');
  });

  it('notices two values that alternate', () => {
    const encoder = plain();
    for (let round = 0; round < 2; round += 1) encode(encoder, ['server', 'x'], ['server', 'y']);

    expect(encode(encoder, ['server', 'x'], ['server', 'y'])).toBe('bfbe');
  });

  it('indexes no value that never comes again', () => {
    const encoder = plain();
    encode(encoder, ['server', 'x']);
    encode(encoder, ['server', 'x']);

    for (let id = 0; id < 1000; id += 1) encode(encoder, ['x-request-id', String(id)], [`x-${id}`, 'same']);

    expect(encode(encoder, ['server', 'x'])).toBe('be');
  });

  it.each(['authorization', 'proxy-authorization', 'cookie', 'set-cookie'])('never indexes %s', (name) => {
    const encoder = plain();

    for (let round = 0; round < 3; round += 1) {
      expect(encode(encoder, [name, 'secret'])).toMatch(/^1f[0-9a-f]{2}06736563726574$/);
    }
    expect(encode(encoder, ['x', 'y'], ['x', 'y'])).toBe('00017801794001780179');
  });

  it('does not index what would take half of the table', () => {
    const encoder = plain();
    const value = 'v'.repeat(200);
    encoder.setMaxTableBytes(400);

    for (let round = 0; round < 3; round += 1) expect(encode(encoder, ['x', value])).toContain('000178');
  });

  it('refers to the name of an entry when only the value is new', () => {
    const encoder = plain();
    encode(encoder, ['x-a', '1']);
    encode(encoder, ['x-a', '1']);

    expect(encode(encoder, ['x-a', '2'])).toBe('0f2f0132');
  });

  it('uses Huffman code only where it is shorter', () => {
    const encoder = new HpackEncoder({ maxTableBytes: 4096 });

    expect(encode(encoder, ['server', 'aaa'])).toBe('0f278218c7');
    expect(encode(encoder, ['server', '~~~'])).toBe('0f27037e7e7e');
    expect(encode(encoder, ['server', 'X'])).toBe('0f270158');
  });

  it('writes characters that no field may have as question marks, never as their low octet', () => {
    for (const huffman of [true, false]) {
      const encoder = new HpackEncoder({ maxTableBytes: 4096, huffman });
      const decoder = new HpackDecoder({ maxTableBytes: 4096, maxListBytes: 4096 });

      for (let round = 0; round < 3; round += 1) {
        const block = encode(encoder, ['x-name', 'a\u010ab\u2028']);
        expect(decode(decoder, block)).toEqual([{ name: 'x-name', value: 'a?b?' }]);
      }
    }
  });

  it('begins the next block with the size that the peer allows, once', () => {
    const encoder = plain();
    encoder.setMaxTableBytes(100);

    expect(encode(encoder, [':status', '200'])).toBe('3f4588');
    expect(encode(encoder, [':status', '200'])).toBe('88');
  });

  it('uses no more than its own bound, whatever the peer allows', () => {
    const encoder = plain();
    encoder.setMaxTableBytes(0xffff_ffff);

    expect(encode(encoder, [':status', '200'])).toBe('88');
  });

  it('grows up to its own bound when the peer allows it', () => {
    const encoder = new HpackEncoder({ maxTableBytes: 8192 });
    expect(encode(encoder, [':status', '200'])).toBe('88');

    encoder.setMaxTableBytes(65_536);

    expect(encode(encoder, [':status', '200'])).toBe('3fe13f88');
  });

  it('tells its own bound when that is smaller than the peer expects', () => {
    expect(encode(new HpackEncoder({ maxTableBytes: 0 }), [':status', '200'])).toBe('2088');
  });

  it('tells both sizes when the peer went down and up again, and forgets what was evicted in between', () => {
    const encoder = plain();
    for (let round = 0; round < 3; round += 1) encode(encoder, ['server', 'x']);

    encoder.setMaxTableBytes(0);
    encoder.setMaxTableBytes(4096);

    expect(encode(encoder, ['server', 'x'])).toBe('203fe11f760178');
    expect(encode(encoder, ['server', 'x'])).toBe('be');
  });

  it('needs no more octets than it says', () => {
    const encoder = new HpackEncoder({ maxTableBytes: 4096, huffman: false });
    const fields = Array.from({ length: 200 }, (_, at) => ({ name: `x-${at}`, value: '\xff'.repeat(at * 3) }));
    encoder.setMaxTableBytes(0);
    encoder.setMaxTableBytes(4000);
    const bound = encoder.maxEncodedBytes(fields);
    const exact = Buffer.alloc(bound);

    const end = encoder.encode(fields, exact, 0);

    expect(end).toBeLessThanOrEqual(bound);
    expect(decode(new HpackDecoder({ maxTableBytes: 4096, maxListBytes: 1e6 }), exact.toString('hex', 0, end))).toEqual(
      fields,
    );
  });
});

describe('a list that is always the same', () => {
  const fixed = [
    { name: ':status', value: '201' },
    { name: 'x-a', value: 'b' },
  ];
  const head = (encoder: HpackEncoder): string => target.toString('hex', 0, encoder.encodeFixed(fixed, target, 0));

  it('comes to what its fields come to each time, and to the same octets from then on', () => {
    const [one, other] = [plain(), plain()];
    const blocks = [head(one), head(one), head(one), head(one)];

    expect(blocks).toEqual(blocks.map(() => encode(other, [':status', '201'], ['x-a', 'b'])));
    expect(blocks[2]).toBe(blocks[3]);
  });

  it('is written anew when something else has entered the table', () => {
    const encoder = plain();
    for (let round = 0; round < 4; round += 1) head(encoder);
    const before = head(encoder);
    for (let round = 0; round < 2; round += 1) encode(encoder, ['x-c', 'd']);
    const decoder = new HpackDecoder({ maxTableBytes: 4096, maxListBytes: 4096 });
    const after = head(encoder);

    expect(after).not.toBe(before);
    expect(() => decode(decoder, after)).toThrow('no table entry');
  });
});

describe('precompute', () => {
  const fields = [
    { name: ':status', value: '200' },
    { name: 'content-type', value: 'application/grpc' },
    { name: 'set-cookie', value: 'a=b' },
  ];

  it('makes a block that is right any number of times and leaves the table alone', () => {
    const decoder = new HpackDecoder({ maxTableBytes: 4096, maxListBytes: 4096 });
    const block = precompute(fields).toString('hex');

    for (let round = 0; round < 3; round += 1) expect(decode(decoder, block)).toEqual(fields);
    expect(() => decode(decoder, 'be')).toThrow('no table entry has the index 62');
  });

  it('is sent behind the size update that is due', () => {
    const encoder = plain();
    const block = precompute(fields);
    encoder.setMaxTableBytes(0);

    const first = target.toString('hex', 5, encoder.appendPrecomputed(block, target, 5));
    const second = target.toString('hex', 5, encoder.appendPrecomputed(block, target, 5));

    expect(first).toBe(`20${block.toString('hex')}`);
    expect(second).toBe(block.toString('hex'));
  });
});
