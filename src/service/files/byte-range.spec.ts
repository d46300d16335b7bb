import { describe, expect, it } from 'vitest';
import { readRange } from './byte-range.js';

describe('readRange', () => {
  it.each([
    ['bytes=0-0', 0, 1],
    ['bytes=0-', 0, 1000],
    ['bytes=10-19', 10, 20],
    ['bytes=990-5000', 990, 1000],
    ['bytes=-10', 990, 1000],
    ['bytes=-5000', 0, 1000],
    ['BYTES= 5-6 ', 5, 7],
  ])('reads %s of 1000 bytes', (header, start, end) => {
    expect(readRange(header, 1000)).toEqual({ start, end });
  });

  it.each(['bytes=1000-', 'bytes=5000-6000', 'bytes=-0'])('cannot satisfy %s of 1000 bytes', (header) => {
    expect(readRange(header, 1000)).toBe('unsatisfiable');
  });

  it.each([
    undefined,
    '',
    'bytes=',
    'bytes=-',
    'bytes=a-b',
    'bytes=9-3',
    'bytes=0-1,3-4',
    'items=0-1',
    'bytes=0x1-2',
    '\u00a0bytes=0-1',
    'bytes=\u00a00-1',
    'bytes=0-1\u00a0',
    'bytes =0-1',
    'byte\u017f=0-1',
    `bytes=0-${'9'.repeat(400)}`,
  ])('leaves %j aside', (header) => {
    expect(readRange(header, 1000)).toBeUndefined();
  });

  it('has nothing to give of an empty file', () => {
    expect(readRange('bytes=0-', 0)).toBe('unsatisfiable');
    expect(readRange('bytes=-5', 0)).toBe('unsatisfiable');
  });
});
