import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatRfc3339 } from './rfc3339.js';

const ofDate = (seconds: number): string => `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`;
const second = (text: string): number => Date.parse(text) / 1000;

describe('formatRfc3339', () => {
  it.each([
    '0001-01-01T00:00:00Z',
    '0004-02-29T23:59:59Z',
    '1600-02-29T12:00:00Z',
    '1900-02-28T23:59:59Z',
    '1900-03-01T00:00:00Z',
    '1969-12-31T23:59:59Z',
    '1970-01-01T00:00:00Z',
    '1999-12-31T23:59:59Z',
    '2000-02-29T00:00:00Z',
    '2000-03-01T00:00:00Z',
    '2026-12-01T03:24:18Z',
    '2100-02-28T23:59:59Z',
    '2100-03-01T00:00:00Z',
    '9999-12-31T23:59:59Z',
  ])('writes %s', (text) => {
    expect(formatRfc3339(second(text))).toBe(text);
  });

  it('writes what Date does, at every time of the years 1 to 9999', () => {
    const [min, max] = [second('0001-01-01T00:00:00Z'), second('9999-12-31T23:59:59Z')];

    const property = fc.property(fc.integer({ min, max }), (seconds) => {
      expect(formatRfc3339(seconds)).toBe(ofDate(seconds));
    });

    fc.assert(property, { numRuns: 5000 });
  });

  it('writes every day of 800 years', () => {
    const first = second('1800-01-01T00:00:00Z');

    const wrong = Array.from({ length: 292_194 }, (_, day) => first + day * 86_400).filter(
      (seconds) => formatRfc3339(seconds) !== ofDate(seconds),
    );

    expect(wrong).toEqual([]);
  });
});
