import { describe, expect, it } from 'vitest';
import { parseJsonBody } from './json-body.js';
import { RouteTable } from './route-table.js';

describe('parseJsonBody', () => {
  it('reads JSON', () => {
    expect(parseJsonBody(Buffer.from('{"a":[1,"ä"]}'))).toEqual({ a: [1, 'ä'] });
  });

  it('takes an empty body for none', () => {
    expect(parseJsonBody(Buffer.alloc(0))).toBeUndefined();
  });

  it.each([
    ['{"a":', 'the body is not valid JSON'],
    ['{"__proto__":{"x":1}}', 'the key __proto__ is not allowed'],
    ['{"\\u005f_proto__":{"x":1}}', 'the key __proto__ is not allowed'],
    [`${'['.repeat(65)}${']'.repeat(65)}`, 'the body is nested more than 64 levels deep'],
  ])('refuses %s', (text, message) => {
    expect(() => parseJsonBody(Buffer.from(text))).toThrow(
      expect.objectContaining({ reason: 'MALFORMED_BODY', message }),
    );
  });

  it('refuses bytes that are not UTF-8', () => {
    expect(() => parseJsonBody(Buffer.from([0x22, 0xff, 0x22]))).toThrow('the body is not valid UTF-8');
  });

  it('does not count brackets inside strings', () => {
    expect(parseJsonBody(Buffer.from(JSON.stringify('[\\"['.repeat(100))))).toBe('[\\"['.repeat(100));
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
