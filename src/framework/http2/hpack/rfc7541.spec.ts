import { describe, expect, it } from 'vitest';
import { type HeaderField, HpackDecoder, HpackEncoder } from './index.js';
import { Indexing } from './indexing.js';
import { Cursor, readInteger, writeInteger } from './integer.js';

// The examples of RFC 7541 appendix C, all of them, both ways.

const hex = (digits: string): Buffer => Buffer.from(digits.replaceAll(/\s/g, ''), 'hex');
const fieldsOf = (lines: string): HeaderField[] =>
  lines
    .trim()
    .split('\n')
    .map((line) => {
      const [name = '', value = ''] = line.trim().split(' = ');
      return { name, value };
    });

function decode(decoder: HpackDecoder, block: Buffer): HeaderField[] {
  const fields: HeaderField[] = [];
  expect(decoder.decode(block, 0, block.length, (name, value) => fields.push({ name, value }))).toBe('ok');
  return fields;
}

function encode(encoder: HpackEncoder, fields: readonly HeaderField[]): string {
  const target = Buffer.alloc(encoder.maxEncodedBytes(fields));
  return target.toString('hex', 0, encoder.encode(fields, target, 0));
}

/** What the decoder's dynamic table has, newest first, read the way a peer would: by index. */
function dynamicTable(decoder: HpackDecoder): HeaderField[] {
  const entries: HeaderField[] = [];
  for (let index = 62; ; index += 1) {
    try {
      entries.push(...decode(decoder, Buffer.of(0x80 | index)));
    } catch {
      return entries;
    }
  }
}

const sizeOf = (fields: readonly HeaderField[]): number =>
  fields.reduce((bytes, { name, value }) => bytes + name.length + value.length + 32, 0);

interface Step {
  readonly block: string;
  readonly fields: HeaderField[];
  readonly table: HeaderField[];
  readonly tableBytes: number;
}

describe('RFC 7541 appendix C.1, integers', () => {
  it.each([
    { example: 'C.1.1', value: 10, prefix: 0x1f, octets: '0a' },
    { example: 'C.1.2', value: 1337, prefix: 0x1f, octets: '1f9a0a' },
    { example: 'C.1.3', value: 42, prefix: 0xff, octets: '2a' },
  ])('$example: $value as $octets', ({ value, prefix, octets }) => {
    const target = Buffer.alloc(8);
    const cursor = new Cursor();

    expect(target.toString('hex', 0, writeInteger(target, 0, 0, prefix, value))).toBe(octets);
    expect(readInteger(target, target.length, cursor, prefix)).toBe(value);
    expect(cursor.at).toBe(octets.length / 2);
  });
});

describe('RFC 7541 appendix C.2, representations', () => {
  it.each([
    {
      example: 'C.2.1, literal with indexing',
      block: '400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572',
      field: { name: 'custom-key', value: 'custom-header' },
      indexing: Indexing.Incremental,
      entries: 1,
    },
    {
      example: 'C.2.2, literal without indexing',
      block: '040c 2f73 616d 706c 652f 7061 7468',
      field: { name: ':path', value: '/sample/path' },
      indexing: Indexing.Without,
      entries: 0,
    },
    {
      example: 'C.2.3, literal never indexed',
      block: '1008 7061 7373 776f 7264 0673 6563 7265 74',
      field: { name: 'password', value: 'secret' },
      indexing: Indexing.Never,
      entries: 0,
    },
    {
      example: 'C.2.4, indexed',
      block: '82',
      field: { name: ':method', value: 'GET' },
      indexing: Indexing.Incremental,
      entries: 0,
    },
  ])('$example', ({ block, field, indexing, entries }) => {
    const decoder = new HpackDecoder({ maxTableBytes: 4096, maxListBytes: 4096 });
    const encoder = new HpackEncoder({ maxTableBytes: 4096, huffman: false, indexing: { choose: () => indexing } });

    expect(decode(decoder, hex(block))).toEqual([field]);
    expect(dynamicTable(decoder)).toEqual(entries === 0 ? [] : [field]);
    expect(encode(encoder, [field])).toBe(hex(block).toString('hex'));
  });
});

const requests = [
  `:method = GET
   :scheme = http
   :path = /
   :authority = www.example.com`,
  `:method = GET
   :scheme = http
   :path = /
   :authority = www.example.com
   cache-control = no-cache`,
  `:method = GET
   :scheme = https
   :path = /index.html
   :authority = www.example.com
   custom-key = custom-value`,
].map(fieldsOf);

