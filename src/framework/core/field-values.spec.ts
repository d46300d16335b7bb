import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  entityTagsOf,
  isPrintable,
  isToken,
  listOf,
  mediaTypeOf,
  parameterized,
  parseHttpDate,
  trimOws,
  weightedListOf,
} from './index.js';

/** All bytes but SP and HTAB that some function takes for white space, and more. */
const notBlank = ['\0', '\v', '\f', '\r', '\n', '\x7f', '\x85', '\xa0', '\xff', '\u2028', '\u3000', '\ufeff', '\u212a'];

describe('a token', () => {
  it('has the characters of RFC 9110 and at least one', () => {
    expect(isToken("!#$%&'*+-.^_`|~09azAZ")).toBe(true);
    for (const text of ['', 'a b', 'a\t', 'a/b', 'a,b', '"a"', 'é', '\u212a', ...notBlank.map((each) => `a${each}`)])
      expect(isToken(text), JSON.stringify(text)).toBe(false);
  });
});

describe('white space around a value', () => {
  it('is SP and HTAB, and nothing else', () => {
    expect(trimOws(' \t a \t b\t ')).toBe('a \t b');
    expect(trimOws(' \t ')).toBe('');
    for (const each of notBlank) expect(trimOws(` ${each}a${each}\t`)).toBe(`${each}a${each}`);
  });
});

describe('a list', () => {
  it.each<[string, string[]]>([
    ['', []],
    [' , ,\t', []],
    ['a', ['a']],
    ['a,b ,\tc', ['a', 'b', 'c']],
    [', a, ,b,', ['a', 'b']],
    ['a;b="c,d", e', ['a;b="c,d"', 'e']],
    ['a;b="\\",c", d', ['a;b="\\",c"', 'd']],
    ['a, "b, c', ['a', '"b, c']],
    ['a, "b\\', ['a', '"b\\']],
    ['\xa0a,\xa0', ['\xa0a', '\xa0']],
  ])('%j has the elements %j', (value, elements) => {
    expect(listOf(value)).toEqual(elements);
  });

  it('loses nothing but commas and blanks', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', ',', '"', '\\', ' ', '\t', '\xa0') }), (value) => {
        const bare = (text: string): string => text.replaceAll(/[, \t]/g, '');
        expect(bare(listOf(value).join(''))).toBe(bare(value));
      }),
    );
  });
});

describe('parameters', () => {
  it('are read with quotes and escapes, by names in any case', () => {
    const read = mediaTypeOf('Multipart/Form-Data ; Boundary="a;\\"b\\\\" ;;x=Y; X=z');

    expect(read?.name).toBe('multipart/form-data');
    expect([...(read?.parameters ?? [])]).toEqual([
      ['boundary', 'a;"b\\'],
      ['x', 'Y'],
    ]);
    expect(parameterized('gzip')?.name).toBe('gzip');
  });

  it.each([
    '',
    'json',
    'application/',
    '/json',
    'a/b/c',
    'application/json; charset',
    'application/json; charset=',
    'application/json; charset =utf-8',
    'application/json; charset= utf-8',
    'application/json; charset="utf-8',
    'application/json; charset="a\0"',
    'application/json, application/json',
    'application/json x',
    ...notBlank.flatMap((each) => [
      `${each}application/json`,
      `application/json${each}`,
      `application/json${each}; charset=utf-8`,
      `application/json;${each}charset=utf-8`,
      `application/json; charset=utf-8${each}`,
    ]),
  ])('%j is no media type', (value) => {
    expect(mediaTypeOf(value)).toBeUndefined();
  });
});

