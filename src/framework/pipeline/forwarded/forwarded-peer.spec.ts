import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Peer } from '../../core/index.js';
import { Http2Headers } from '../../http2/index.js';
import type { ForwardedPeer } from './forwarded-peer.js';
import { maxHops, TrustedProxies, type TrustProxy } from './trusted-proxies.js';

const proxy: Peer = { address: '10.0.0.1', port: 40_000 };
const proxies: TrustProxy = ['10.0.0.0/8', 'fd00::/8'];

type Fields = readonly (readonly [name: string, value: string])[];

function peerOf(fields: Fields, trust: TrustProxy = proxies, counts = { conflicts: 0 }): ForwardedPeer {
  const trusted = TrustedProxies.of(trust, counts);
  if (trusted?.trusts(proxy.address, 0) !== true) throw new Error('the proxy is not trusted');
  return trusted.peerOf(proxy, new Http2Headers(fields.flat()));
}

const byList = (list: string, trust?: TrustProxy): string => peerOf([['x-forwarded-for', list]], trust).address;
const byField = (field: string, trust?: TrustProxy): string => peerOf([['forwarded', field]], trust).address;

describe('TrustedProxies', () => {
  it.each([[0], [[]]])('%j trusts nobody', (setting) => {
    expect(TrustedProxies.of(setting)).toBeUndefined();
  });

  it('trusts as many hops as it is told, whoever they are', () => {
    const trusted = TrustedProxies.of(2);

    expect([0, 1, 2].map((hop) => trusted?.trusts('203.0.113.7', hop))).toEqual([true, true, false]);
    expect(trusted?.trusts('', 0)).toBe(false);
  });

  it('trusts the addresses it is told, at any hop up to the limit', () => {
    const trusted = TrustedProxies.of(['10.0.0.0/8']);

    expect([0, maxHops - 1, maxHops].map((hop) => trusted?.trusts('10.0.0.1', hop))).toEqual([true, true, false]);
    expect(trusted?.trusts('203.0.113.7', 0)).toBe(false);
    expect(trusted?.trusts('', 0)).toBe(false);
  });
});