const requestTables = [
  `:authority = www.example.com`,
  `cache-control = no-cache
   :authority = www.example.com`,
  `custom-key = custom-value
   cache-control = no-cache
   :authority = www.example.com`,
].map(fieldsOf);

const cookie = 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1';

const responses = [
  `:status = 302
   cache-control = private
   date = Mon, 21 Oct 2013 20:13:21 GMT
   location = https://www.example.com`,
  `:status = 307
   cache-control = private
   date = Mon, 21 Oct 2013 20:13:21 GMT
   location = https://www.example.com`,
  `:status = 200
   cache-control = private
   date = Mon, 21 Oct 2013 20:13:22 GMT
   location = https://www.example.com
   content-encoding = gzip
   set-cookie = ${cookie}`,
].map(fieldsOf);

const responseTables = [
  `location = https://www.example.com
   date = Mon, 21 Oct 2013 20:13:21 GMT
   cache-control = private
   :status = 302`,
  `:status = 307
   location = https://www.example.com
   date = Mon, 21 Oct 2013 20:13:21 GMT
   cache-control = private`,
  `set-cookie = ${cookie}
   content-encoding = gzip
   date = Mon, 21 Oct 2013 20:13:22 GMT`,
].map(fieldsOf);

const steps = (
  blocks: readonly string[],
  lists: readonly HeaderField[][],
  tables: readonly HeaderField[][],
  bytes: readonly number[],
): Step[] =>
  blocks.map((block, at) => ({
    block: hex(block).toString('hex'),
    fields: lists[at] ?? [],
    table: tables[at] ?? [],
    tableBytes: bytes[at] ?? -1,
  }));

const series = [
  {
    example: 'C.3, requests without Huffman coding',
    maxTableBytes: 4096,
    huffman: false,
    steps: steps(
      [
        '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
        '8286 84be 5808 6e6f 2d63 6163 6865',
        '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
      ],
      requests,
      requestTables,
      [57, 110, 164],
    ),
  },
  {
    example: 'C.4, requests with Huffman coding',
    maxTableBytes: 4096,
    huffman: true,
    steps: steps(
      [
        '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
        '8286 84be 5886 a8eb 1064 9cbf',
        '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
      ],
      requests,
      requestTables,
      [57, 110, 164],
    ),
  },
  {
    example: 'C.5, responses without Huffman coding',
    maxTableBytes: 256,
    huffman: false,
    steps: steps(
      [
        `4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32
         3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d`,
        '4803 3330 37c1 c0bf',
        `88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970
         7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61
         6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31`,
      ],
      responses,
      responseTables,
      [222, 222, 215],
    ),
  },
  {
    example: 'C.6, responses with Huffman coding',
    maxTableBytes: 256,
    huffman: true,
    steps: steps(
      [
        `4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad
         1718 63c7 8f0b 97c8 e9ae 82ae 43d3`,
        '4883 640e ffc1 c0bf',
        `88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2
         e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07`,
      ],
      responses,
      responseTables,
      [222, 222, 215],
    ),
  },
];

describe.each(series)('RFC 7541 appendix $example', ({ steps: blocks, maxTableBytes, huffman }) => {
  it('decodes to the lists, with the dynamic table as shown after each', () => {
    const decoder = new HpackDecoder({ maxTableBytes, maxListBytes: 4096 });
    // The examples begin with a table of this size; on the wire it takes an update.
    if (maxTableBytes === 256) decode(decoder, hex('3f e1 01'));

    for (const { block, fields, table, tableBytes } of blocks) {
      expect(decode(decoder, hex(block))).toEqual(fields);
      expect(dynamicTable(decoder)).toEqual(table);
      expect(sizeOf(dynamicTable(decoder))).toBe(tableBytes);
    }
  });

  it('is what the encoder makes of the lists when it indexes everything', () => {
    const everything = { choose: () => Indexing.Incremental };
    const encoder = new HpackEncoder({ maxTableBytes, huffman, indexing: everything });
    const update = maxTableBytes === 256 ? '3fe101' : '';

    for (const [at, { block, fields }] of blocks.entries()) {
      // The example has "307" in Huffman code, which takes as many octets as the text: we send the text.
      const expected = block.replace('4883640eff', '4803333037');
      expect(encode(encoder, fields)).toBe((at === 0 ? update : '') + expected);
    }
  });
});