describe('weights', () => {
  it.each<[string, [string, number][]]>([
    ['gzip', [['gzip', 1]]],
    [
      'GZIP;q=0.5, br ; Q=1.000, *;q=0',
      [
        ['gzip', 0.5],
        ['br', 1],
        ['*', 0],
      ],
    ],
    [
      'gzip;q=0., br;q=1.',
      [
        ['gzip', 0],
        ['br', 1],
      ],
    ],
    ['gzip;q=1.1, br;q=0.1234, a;q=-1, b;q=.5, c;q=, d;q=1e0, e;q=0x1, f;q=01', []],
    ['\xa0gzip, gzip\xa0, gzip;\xa0q=1, gzip;q=\xa01, gzip;q=1\xa0', []],
    ['gzip;q="0.5", br;Q="1"', []],
    ['text/html;level=1;q=0.3', [['text/html', 0.3]]],
  ])('of %j are %j', (value, expected) => {
    expect(weightedListOf(value).map(({ name, weight }) => [name, weight])).toEqual(expected);
  });
});

describe('entity tags', () => {
  it.each<[string, unknown]>([
    ['*', '*'],
    ['"a"', ['"a"']],
    ['W/"a", "b,c" ,""', ['"a"', '"b,c"', '""']],
    ['"\xff"', ['"\xff"']],
    ['', undefined],
    ['a', undefined],
    ['"a', undefined],
    ['x"a"', undefined],
    ['w/"a"', undefined],
    ['"a b"', undefined],
    ['*, "a"', undefined],
    ['\xa0*', undefined],
    ['\xa0"a"', undefined],
    ['"a"\xa0', undefined],
    ['"a"; "b"', undefined],
  ])('in %j are %j', (value, tags) => {
    expect(entityTagsOf(value)).toEqual(tags);
  });
});

describe('a date', () => {
  const newYear = Date.UTC(2026, 0, 2, 3, 4, 5);

  it.each([
    ['Fri, 02 Jan 2026 03:04:05 GMT', newYear],
    ['Friday, 02-Jan-26 03:04:05 GMT', newYear],
    ['Fri Jan  2 03:04:05 2026', newYear],
    ['Sunday, 06-Nov-94 08:49:37 GMT', Date.UTC(1994, 10, 6, 8, 49, 37)],
    ['Thu, 29 Feb 2024 00:00:00 GMT', Date.UTC(2024, 1, 29)],
    ['Sat, 31 Dec 2016 23:59:60 GMT', Date.UTC(2017, 0, 1)],
    ['Thu, 01 Jan 0001 00:00:00 GMT', -62_135_596_800_000],
  ])('%s is one of HTTP', (value, ms) => {
    expect(parseHttpDate(value)).toBe(ms);
  });

  it.each([
    '',
    '0',
    '2026',
    '2026-01-02',
    '2026-01-02T03:04:05Z',
    'Fri, 2 Jan 2026 03:04:05 GMT',
    'Fri, 02 Jan 2026 03:04:05 gmt',
    'fri, 02 jan 2026 03:04:05 GMT',
    'Fri, 02 Jan 2026 03:04:05 UTC',
    'Fri, 02 Jan 2026 03:04:05 +0000',
    'Fri, 02 Jan 2026 24:04:05 GMT',
    'Fri, 02 Jan 2026 03:60:05 GMT',
    'Fri, 02 Jan 2026 03:04:61 GMT',
    'Mon, 30 Feb 2026 03:04:05 GMT',
    'Fri, 00 Jan 2026 03:04:05 GMT',
    'Fri, 02 Jan 2026 03:04:05',
    'Fri, 02 Jan 2026 03:04:05 GMT, Fri, 02 Jan 2026 03:04:05 GMT',
    ...notBlank.flatMap((each) => [
      `${each}Fri, 02 Jan 2026 03:04:05 GMT`,
      `Fri, 02 Jan 2026 03:04:05 GMT${each}`,
      `Fri,${each}02 Jan 2026 03:04:05 GMT`,
    ]),
  ])('%j is none', (value) => {
    expect(parseHttpDate(value)).toBeUndefined();
  });
});

describe('printable text', () => {
  it('is visible ASCII and spaces', () => {
    expect(isPrintable(' ~')).toBe(true);
    for (const each of ['\t', ...notBlank]) expect(isPrintable(each)).toBe(false);
  });
});