describe('ForwardedPeer by x-forwarded-for', () => {
  it.each([
    ['203.0.113.7', '203.0.113.7'],
    ['198.51.100.1, 203.0.113.7', '203.0.113.7'],
    ['198.51.100.1, 10.0.0.2', '198.51.100.1'],
    ['198.51.100.1,\t10.0.0.2 ,10.0.0.3', '198.51.100.1'],
    ['203.0.113.7, 10.0.0.3, 10.0.0.2', '203.0.113.7'],
    ['10.0.0.4, 10.0.0.2', '10.0.0.4'],
    ['203.0.113.7:4711', '203.0.113.7'],
    ['2001:DB8::7', '2001:db8::7'],
    ['[2001:db8::7]', '2001:db8::7'],
    ['[2001:db8::7]:443', '2001:db8::7'],
    ['203.0.113.7, fd00::2', '203.0.113.7'],
    ['203.0.113.7, [fd00::2]:80', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['203.0.113.7, ::ffff:10.0.0.2', '203.0.113.7'],
    ['203.0.113.7, , 10.0.0.2,,', '203.0.113.7'],
  ])('finds in %j the nearest address that is not trusted', (list, address) => {
    expect(byList(list)).toBe(address);
  });

  it.each([
    'unknown',
    '_hidden',
    '203.0.113.7, unknown',
    '203.0.113.7, _hidden',
    '203.0.113.7, ::1%lo',
    '203.0.113.7, 010.0.0.2',
    '203.0.113.7, 10.0.0.2:',
    '203.0.113.7, 10.0.0.2:70000',
    '203.0.113.7, 10.0.0.2:+1',
    '203.0.113.7, 10.0.0.2:_port',
    '203.0.113.7, [10.0.0.2]',
    '203.0.113.7, "10.0.0.2"',
    '203.0.113.7, [fd00::2',
    '203.0.113.7, fd00::2]',
    '203.0.113.7, 10.0.0.2 10.0.0.3',
    '203.0.113.7, \u00a010.0.0.2',
    '203.0.113.7, 10.0.0.2\u000b',
    '203.0.113.7; 10.0.0.2',
    '203.0.113.7, for=10.0.0.2',
    '',
    ',',
    ' \t',
  ])('ends at the proxy, because %j does not name the one before it', (list) => {
    expect(byList(list)).toBe('10.0.0.1');
  });

  it('ends at the last good trusted hop where the one before it is garbage', () => {
    expect(byList('203.0.113.7, unknown, 10.0.0.3, 10.0.0.2')).toBe('10.0.0.3');
    expect(byList('203.0.113.7, @@, 10.0.0.3, 10.0.0.2')).toBe('10.0.0.3');
  });

  it('never looks at what stands before the first address that is not trusted', () => {
    expect(byList('\u00ff"\\, unknown, @, 203.0.113.7')).toBe('203.0.113.7');
  });

  it('joins several lines in their order', () => {
    const fields: Fields = [
      ['x-forwarded-for', '198.51.100.1, 203.0.113.7'],
      ['accept', '*/*'],
      ['x-forwarded-for', '10.0.0.3'],
      ['x-forwarded-for', '10.0.0.2'],
    ];

    expect(peerOf(fields).addresses).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3', '203.0.113.7']);
  });

  it('has the port where it is told, and 0 elsewhere', () => {
    expect(peerOf([['x-forwarded-for', '203.0.113.7:4711']]).port).toBe(4711);
    expect(peerOf([['x-forwarded-for', '[2001:db8::7]:4711']]).port).toBe(4711);
    expect(peerOf([['x-forwarded-for', '203.0.113.7']]).port).toBe(0);
    expect(peerOf([]).port).toBe(40_000);
  });

  it.each([
    [1, '203.0.113.7'],
    [2, '198.51.100.1'],
    [3, '192.0.2.66'],
    [9, '192.0.2.66'],
  ])('counts %i hops, whatever addresses they have', (hops, address) => {
    expect(byList('192.0.2.66, 198.51.100.1, 203.0.113.7', hops)).toBe(address);
  });

  it('ends a count of hops at what names no address', () => {
    expect(byList('203.0.113.7, unknown, 198.51.100.1', 3)).toBe('198.51.100.1');
  });

  it('follows no more than a bound of proxies, in a list of any length', () => {
    const { addresses } = peerOf([['x-forwarded-for', '10.0.0.2,'.repeat(100_000)]]);

    expect(addresses).toHaveLength(maxHops + 1);
  });

  it('reads a list of nothing but commas in one go', () => {
    const startedAtMs = performance.now();

    expect(byList(','.repeat(1_000_000))).toBe('10.0.0.1');
    expect(performance.now() - startedAtMs).toBeLessThan(1000);
  });
});

describe('ForwardedPeer by Forwarded', () => {
  it.each([
    ['for=203.0.113.7', '203.0.113.7'],
    ['For="[2001:db8:cafe::17]:4711"', '2001:db8:cafe::17'],
    ['for="[2001:DB8::7]"', '2001:db8::7'],
    ['for="203.0.113.7:4711"', '203.0.113.7'],
    ['for="203.0.113.7:_secret"', '203.0.113.7'],
    ['for=203.0.113.7;proto=http;by=10.0.0.9', '203.0.113.7'],
    ['proto=http; by=10.0.0.9 ;\tfor=203.0.113.7', '203.0.113.7'],
    ['for=203.0.113.7, for=10.0.0.2', '203.0.113.7'],
    ['for=198.51.100.1, for=203.0.113.7', '203.0.113.7'],
    ['for=203.0.113.7 , for="10.0.0.3:1",for="[fd00::2]"', '203.0.113.7'],
    ['for=203.0.113.7;secret="a,b;c=\\"d\\", for=198.51.100.9", for=10.0.0.2', '203.0.113.7'],
    ['for="\\2\\03.0.113.7"', '203.0.113.7'],
    ['for="[::ffff:203.0.113.7]"', '203.0.113.7'],
    [', for=203.0.113.7,, ;for=10.0.0.2;, ,', '203.0.113.7'],
    ['for=203.0.113.7;ext="\\\\", for=10.0.0.2;ext="\\\\"', '203.0.113.7'],
  ])('finds in %j the nearest address that is not trusted', (field, address) => {
    expect(byField(field)).toBe(address);
  });

  it.each([
    'for=unknown',
    'for=_hidden',
    'for="_hidden:_port"',
    'proto=https',
    'for=203.0.113.7, for=unknown',
    'for=203.0.113.7, for=UNKNOWN',
    'for=203.0.113.7, proto=https',
    'for=203.0.113.7, for=10.0.0.2:80',
    'for=203.0.113.7, for=[fd00::2]',
    'for=203.0.113.7, for="fd00::2"',
    'for=203.0.113.7, for="[10.0.0.2]"',
    'for=203.0.113.7, for="[fd00::2%lo]"',
    'for=203.0.113.7, for="10.0.0.2:123456"',
    'for=203.0.113.7, for="10.0.0.2:65536"',
    'for=203.0.113.7, for = 10.0.0.2',
    'for=203.0.113.7, for="10.0.0.2"x',
    'for=203.0.113.7, for="10.0.0.2',
    'for=203.0.113.7, for=10.0.0.2"',
    "for=203.0.113.7, for='10.0.0.2'",
    'for=203.0.113.7, for=10.0.0.2;for=10.0.0.3',
    'for=203.0.113.7, for=10.0.0.2;FOR=10.0.0.2',
    'for=203.0.113.7, for=" 10.0.0.2"',
    'for=203.0.113.7, for=10.0.0.2 proto=https',
    'for=203.0.113.7, 10.0.0.2',
    'for=203.0.113.7, =10.0.0.2',
    'for=203.0.113.7, for=',
    'for=203.0.113.7, for=""',
    'for=203.0.113.7, \u00a0for=10.0.0.2',
    'for=203.0.113.7\u000b',
    '203.0.113.7',
    '',
    ',;,',
    '"',
    '\\"',
  ])('ends at the proxy, because %j does not name the one before it', (field) => {
    expect(byField(field)).toBe('10.0.0.1');
  });

  it.each(['for=198.51.100.9;x="', 'for=198.51.100.9;x="\\', 'for=198.51.100.9;x="a\\\\\\', '"""', '@ =;;" ', 'for="'])(
    'finds what a proxy wrote behind %j',
    (clients) => {
      expect(byField(`${clients}, for=203.0.113.7`)).toBe('203.0.113.7');
      expect(byField(`${clients}, for="203.0.113.7:80";host="a.example", for="[fd00::2]"`)).toBe('203.0.113.7');
      expect(
        peerOf([
          ['forwarded', clients],
          ['forwarded', 'for="203.0.113.7:80"'],
        ]).address,
      ).toBe('203.0.113.7');
    },
  );

  it('cannot be led astray by anything that a client sends before what proxies write', () => {
    const own = 'for="203.0.113.7:4711";host="shop.example";proto=https, for="[fd00::2]";by=_gateway';

    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('"', '\\', ',', ';', '=', ' ', 'for', '198.51.100.9', 'x', '\u00e9') }),
        (clients) => {
          const peer = peerOf([['forwarded', `${clients}, ${own}`]]);
          expect([peer.address, peer.host, peer.protocol]).toEqual(['203.0.113.7', 'shop.example', 'https']);
        },
      ),
      { numRuns: 1000 },
    );
  });

  it.each([
    [1, '203.0.113.7'],
    [2, '198.51.100.1'],
    [9, '198.51.100.1'],
  ])('counts %i hops, whatever addresses they have', (hops, address) => {
    expect(byField('for=198.51.100.1, for=203.0.113.7', hops)).toBe(address);
  });

  it.each(['"', '\\"', '",', 'a="', ',;', '\\', 'a="\\"";'])('reads any number of %j in one go', (text) => {
    const startedAtMs = performance.now();

    expect(byField(text.repeat(200_000))).toBe('10.0.0.1');
    expect(performance.now() - startedAtMs).toBeLessThan(1000);
  });
});

