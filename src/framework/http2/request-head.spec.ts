import { describe, expect, it } from 'vitest';
import { controls, spoiled } from '../../../test/support/wire-requests.js';
import { judgeField } from './field-rules.js';
import { FieldCollector, type Http2RequestHead, unknownLength } from './request-head.js';

type Lines = readonly (readonly [name: string, value: string])[];

const pseudo: Lines = [
  [':method', 'POST'],
  [':scheme', 'http'],
  [':path', '/a?b'],
  [':authority', 'Example:80'],
];

function collect(lines: Lines, endStream = false): { head: Http2RequestHead | undefined; collector: FieldCollector } {
  const collector = new FieldCollector();
  collector.begin(false);
  for (const [name, value] of lines) collector.onField(name, value, judgeField(name, value));
  return { head: collector.takeHead(endStream, true), collector };
}

const without = (name: string): Lines => pseudo.filter(([each]) => each !== name);
const withValue = (name: string, value: string): Lines =>
  pseudo.map(([each, old]) => [each, each === name ? value : old]);

describe('FieldCollector', () => {
  it('gives the head of a request with its fields in order', () => {
    const { head, collector } = collect([
      ...pseudo,
      ['x-a', '1'],
      ['content-length', '7'],
      ['x-a', '2'],
      ['te', 'trailers'],
    ]);

    expect(head).toMatchObject({
      method: 'POST',
      scheme: 'http',
      path: '/a?b',
      authority: 'Example:80',
      endStream: false,
    });
    expect(head?.headers.get('x-a')).toBe('1, 2');
    expect(head?.headers.get('x-b')).toBeUndefined();
    expect(head?.headers.size).toBe(4);
    expect([...(head?.headers ?? [])].map(([name]) => name)).toEqual(['x-a', 'content-length', 'x-a', 'te']);
    expect(collector.contentLength).toBe(7);
  });

  it('joins the crumbs of a cookie', () => {
    const { head } = collect([...pseudo, ['cookie', 'a=1'], ['cookie', 'b=2']]);

    expect(head?.headers.get('cookie')).toBe('a=1; b=2');
    expect(head?.headers.toRecord()).toEqual({ cookie: 'a=1; b=2' });
  });

  it('keeps names that objects have from the record', () => {
    const { head } = collect([...pseudo, ['__proto__', 'x'], ['constructor', 'y']]);

    expect(Object.entries(head?.headers.toRecord() ?? {})).toEqual([
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ]);
  });

  it('takes the authority from host where that is all there is, and CONNECT without scheme and path', () => {
    expect(collect([...without(':authority'), ['host', 'other']]).head?.authority).toBe('other');
    expect(collect([...pseudo, ['host', 'example:80']]).head?.authority).toBe('Example:80');
    expect(
      collect([
        [':method', 'CONNECT'],
        [':authority', 'a:1'],
      ]).head,
    ).toMatchObject({ method: 'CONNECT', path: '' });
    expect(collect([...withValue(':path', '*'), [':method', 'OPTIONS']]).head).toBeUndefined();
    expect(
      collect([
        [':method', 'OPTIONS'],
        [':scheme', 'http'],
        [':path', '*'],
        [':authority', 'a'],
      ]).head?.path,
    ).toBe('*');
  });

  it.each(['a', 'a.b-c_d:0', 'a:', '127.0.0.1:80', '[::1]:80', '[fe80::1%25eth0]', '%7Ea', "a!$&'()*+,;=~b"])(
    'takes the authority %s, which RFC 3986 allows',
    (authority) => {
      expect(collect(withValue(':authority', authority)).head?.authority).toBe(authority);
    },
  );

  it.each([
    ['http', 'example', 'EXAMPLE:80'],
    ['http', 'example:', 'example'],
    ['https', 'example:443', 'example'],
  ])('takes a host that says the same as :authority in other words (%s: %s, %s)', (scheme, authority, host) => {
    const lines: Lines = [
      [':method', 'GET'],
      [':scheme', scheme],
      [':path', '/'],
      [':authority', authority],
      ['host', host],
    ];

    expect(collect(lines).head?.authority).toBe(authority);
  });

  it('takes a scheme however it is written', () => {
    expect(collect(withValue(':scheme', 'HTTP')).head?.scheme).toBe('http');
    expect(collect(withValue(':scheme', 'coap+tcp')).head?.scheme).toBe('coap+tcp');
  });

  it.each<[string, Lines]>([
    ['no :method', without(':method')],
    ['no :scheme', without(':scheme')],
    ['no :path', without(':path')],
    ['neither :authority nor host', without(':authority')],
    ['an empty :path', withValue(':path', '')],
    ['a :path without a slash', withValue(':path', 'a')],
    ['a :path with a blank', withValue(':path', '/a b')],
    ['a fragment in :path', withValue(':path', '/a#b')],
    ['a fragment behind the query in :path', withValue(':path', '/a?b#c')],
    ['a byte above 127 in :path', withValue(':path', '/\u00e4')],
    ['a byte above 127 in the query of :path', withValue(':path', '/?\u00e4')],
    ['a backslash in the path of :path', withValue(':path', '/a\\b')],
    ['a quotation mark in the path of :path', withValue(':path', '/a"b')],
    ['DEL in :path', withValue(':path', '/a\x7f')],
    ['DEL in the query of :path', withValue(':path', '/?\x7f')],
    ['an asterisk outside of OPTIONS', withValue(':path', '*')],
    ['a user in :authority', withValue(':authority', 'me@example')],
    ['a path in :authority', withValue(':authority', 'example/a')],
    ['a query in :authority', withValue(':authority', 'example?a')],
    ['a backslash in :authority', withValue(':authority', 'example\\a')],
    ['two ports in :authority', withValue(':authority', 'example:80:81')],
    ['a port that is no number in :authority', withValue(':authority', 'example:8o')],
    ['a bracket that stays open in :authority', withValue(':authority', '[::1')],
    ['something behind the bracket in :authority', withValue(':authority', '[::1]a')],
    ['half an escape in :authority', withValue(':authority', 'a%2')],
    ['a byte above 127 in :authority', withValue(':authority', 'ex\u00e4mple')],
    ['a user in host', [...without(':authority'), ['host', 'me@example']]],
    ['a list in host', [...without(':authority'), ['host', 'a, b']]],
    ['a port in host that differs from :authority', [...pseudo, ['host', 'example:81']]],
    [
      'host and :authority whose ports are the same by another scheme only',
      [...withValue(':scheme', 'https'), ['host', 'example']],
    ],
    ['a scheme that begins with a digit', withValue(':scheme', '1http')],
    ['a scheme with a colon', withValue(':scheme', 'http:')],
    ['an empty scheme', withValue(':scheme', '')],
    ['a method that is no token', withValue(':method', 'GE T')],
    ['a pseudo-header twice', [...pseudo, [':path', '/']]],
    ['an unknown pseudo-header', [...pseudo, [':other', '1']]],
    ['a pseudo-header of responses', [...pseudo, [':status', '200']]],
    ['extended CONNECT, which we do not offer', [...pseudo, [':protocol', 'websocket']]],
    ['a pseudo-header after a field', [['x-a', '1'], ...pseudo]],
    ['upper case in a name', [...pseudo, ['X-a', '1']]],
    ['an empty name', [...pseudo, ['', '1']]],
    ['a blank in a name', [...pseudo, ['x a', '1']]],
    ['a byte above 127 in a name', [...pseudo, ['x\u00e4', '1']]],
    ['a line feed in a value', [...pseudo, ['x-a', 'a\nb']]],
    ['a carriage return in a value', [...pseudo, ['x-a', 'a\rb']]],
    ['NUL in a value', [...pseudo, ['x-a', 'a\0b']]],
    ...controls.map((each): [string, Lines] => [
      `the control character ${each.charCodeAt(0)} in a value`,
      [...pseudo, ['x-a', `a${each}b`]],
    ]),
    ['a blank before a value', [...pseudo, ['x-a', ' a']]],
    ['a tab after a value', [...pseudo, ['x-a', 'a\t']]],
    ['connection', [...pseudo, ['connection', 'close']]],
    ['proxy-connection', [...pseudo, ['proxy-connection', 'close']]],
    ['keep-alive', [...pseudo, ['keep-alive', '5']]],
    ['transfer-encoding', [...pseudo, ['transfer-encoding', 'chunked']]],
    ['upgrade', [...pseudo, ['upgrade', 'h2c']]],
    ['te other than trailers', [...pseudo, ['te', 'gzip']]],
    ['host that differs from :authority', [...pseudo, ['host', 'other']]],
    ['host twice', [...pseudo, ['host', 'example:80'], ['host', 'example:80']]],
    ['content-length that is no number', [...pseudo, ['content-length', '+1']]],
    ['the same content-length twice', [...pseudo, ['content-length', '1'], ['content-length', '1']]],
    ['a list of content-lengths', [...pseudo, ['content-length', '1, 1']]],
    ['a no-break space before content-length', [...pseudo, ['content-length', '\u00a01']]],
    ['a no-break space before te', [...pseudo, ['te', '\u00a0trailers']]],
    ['a no-break space before host', [...without(':authority'), ['host', '\u00a0a']]],
    ['two content-lengths', [...pseudo, ['content-length', '1'], ['content-length', '2']]],
    [
      'CONNECT with a path',
      [
        [':method', 'CONNECT'],
        [':authority', 'a'],
        [':path', '/'],
      ],
    ],
    [
      'CONNECT without a port',
      [
        [':method', 'CONNECT'],
        [':authority', 'a'],
      ],
    ],
    [
      'CONNECT without a host',
      [
        [':method', 'CONNECT'],
        [':authority', ':80'],
      ],
    ],
    ['CONNECT without authority', [[':method', 'CONNECT']]],
  ])('refuses a request with %s', (_what, lines) => {
    expect(collect(lines).head).toBeUndefined();
  });

  it.each(['authorization', 'content-type'])('says that %s was there twice, and refuses nothing itself', (name) => {
    const once: Lines = [...pseudo, [name, 'a']];

    expect(collect(once).head?.repeated).toBe('');
    expect(collect([...once, ['x-a', 'b'], ['x-a', 'b']]).head?.repeated).toBe('');
    expect(collect([...once, ['x-a', 'b'], [name, 'a']]).head).toMatchObject({ repeated: name });
  });

  it.each(["/a/b;c=d,e:@!$&'()*+-._~", '/[a]|^', '/a%20%zz', '/?a[]={b}|"<>^`\\&%', '//', '/.', '/??'])(
    'takes the path %s',
    (path) => {
      expect(collect(withValue(':path', path)).head?.path).toBe(path);
    },
  );

  it.each<[string, string]>([
    [':method', 'POST'],
    [':scheme', 'http'],
    [':authority', 'a.example:80'],
    [':path', '/a/b?c=d'],
    ['te', 'trailers'],
    ['content-length', '17'],
  ])('takes %s: %s as it is, and with a byte more at no place', (name, word) => {
    const head = (value: string): Http2RequestHead | undefined =>
      collect(name.startsWith(':') ? withValue(name, value) : [...pseudo, [name, value]]).head;

    expect([word, ...spoiled(word)].filter((each) => head(each) !== undefined)).toEqual([word]);
  });

  it('takes a tab and bytes above 127 within a value', () => {
    expect(collect([...pseudo, ['x-a', 'a\tb\u00ff']]).head?.headers.get('x-a')).toBe('a\tb\u00ff');
  });

  it('refuses a length where there is no body', () => {
    expect(collect([...pseudo, ['content-length', '1']], true).head).toBeUndefined();
    expect(collect([...pseudo, ['content-length', '0']], true).head).toBeDefined();
    expect(collect(pseudo).collector.contentLength).toBe(unknownLength);
  });

  it('refuses pseudo-headers in trailers', () => {
    const collector = new FieldCollector();
    collector.begin(true);
    collector.onField(':path', '/', judgeField(':path', '/'));

    expect(collector.malformed).not.toBe('');
  });
});
