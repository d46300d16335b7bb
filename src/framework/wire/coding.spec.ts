import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { type Coding, DecodedTooLargeError, decode } from './coding.js';

const plain = Buffer.from('rookery '.repeat(40_000));
const coded: [Coding, Buffer][] = [
  ['br', brotliCompressSync(plain)],
  ['deflate', deflateSync(plain)],
  ['gzip', gzipSync(plain)],
];

describe.each(coded)('%s', (coding, bytes) => {
  it('is decoded', async () => {
    const decoded = await decode(coding, bytes, plain.length);

    expect(decoded.equals(plain)).toBe(true);
  });

  it('is refused where more than the limit comes out', async () => {
    await expect(decode(coding, bytes, plain.length - 1)).rejects.toBeInstanceOf(DecodedTooLargeError);
  });

  it.each([
    ['a byte', Buffer.from([1])],
    ['a zero', Buffer.alloc(1)],
    ['padding', Buffer.alloc(100_000)],
    ['text', Buffer.from('garbage')],
    ['a byte of its own kind', bytes.subarray(0, 1)],
  ])('is refused with %s behind its end', async (_, rest) => {
    await expect(decode(coding, Buffer.concat([bytes, rest]), 2 * plain.length)).rejects.toBeInstanceOf(Error);
  });

  it.each([1, 4, 9])('is refused where its last %i bytes are missing', async (missing) => {
    await expect(decode(coding, bytes.subarray(0, -missing), plain.length)).rejects.toBeInstanceOf(Error);
  });

  it('is refused where it is something else', async () => {
    await expect(decode(coding, Buffer.from('{"id":"1"}'), plain.length)).rejects.toBeInstanceOf(Error);
  });
});

it('decodes gzip of several members, as RFC 1952 has it', async () => {
  const decoded = await decode('gzip', Buffer.concat([gzipSync('a'), gzipSync('b')]), 10);

  expect(decoded.toString()).toBe('ab');
});

it('decodes to nothing', async () => {
  expect(await decode('gzip', gzipSync(''), 10)).toHaveLength(0);
});
