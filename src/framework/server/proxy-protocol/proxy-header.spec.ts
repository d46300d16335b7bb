import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { longestBody, signature } from './binary-header.js';
import { crc32c } from './crc32c.js';
import { isProxyHeader, readProxyHeader } from './proxy-header.js';

const request = 'GET / HTTP/1.1\r\n\r\n';
const read = (text: string) => readProxyHeader(Buffer.from(text, 'latin1'));

interface Parts {
  readonly command?: number;
  readonly family?: number;
  readonly body?: readonly number[];
  readonly length?: number;
}

const ipv4 = [203, 0, 113, 7, 10, 0, 0, 1, 0x12, 0x67, 0x01, 0xbb];
const ipv6 = [
  ...[0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7],
  ...[0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
  ...[0x12, 0x67, 0x01, 0xbb],
];

function binary({ command = 0x21, family = 0x11, body = ipv4, length = body.length }: Parts = {}): Buffer {
  return Buffer.concat([signature, Buffer.from([command, family, length >>> 8, length & 0xff, ...body])]);
}

/** With a checksum TLV behind the addresses; `change` is added to it. */
function summed(change = 0): Buffer {
  const header = binary({ body: [...ipv4, 0x03, 0, 4, 0, 0, 0, 0] });
  header.writeUInt32BE((crc32c(header) + change) >>> 0, header.length - 4);
  return header;
}

describe('crc32c', () => {
  it.each([
    ['', 0],
    ['123456789', 0xe3_06_92_83],
    ['\0'.repeat(32), 0x8a_91_36_aa],
    ['\u00ff'.repeat(32), 0x62_a8_ab_43],
  ])('of %j', (text, sum) => {
    expect(crc32c(Buffer.from(text, 'latin1'))).toBe(sum);
  });
});

describe('readProxyHeader, version 1', () => {
  it.each([
    ['PROXY TCP4 203.0.113.7 10.0.0.1 4711 443\r\n', { address: '203.0.113.7', port: 4711 }],
    ['PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n', { address: '255.255.255.255', port: 65_535 }],
    ['PROXY TCP4 203.0.113.7 10.0.0.1 0 0\r\n', { address: '203.0.113.7', port: 0 }],
    ['PROXY TCP6 2001:DB8::7 fd00::1 4711 443\r\n', { address: '2001:db8::7', port: 4711 }],
    ['PROXY TCP6 ::ffff:203.0.113.7 ::1 4711 443\r\n', { address: '203.0.113.7', port: 4711 }],
    [
      `PROXY TCP6 ${'ffff:'.repeat(7)}ffff ${'ffff:'.repeat(7)}ffff 65535 65535\r\n`,
      { address: `${'ffff:'.repeat(7)}ffff`, port: 65_535 },
    ],
    ['PROXY UNKNOWN\r\n', undefined],
    ['PROXY UNKNOWN 203.0.113.7 whatever\u00ff \0\r\n', undefined],
    [`PROXY UNKNOWN ${'x'.repeat(91)}\r\n`, undefined],
  ])('reads %j', (header, source) => {
    expect(read(header)).toEqual({ length: header.length, source });
    expect(read(`${header}${request}`)).toEqual({ length: header.length, source });
  });

  it.each([
    'PROXY TCP4 203.0.113.7 10.0.0.1 4711 443\n',
    'PROXY TCP4 203.0.113.7 10.0.0.1 4711 443\n\r\n',
    'PROXY TCP4 203.0.113.7 10.0.0.1 4711 443 \r\n',
    'PROXY TCP4  203.0.113.7 10.0.0.1 4711 443\r\n',
    'PROXY  TCP4 203.0.113.7 10.0.0.1 4711 443\r\n',
    'PROXY TCP4\t203.0.113.7 10.0.0.1 4711 443\r\n',
    'PROXY TCP4 203.0.113.7\u00a010.0.0.1 4711 443\r\n',
    'PROXY TCP4 203.0.113.7 10.0.0.1 4711\r\n',
    'PROXY TCP4 203.0.113.7 10.0.0.1 4711 443 1\r\n',
    'PROXY TCP4 203.0.113.07 10.0.0.1 4711 443\r\n',
    'PROXY TCP4 203.0.113.256 10.0.0.1 4711 443\r\n',
    'PROXY TCP4 203.0.113.7 10.0.0 4711 443\r\n',
    'PROXY TCP4 203.0.113.7 10.0.0.1 04711 443\r\n',
    'PROXY TCP4 203.0.113.7 10.0.0.1 65536 443\r\n',
    'PROXY TCP4 203.0.113.7 10.0.0.1 4711 -1\r\n',
    'PROXY TCP4 203.0.113.7 10.0.0.1 4711 +443\r\n',
    'PROXY TCP4 203.0.113.7 10.0.0.1 4711 0x1\r\n',
    'PROXY TCP4 ::1 ::1 4711 443\r\n',
    'PROXY TCP6 203.0.113.7 10.0.0.1 4711 443\r\n',
    'PROXY TCP6 fe80::1%lo ::1 4711 443\r\n',
    'PROXY TCP6 [2001:db8::7] ::1 4711 443\r\n',
    'PROXY TCP5 203.0.113.7 10.0.0.1 4711 443\r\n',
    'PROXY UDP4 203.0.113.7 10.0.0.1 4711 443\r\n',
    'PROXY tcp4 203.0.113.7 10.0.0.1 4711 443\r\n',
    'PROXY UNKNOWNS\r\n',
    'PROXY \r\n',
    'PROXY \n',
    `PROXY UNKNOWN ${'x'.repeat(92)}\r\n`,
    `PROXY UNKNOWN ${'x'.repeat(200)}`,
  ])('finds %j malformed', (header) => {
    expect(read(header)).toBe('malformed');
  });

  it('waits at most for as many bytes as a header may have', () => {
    expect(read(`PROXY UNKNOWN ${'x'.repeat(92)}`)).toBe('incomplete');
    expect(read(`PROXY UNKNOWN ${'x'.repeat(93)}`)).toBe('malformed');
  });
});

describe('readProxyHeader, version 2', () => {
  it.each<[string, Parts, unknown]>([
    ['TCP over IPv4', {}, { address: '203.0.113.7', port: 4711 }],
    ['TCP over IPv6', { family: 0x21, body: ipv6 }, { address: '2001:db8::7', port: 4711 }],
    [
      'IPv4-mapped',
      { family: 0x21, body: [...Array<number>(10).fill(0), 0xff, 0xff, 203, 0, 113, 7, ...ipv6.slice(16)] },
      { address: '203.0.113.7', port: 4711 },
    ],
    ['no addresses', { family: 0, body: [] }, undefined],
    ['UNIX sockets', { family: 0x31, body: Array<number>(216).fill(0x61) }, undefined],
    ['UDP', { family: 0x12 }, undefined],
    ['LOCAL without a body', { command: 0x20, family: 0, body: [] }, undefined],
    ['LOCAL with addresses', { command: 0x20 }, undefined],
    ['LOCAL with anything', { command: 0x20, family: 0xee, body: [1, 2, 3] }, undefined],
    ['TLVs', { body: [...ipv4, 0x04, 0, 2, 9, 9, 0xea, 0, 0] }, { address: '203.0.113.7', port: 4711 }],
    ['TLVs without addresses', { family: 0, body: [0x04, 0, 1, 0] }, undefined],
    [
      'the longest body',
      { body: [...ipv4, 0x04, 0x1f, 0xf1, ...Array<number>(longestBody - 15).fill(0)] },
      { address: '203.0.113.7', port: 4711 },
    ],
  ])('reads %s', (_name, parts, source) => {
    const header = binary(parts);

    expect(readProxyHeader(header)).toEqual({ length: header.length, source });
    expect(readProxyHeader(Buffer.concat([header, Buffer.from(request)]))).toEqual({ length: header.length, source });
  });

  it('holds a checksum against the header', () => {
    expect(readProxyHeader(summed())).toEqual({ length: 35, source: { address: '203.0.113.7', port: 4711 } });
    expect(readProxyHeader(summed(1))).toBe('malformed');
  });

  it.each<[string, Parts]>([
    ['version 1', { command: 0x11 }],
    ['version 3', { command: 0x31 }],
    ['an unknown command', { command: 0x22 }],
    ['an unknown family', { family: 0x41 }],
    ['an unknown transport', { family: 0x13 }],
    ['a family without a transport', { family: 0x10 }],
    ['fewer bytes than the addresses have', { body: ipv4.slice(0, 11) }],
    ['IPv6 with the length of IPv4', { family: 0x21 }],
    ['a TLV without a length', { body: [...ipv4, 0x04] }],
    ['a TLV beyond the header', { body: [...ipv4, 0x04, 0, 2, 0] }],
    ['a checksum of three bytes', { body: [...ipv4, 0x03, 0, 3, 0, 0, 0] }],
    ['a body beyond the limit', { length: longestBody + 1 }],
    ['LOCAL with a body beyond the limit', { command: 0x20, length: 65_535 }],
  ])('finds %s malformed', (_name, parts) => {
    expect(readProxyHeader(binary(parts))).toBe('malformed');
  });
});

describe('readProxyHeader', () => {
  it.each([
    'GET / HTTP/1.1\r\n',
    'PRI * HTTP/2.0\r\n',
    '\u0016\u0003\u0001',
    'proxy ',
    ' PROXY ',
    'PROXYTCP4',
    '\r\n\r\nG',
  ])('misses a header in %j', (text) => {
    expect(read(text)).toBe('missing');
  });

  it('waits for the rest of a header, at whichever byte it is split', () => {
    for (const header of [Buffer.from('PROXY TCP4 203.0.113.7 10.0.0.1 4711 443\r\n'), binary(), summed()]) {
      for (let at = 0; at < header.length; at += 1) {
        expect(readProxyHeader(header.subarray(0, at)), `${at} bytes`).toBe('incomplete');
      }
    }
  });

  it('says the same of more bytes, once it has said anything', () => {
    const start = fc.constantFrom(signature, Buffer.from('PROXY '), Buffer.from('PROXY TCP4 '), Buffer.alloc(0));
    const bytes = fc.uint8Array({ maxLength: 300 });

    fc.assert(
      fc.property(start, bytes, bytes, (head, body, more) => {
        const seen = Buffer.concat([head, body]);
        const reading = readProxyHeader(seen);
        const later = readProxyHeader(Buffer.concat([seen, more]));
        expect(reading === 'incomplete' ? later : reading).toEqual(later);
      }),
      { numRuns: 1000 },
    );
  });

  it('reads back every source that can be written', () => {
    fc.assert(
      fc.property(fc.ipV4(), fc.ipV6(), fc.nat(65_535), (four, six, port) => {
        expect(read(`PROXY TCP4 ${four} 10.0.0.1 ${port} 80\r\n`)).toMatchObject({ source: { address: four, port } });
        expect(read(`PROXY TCP6 ${six} ::1 ${port} 80\r\n`)).toMatchObject({ source: { port } });
      }),
      { numRuns: 500 },
    );
  });
});

describe('isProxyHeader', () => {
  it.each([
    ['PROXY TCP4 1.2.3.4', true],
    ['PROXY TCP6 ::1', true],
    ['PROXY UNKNOWN\r\n', true],
    ['PROXY / HTTP/1.1\r\n', false],
    ['GET / HTTP/1.1\r\n', false],
    ['\r\n\r\n', false],
  ])('of %j: %s', (text, isHeader) => {
    expect(isProxyHeader(Buffer.from(text))).toBe(isHeader);
  });

  it('knows the binary form', () => {
    expect(isProxyHeader(binary())).toBe(true);
    expect(isProxyHeader(signature)).toBe(true);
  });
});
