import { describe, expect, it } from 'vitest';
import { BodyParts } from './body-parts.js';

describe('BodyParts', () => {
  it.each([
    ['nothing', []],
    ['one byte at a time', Array.from({ length: 40_000 }, () => 1)],
    ['large pieces', [65_536, 4096, 1]],
    ['small and large pieces in turn', [10, 5000, 10, 5000, 16_000, 500, 4095, 4095, 4096, 4095, 4095, 4095]],
  ])('gives back what it was given: %s', (_name, sizes: number[]) => {
    const parts = new BodyParts();
    const given = sizes.map((size, at) => Buffer.alloc(size, at));

    for (const each of given) parts.add(each);

    expect(parts.length).toBe(given.reduce((sum, { length }) => sum + length, 0));
    expect(parts.whole().equals(Buffer.concat(given))).toBe(true);
  });

  it('does not hold on to the chunks that small pieces came in', () => {
    const parts = new BodyParts();
    const chunk = Buffer.alloc(65_536, 1);
    parts.add(chunk.subarray(0, 3));
    parts.add(chunk.subarray(5, 6));

    chunk.fill(9);

    expect(parts.whole()).toEqual(Buffer.alloc(4, 1));
  });
});
