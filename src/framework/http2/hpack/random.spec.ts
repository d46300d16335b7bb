import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type HeaderField, HpackDecoder, HpackEncoder, HpackError } from './index.js';
import { Indexing, type IndexingPolicy } from './indexing.js';
import { Cursor, readInteger, writeInteger } from './integer.js';

const latin1 = (maxLength: number): fc.Arbitrary<string> =>
  fc.uint8Array({ maxLength }).map((octets) => Buffer.from(octets).toString('latin1'));

const names = fc.oneof(
  fc.constantFrom(
    ':status',
    ':path',
    'content-type',
    'authorization',
    'set-cookie',
    'x-request-id',
    'te',
    'grpc-timeout',
  ),
  latin1(20),
);
const values = fc.oneof(
  fc.constantFrom('', '200', '/', 'application/grpc', 'a', 'b', 'no-cache'),
  latin1(40),
  fc.integer({ min: 0, max: 3000 }).map((length) => 'v'.repeat(length)),
);
const lists: fc.Arbitrary<HeaderField[]> = fc.array(fc.record({ name: names, value: values }), { maxLength: 20 });

const policies: fc.Arbitrary<IndexingPolicy | undefined> = fc.constantFrom(
  undefined,
  { choose: () => Indexing.Incremental },
  { choose: () => Indexing.Without },
  { choose: (_: string, value: string) => (value.length % 2 === 0 ? Indexing.Incremental : Indexing.Never) },
);

const sizeOf = (fields: readonly HeaderField[]): number =>
  fields.reduce((bytes, { name, value }) => bytes + name.length + value.length + 32, 0);

/** What comes of a block: the fields, and the error if it is the one that is allowed. */
function fieldsOf(decoder: HpackDecoder, block: Uint8Array): { outcome: string; delivered: HeaderField[] } {
  const delivered: HeaderField[] = [];
  try {
    const outcome = decoder.decode(block, 0, block.length, (name, value) => delivered.push({ name, value }));
    return { outcome, delivered };
  } catch (error) {
    if (error instanceof HpackError) return { outcome: 'malformed', delivered };
    throw error;
  }
}

