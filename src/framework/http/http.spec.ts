import { describe, expect, it } from 'vitest';
import { parseJsonBody } from './json-body.js';
import { isProbe } from './request-hooks.js';
import { RouteTable } from './route-table.js';

const limits = { maxMessageElements: 20, maxMessageDepth: 100 };

describe('parseJsonBody', () => {
  it('reads JSON', () => {
    expect(parseJsonBody(Buffer.from('{"a":[1,"ä"]}'), limits)).toEqual({ a: [1, 'ä'] });
  });

  it('takes an empty body for none', () => {
    expect(parseJsonBody(Buffer.alloc(0), limits)).toBeUndefined();
  });

  it.each([
    ['{"a":', 'the body is not valid JSON'],
    ['{"__proto__":{"x":1}}', 'the key __proto__ is not allowed'],
    ['{"\\u005f_proto__":{"x":1}}', 'the key __proto__ is not allowed'],
    ['[{"a" : 1, "\\u005F\\u005f\\u0070\\u0072\\u006F\\u0074\\u006f__" \n: 1}]', 'the key __proto__ is not allowed'],
  ])('refuses %s', (text, message) => {
    expect(() => parseJsonBody(Buffer.from(text), limits)).toThrow(
      expect.objectContaining({ reason: 'MALFORMED_BODY', message }),
    );
  });

  it('refuses bytes that are not UTF-8', () => {
    expect(() => parseJsonBody(Buffer.from([0x22, 0xff, 0x22]), limits)).toThrow('the body is not valid UTF-8');
  });

  it('does not count brackets inside strings', () => {
    const inString = '[\\"[,'.repeat(100);
    expect(parseJsonBody(Buffer.from(JSON.stringify(inString)), limits)).toBe(inString);
  });

  it.each([
    ['{"x\\"__proto__":1}', { 'x"__proto__': 1 }],
    ['{"a":"__proto__","b":"\\"__proto__\\":1","\\u0061":2}', { a: 2, b: '"__proto__":1' }],
    ['["__proto__"]', ['__proto__']],
  ])('does not take %s for a reach for the prototype', (text, value) => {
    expect(parseJsonBody(Buffer.from(text), limits)).toEqual(value);
  });

  it.each([
    ['a list', '[]'],
    ['an object', '{"a":}'],
  ])('takes %s nested as deeply as it may be, and not a level more', (_name, pair) => {
    const nested = (levels: number): Buffer => {
      const middle = pair.length - 1;
      const [open, close] = [pair.slice(0, middle), pair.slice(middle)];
      return Buffer.from(`${open.repeat(levels)}${open === '[' ? '' : '1'}${close.repeat(levels)}`);
    };
    const few = { maxMessageElements: 1000, maxMessageDepth: 100 };

    expect(parseJsonBody(nested(100), few)).toBeTypeOf('object');
    expect(() => parseJsonBody(nested(101), few)).toThrow(
      expect.objectContaining({
        reason: 'MESSAGE_TOO_DEEP',
        message: 'request message nested deeper than 100 levels',
      }),
    );
  });

  it.each([
    ['[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]', '[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]'],
    [`{${'"":0,'.repeat(19)}"":0}`, `{${'"":0,'.repeat(20)}"":0}`],
    [`[${'{},'.repeat(9)}{"a":0}]`, `[${'{},'.repeat(10)}{"a":0}]`],
    [`[${'[0],'.repeat(9)}[0]]`, `[${'[0],'.repeat(9)}[0,0]]`],
    // What is wrong further on is not looked at any more.
    ['["[,,,,,,,,,,,,,,,,,,,,,,,,,,,"]', `[${'0,'.repeat(30)}`],
  ])('takes as many elements as there may be, and not one more: %s', (most, tooMany) => {
    expect(parseJsonBody(Buffer.from(most), limits)).toBeTypeOf('object');
    expect(() => parseJsonBody(Buffer.from(tooMany), limits)).toThrow(
      expect.objectContaining({
        reason: 'TOO_MANY_ELEMENTS',
        httpStatus: 413,
        message: 'request message with more than 20 elements',
      }),
    );
  });
});

describe('parseJsonBody, of an object with many members', () => {
  const few = { maxMessageElements: 20_000, maxMessageDepth: 100 };
  const named = (count: number): string => `{${Array.from({ length: count }, (_, at) => `"name${at}":0`).join(',')}}`;

  it('counts those beyond the 1024th as ten', () => {
    expect(parseJsonBody(Buffer.from(named(2900)), few)).toBeTypeOf('object');
    expect(() => parseJsonBody(Buffer.from(named(3000)), few)).toThrow(
      expect.objectContaining({ reason: 'TOO_MANY_ELEMENTS' }),
    );
  });

  it('counts them for each object apart, and not for lists', () => {
    const two = `[${named(1500)},${named(1500)}]`;
    const list = `{"a":[${'0,'.repeat(15_000)}0],"b":[${named(1000)},${named(1000)}]}`;

    expect(parseJsonBody(Buffer.from(two), few)).toBeTypeOf('object');
    expect(parseJsonBody(Buffer.from(list), few)).toBeTypeOf('object');
  });
});

describe('RouteTable', () => {
  const table = new RouteTable();
  table.add('GET', '/users/:id');
  table.add('DELETE', '/users/:id');
  table.add('GET', '/files/*');
  table.add('OPTIONS', '/*');

  it.each([
    ['/users/5', ['DELETE', 'GET']],
    ['/users/', []],
    ['/users/5/x', []],
    ['/files/a/b', ['GET']],
    ['/files/', ['GET']],
    ['/files', []],
    ['/nothing', []],
  ])('knows the methods of %s', (path, methods) => {
    expect(table.methodsOf(path)).toEqual(methods);
  });
});

describe('isProbe', () => {
  it('knows the paths of probes, and none of an application beside them', () => {
    expect(['/health/live', '/health/ready', '/health/startup', '/metrics'].every(isProbe)).toBe(true);
    expect(['/health/records', '/health/', '/health', '/metrics/x', undefined].some(isProbe)).toBe(false);
  });
});
