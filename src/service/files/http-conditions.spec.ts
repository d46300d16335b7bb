import { describe, expect, it } from 'vitest';
import { isNotModified, isRangeWelcome } from './http-conditions.js';

const file = { etag: '"a-1"', modifiedMs: Date.parse('2026-01-31T08:00:00.750Z') };
const written = 'Sat, 31 Jan 2026 08:00:00 GMT';
const before = 'Sat, 31 Jan 2026 07:59:59 GMT';

describe('isNotModified', () => {
  it.each([
    [{}, false],
    [{ 'if-none-match': '"a-1"' }, true],
    [{ 'if-none-match': '"b", W/"a-1"' }, true],
    [{ 'if-none-match': '*' }, true],
    [{ 'if-none-match': '"b"' }, false],
    [{ 'if-modified-since': written }, true],
    [{ 'if-modified-since': before }, false],
    [{ 'if-modified-since': 'yesterday' }, false],
    [{ 'if-none-match': '"c,d" , "a-1"' }, true],
    [{ 'if-none-match': '\u00a0"a-1"' }, false],
    [{ 'if-none-match': 'x"a-1"' }, false],
    [{ 'if-none-match': '\u00a0*' }, false],
    [{ 'if-none-match': '*, "b"' }, false],
    [{ 'if-modified-since': `${written}\u00a0` }, false],
    [{ 'if-modified-since': '2027' }, false],
    [{ 'if-modified-since': '2026-01-31T08:00:00Z' }, false],
    [{ 'if-modified-since': `${written}, ${written}` }, false],
    // The tag decides alone.
    [{ 'if-none-match': '"b"', 'if-modified-since': written }, false],
  ])('%j: %s', (headers, expected) => {
    expect(isNotModified(headers, file)).toBe(expected);
  });
});

describe('isRangeWelcome', () => {
  it.each([
    [{}, true],
    [{ 'if-range': '"a-1"' }, true],
    [{ 'if-range': '"b"' }, false],
    // A weak tag says nothing about bytes.
    [{ 'if-range': 'W/"a-1"' }, false],
    [{ 'if-range': written }, true],
    [{ 'if-range': before }, false],
    [{ 'if-range': '2026-01-31T08:00:00Z' }, false],
    [{ 'if-range': '"a-1"\u00a0' }, false],
  ])('%j: %s', (headers, expected) => {
    expect(isRangeWelcome(headers, file)).toBe(expected);
  });
});
