import { describe, expect, it } from 'vitest';
import { pageSizeOf } from './page-size.js';

describe('pageSizeOf', () => {
  it.each([
    [0, 100, 20],
    [1, 100, 1],
    [100, 100, 100],
    [101, 100, 100],
    [0, 10, 10],
  ])('makes %i under a maximum of %i to %i', (asked, maxPageSize, given) => {
    expect(pageSizeOf(asked, { maxPageSize })).toBe(given);
  });
});
