import { describe, expect, it } from 'vitest';
import { JsonSize } from './json-size.js';

const limits = { maxMessageElements: 20, maxMessageDepth: 5 };

/** What a text is refused for that comes in pieces of so many bytes, and after how many of them. */
function refusal(text: string, pieceBytes: number): readonly [reason: string | undefined, bytes: number] {
  const size = new JsonSize(limits);
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const error = size.add(bytes.subarray(at, at + pieceBytes));
    if (error !== undefined) return [error.reason, at + pieceBytes];
  }
  return [undefined, bytes.length];
}

describe('JsonSize', () => {
  it.each([
    ['as many items as there may be', `[${'0,'.repeat(19)}0]`, undefined],
    ['one item more', `[${'0,'.repeat(20)}0]`, 'TOO_MANY_ELEMENTS'],
    ['members of objects in lists', `[${'{"a":0,"b":0},'.repeat(10)}{}]`, 'TOO_MANY_ELEMENTS'],
    ['as many levels as there may be', '[[[[[]]]]]', undefined],
    ['one level more', '[[[[[[]]]]]]', 'MESSAGE_TOO_DEEP'],
    ['commas and brackets in a string', `["${',['.repeat(30)}"]`, undefined],
    ['a string with escaped quotes', `["\\\\\\"${',['.repeat(30)}\\"\\\\"]`, undefined],
    ['a string that ends with a backslash', `["\\\\"${',0'.repeat(30)}]`, 'TOO_MANY_ELEMENTS'],
  ])('says the same of a text however it is cut: %s', (_name, text, expected) => {
    for (let pieceBytes = 1; pieceBytes <= text.length; pieceBytes += 1)
      expect([pieceBytes, refusal(text, pieceBytes)[0]]).toEqual([pieceBytes, expected]);
  });

  it('refuses at the first element that is too many', () => {
    expect(refusal(`[${'0,'.repeat(1000)}0]`, 1)).toEqual(['TOO_MANY_ELEMENTS', 41]);
  });
});