describe('ForwardedPeer by both', () => {
  it('believes them where they say the same', () => {
    const peer = peerOf([
      ['x-forwarded-for', '198.51.100.1, 203.0.113.7'],
      ['forwarded', 'for="203.0.113.7:4711";proto=https'],
    ]);

    expect([peer.address, peer.port]).toEqual(['203.0.113.7', 4711]);
  });

  it.each([
    ['203.0.113.7', 'for=198.51.100.9'],
    ['198.51.100.9', 'for=203.0.113.7'],
    ['203.0.113.7', 'for=unknown'],
    ['unknown', 'for=203.0.113.7'],
    ['203.0.113.7', ''],
    ['203.0.113.7, 10.0.0.2', 'for=203.0.113.7, for=10.0.0.2, for=198.51.100.9'],
  ])('believes neither x-forwarded-for %j nor Forwarded %j, because one may be of the client alone', (list, field) => {
    const counts = { conflicts: 0 };
    const fields: Fields = [
      ['x-forwarded-for', list],
      ['forwarded', field],
    ];

    expect(peerOf(fields, proxies, counts).addresses).toEqual(['10.0.0.1']);
    expect(counts).toEqual({ conflicts: 1 });
  });
});

describe('protocol and host of a ForwardedPeer', () => {
  const client = ['x-forwarded-for', '203.0.113.7'] as const;

  function said(...fields: (readonly [string, string])[]): (string | undefined)[] {
    const peer = peerOf(fields);
    return [peer.protocol, peer.host];
  }

  it('are those of x-forwarded-proto and x-forwarded-host, by the nearest proxy', () => {
    expect(
      said(client, ['x-forwarded-proto', 'http, HTTPS'], ['x-forwarded-host', 'evil.example, a.example:8443']),
    ).toEqual(['https', 'a.example:8443']);
    expect(said(['x-forwarded-proto', 'https'], ['x-forwarded-proto', 'http'])).toEqual(['http', undefined]);
  });

  it('are those of the outermost trusted proxy in Forwarded', () => {
    const inner = 'for=10.0.0.2;proto=http;host=inner.example';

    expect(said(['forwarded', `for=198.51.100.9;proto=http;host=evil.example, ${outer()}, ${inner}`])).toEqual([
      'https',
      'a.example',
    ]);
    expect(said(['forwarded', `${outer('unknown')}, ${inner}`])).toEqual(['https', 'a.example']);
  });

  function outer(node = '203.0.113.7'): string {
    return `for=${node};proto=https;host="a.example"`;
  }

  it('are not taken from the family of headers that the proxy may not have written', () => {
    expect(said(client, ['forwarded', outer()])).toEqual([undefined, undefined]);
    expect(said(client, ['x-forwarded-proto', 'http'], ['forwarded', outer()])).toEqual([undefined, undefined]);
    expect(said(['forwarded', 'for=203.0.113.7'], ['x-forwarded-proto', 'https'])).toEqual([undefined, undefined]);
  });

  it('are taken where both families say the same', () => {
    const fields = [client, ['x-forwarded-proto', 'https'], ['x-forwarded-host', 'A.example'], ['forwarded', outer()]];

    expect(said(...(fields as [string, string][]))).toEqual(['https', 'a.example']);
  });

  it.each(['', 'ftp', 'https://', 'https\u00a0', 'java script'])('are not %j for a protocol', (protocol) => {
    expect(said(client, ['x-forwarded-proto', protocol])).toEqual([undefined, undefined]);
  });

  it.each(['', 'a b', 'a/b', 'a@b', '<b>', 'a:b', 'a:1:2', '[::1', 'a:123456', 'a.example\u00a0'])(
    'are not %j for a host',
    (host) => {
      expect(said(client, ['x-forwarded-host', host])).toEqual([undefined, undefined]);
    },
  );

  it.each(['a.example', 'a.example:8443', '[2001:db8::1]:8443', '192.0.2.1'])('are %j for a host', (host) => {
    expect(said(client, ['x-forwarded-host', host])).toEqual([undefined, host]);
  });
});

describe('what clients send', () => {
  it('gives an address or the proxy, whatever it is', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: fc.constantFrom('1', '.', ':', '[', ']', ',', '"', '\\', ';', '=', 'for', '10.0.0.2', ' ') }),
    );

    fc.assert(
      fc.property(text, text, fc.constantFrom<TrustProxy>(proxies, 1, 5), (list, field, trust) => {
        for (const fields of [[['x-forwarded-for', list]], [['forwarded', field]]] as [string, string][][]) {
          const peer = peerOf(fields, trust);
          expect(peer.address).toMatch(/^[\d.]+$|^[\da-f:.]+$/);
          expect(peer.addresses[0]).toBe('10.0.0.1');
        }
      }),
      { numRuns: 300 },
    );
  });
});
