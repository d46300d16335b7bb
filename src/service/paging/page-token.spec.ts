import { describe, expect, it } from 'vitest';
import { pageTokenAfter, readPageToken } from './page-token.js';

describe('page tokens', () => {
  it('give back the position, also at the ends of int64', () => {
    const position = [-(2n ** 63n), 2n ** 63n - 1n, 0n];

    expect(readPageToken('logs', pageTokenAfter('logs', position), 3)).toEqual(position);
    expect(readPageToken('logs', '', 3)).toBeUndefined();
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
      expect(() => readPageToken('users', wrong, 1), wrong).toThrow(
        expect.objectContaining({
          reason: 'VALIDATION_FAILED',
          violations: [expect.objectContaining({ field: 'pageToken' })],
        }),
      );
    }
  });

  it('are refused for another list', () => {
    const token = pageTokenAfter('logs\0web', [1n, 2n, 3n]);

    expect(() => readPageToken('logs\0db', token, 3)).toThrow(/pageToken/);
  });
});
