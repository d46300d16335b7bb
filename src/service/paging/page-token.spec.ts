import { describe, expect, it } from 'vitest';
import { int64, pageTokenAfter, positiveInt64, readPageToken } from './page-token.js';

const refused: unknown = expect.objectContaining({
  reason: 'VALIDATION_FAILED',
  violations: [expect.objectContaining({ field: 'pageToken' })],
});

describe('page tokens', () => {
  it('give back the position, also at the ends of int64', () => {
    const position = [-(2n ** 63n), 2n ** 63n - 1n, 0n];

    expect(readPageToken('logs', pageTokenAfter('logs', position), [int64, positiveInt64, int64])).toEqual(position);
    expect(readPageToken('logs', '', [int64, positiveInt64, int64])).toBeUndefined();
  });

  it('are refused when any character is changed, added or missing', () => {
    const token = pageTokenAfter('users', [12345n]);
    const damaged = [...token].map(
      (character, at) => token.slice(0, at) + (character === 'A' ? 'B' : 'A') + token.slice(at + 1),
    );

    for (const wrong of [
      ...damaged,
      `${token}A`,
      `${token}=`,
      token.slice(1),
      token.slice(0, -1),
      '!',
      'x'.repeat(10_000),
    ]) {
      expect(() => readPageToken('users', wrong, [positiveInt64]), wrong).toThrow(refused);
    }
  });

  it.each([
    ['above int64', 2n ** 63n, int64],
    ['below int64', -(2n ** 63n) - 1n, int64],
    ['of 19 digits that int64 has no room for', 9_999_999_999_999_999_999n, int64],
    ['below the range of the key', 0n, positiveInt64],
    ['negative', -1n, positiveInt64],
  ])('are refused when they are forged with a number %s', (_, forged, range) => {
    expect(() => readPageToken('users', pageTokenAfter('users', [forged]), [range])).toThrow(refused);
  });

  it('are refused with more or fewer numbers than the key has', () => {
    for (const numbers of [[], [1n], [1n, 2n, 3n]]) {
      expect(() => readPageToken('users', pageTokenAfter('users', numbers), [positiveInt64, positiveInt64])).toThrow(
        refused,
      );
    }
  });

  it('are refused for another list', () => {
    const token = pageTokenAfter('logs\0web', [1n, 2n, 3n]);

    expect(() => readPageToken('logs\0db', token, [positiveInt64, positiveInt64, positiveInt64])).toThrow(/pageToken/);
  });
});