describe('any lists of fields', () => {
  it('come back block by block, under any table sizes', () => {
    const blocks = fc.array(fc.record({ fields: lists, sizes: fc.array(fc.nat(6000), { maxLength: 3 }) }), {
      maxLength: 8,
    });
    fc.assert(
      fc.property(blocks, policies, fc.boolean(), fc.nat(8192), (series, indexing, huffman, ownBound) => {
        const encoder = new HpackEncoder({ maxTableBytes: ownBound, huffman, ...(indexing && { indexing }) });
        const decoder = new HpackDecoder({ maxTableBytes: 6000, maxListBytes: 1e6 });

        for (const { fields, sizes } of series) {
          for (const size of sizes) encoder.setMaxTableBytes(size);
          const target = Buffer.alloc(encoder.maxEncodedBytes(fields));
          const decoded: HeaderField[] = [];
          const end = encoder.encode(fields, target, 0);

          expect(decoder.decode(target, 0, end, (name, value) => decoded.push({ name, value }))).toBe('ok');
          expect(decoded).toEqual(fields);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('come back the same where some of them are always the same list', () => {
    const fixed = fc.array(fc.array(fc.record({ name: names, value: values }), { maxLength: 6 }), {
      minLength: 1,
      maxLength: 6,
    });
    const blocks = fc.array(
      fc.record({ at: fc.nat(5), fields: lists, sizes: fc.array(fc.nat(6000), { maxLength: 1 }), rests: fc.boolean() }),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(fixed, blocks, policies, (heads, series, indexing) => {
        const encoder = new HpackEncoder({ maxTableBytes: 4096, ...(indexing && { indexing }) });
        const decoder = new HpackDecoder({ maxTableBytes: 6000, maxListBytes: 1e6 });

        for (const { at, fields, sizes, rests } of series) {
          for (const size of sizes) encoder.setMaxTableBytes(size);
          if (rests) encoder.rest();
          const head = heads[at % heads.length] as HeaderField[];
          const more = at === 5 ? fields : [];
          const target = Buffer.alloc(encoder.maxFixedBytes(head) + encoder.maxEncodedBytes(more));
          const decoded: HeaderField[] = [];
          const end = encoder.encodeMore(more, target, encoder.encodeFixed(head, target, 0));

          expect(decoder.decode(target, 0, end, (name, value) => decoded.push({ name, value }))).toBe('ok');
          expect(decoded).toEqual([...head, ...more]);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('leave the same table behind whether they were too large or not', () => {
    fc.assert(
      fc.property(fc.array(lists, { maxLength: 6 }), fc.nat(1500), (series, maxListBytes) => {
        const encoder = new HpackEncoder({ maxTableBytes: 4096, indexing: { choose: () => Indexing.Incremental } });
        const strict = new HpackDecoder({ maxTableBytes: 4096, maxListBytes });
        const generous = new HpackDecoder({ maxTableBytes: 4096, maxListBytes: 1e6 });

        for (const fields of series) {
          const target = Buffer.alloc(encoder.maxEncodedBytes(fields));
          const end = encoder.encode(fields, target, 0);
          const { outcome, delivered } = fieldsOf(strict, target.subarray(0, end));
          generous.decode(target, 0, end, () => {});

          expect(outcome).toBe(sizeOf(fields) > maxListBytes ? 'list-too-large' : 'ok');
          expect(delivered).toEqual(fields.filter((_, at) => sizeOf(fields.slice(0, at + 1)) <= maxListBytes));
        }

        for (let index = 62; index < 127; index += 1) {
          const expected = fieldsOf(generous, Buffer.of(0x80 | index));
          const outcome = sizeOf(expected.delivered) > maxListBytes ? 'list-too-large' : expected.outcome;
          const delivered = outcome === 'ok' ? expected.delivered : [];
          expect(fieldsOf(strict, Buffer.of(0x80 | index))).toEqual({ outcome, delivered });
        }
      }),
    );
  });
});

describe('any octets', () => {
  const outcomes = ['ok', 'list-too-large', 'malformed'];

  it('are decoded or refused, and nothing else', () => {
    // Octets that begin representations are more likely than chance would have them.
    const octet = fc.oneof(
      fc.nat(255),
      fc.constantFrom(0x82, 0xbe, 0xbf, 0x40, 0x41, 0x04, 0x10, 0x20, 0x3f, 0x00, 0x01),
    );
    const blocks = fc.array(fc.array(octet, { maxLength: 60 }), { maxLength: 6 });
    fc.assert(
      fc.property(blocks, fc.nat(5000), fc.nat(400), (series, maxTableBytes, maxListBytes) => {
        const decoder = new HpackDecoder({ maxTableBytes, maxListBytes });

        for (const block of series) expect(outcomes).toContain(fieldsOf(decoder, Uint8Array.from(block)).outcome);
      }),
      { numRuns: 2000 },
    );
  });

  it('are decoded or refused when a good block was damaged or cut', () => {
    fc.assert(
      fc.property(lists, fc.nat(), fc.nat(255), fc.boolean(), (fields, position, octet, isCut) => {
        const encoder = new HpackEncoder({ maxTableBytes: 4096, indexing: { choose: () => Indexing.Incremental } });
        const decoder = new HpackDecoder({ maxTableBytes: 4096, maxListBytes: 4096 });
        const target = Buffer.alloc(encoder.maxEncodedBytes(fields));
        const end = encoder.encode(fields, target, 0);
        const at = end === 0 ? 0 : position % end;
        if (!isCut) target[at] = octet;

        expect(outcomes).toContain(fieldsOf(decoder, target.subarray(0, isCut ? at : end)).outcome);
      }),
      { numRuns: 500 },
    );
  });
});

describe('integers', () => {
  it('come back under any prefix', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffff_ffff }), fc.integer({ min: 1, max: 8 }), (value, bits) => {
        const target = Buffer.alloc(6);
        const prefix = 2 ** bits - 1;
        const cursor = new Cursor();

        const end = writeInteger(target, 0, 0, prefix, value);

        expect(readInteger(target, end, cursor, prefix)).toBe(value);
        expect(cursor.at).toBe(end);
      }),
    );
  });

  it('have 32 bits', () => {
    const largest = Buffer.from('ff80feffff0f', 'hex');
    const tooLarge = Buffer.from('ff81feffff0f', 'hex');

    expect(readInteger(largest, 6, new Cursor(), 0xff)).toBe(0xffff_ffff);
    expect(() => readInteger(tooLarge, 6, new Cursor(), 0xff)).toThrow(HpackError);
  });
});
