import { describe, expect, it } from 'vitest';
import { release, textBytes } from './json-bytes.js';

describe('textBytes', () => {
  it.each([['a'], ['é€😀'], [''], ['\ud800'], ['x'.repeat(5461)], ['é'.repeat(5462)], ['x'.repeat(100_000)]])(
    'writes text as Node does',
    (text) => {
      expect(textBytes(text).equals(Buffer.from(text))).toBe(true);
    },
  );

  it('leaves alone what was not given back', () => {
    const texts = Array.from({ length: 500 }, (_, at) => `${at} `.repeat(at));
    const all = texts.map((text) => textBytes(text));

    expect(all.map(String)).toEqual(texts);
  });

  it('uses again what was given back last, and nothing else', () => {
    const first = textBytes('first');
    const second = textBytes('second');
    release(first);
    const third = textBytes('third');
    release(third);
    const fourth = textBytes('fourth');

    expect([first, second, fourth].map(String)).toEqual(['first', 'second', 'fourth']);
    expect(fourth.byteOffset).toBe(third.byteOffset);
  });
});
