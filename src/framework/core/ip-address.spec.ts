import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AddressRanges, parseAddress, plainAddress } from './ip-address.js';

describe('plainAddress', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8::1', '2001:db8::1'],
    ['::ffff:1', '::ffff:1'],
    ['::ffff:0:192.0.2.1', '::ffff:0:192.0.2.1'],
    ['fe80::1%eth0', 'fe80::1%eth0'],
    ['', ''],
  ])('writes %j as %j', (address, plain) => {
    expect(plainAddress(address)).toBe(plain);
  });
});

describe('parseAddress', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['2001:DB8:0:0::1', '2001:db8::1'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['::FFFF:192.0.2.1', '192.0.2.1'],
    ['::ffff:c000:201', '192.0.2.1'],
    ['0:0:0:0:0:ffff:192.0.2.1', '192.0.2.1'],
  ])('reads %j as %j', (text, address) => {
    expect(parseAddress(text)).toBe(address);
  });

  it.each([
    '',
    'unknown',
    '192.0.2',
    '192.0.2.256',
    '192.0.02.1',
    '0xc0.0.2.1',
    '3221225985',
    '192.0.2.1:80',
    ' 192.0.2.1',
    '192.0.2.1\n',
    '[::1]',
    '::1%lo',
    '1::2::3',
    '12345::',
    '::1/128',
    '\u{ff11}.2.3.4',
  ])('takes %j for no address', (text) => {
    expect(parseAddress(text)).toBeUndefined();
  });

  it('gives every way to write an IPv6 address the same form', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(0xff_ff), { minLength: 8, maxLength: 8 }), (groups) => {
        const long = groups.map((group) => group.toString(16).padStart(4, '0')).join(':');
        const parsed = parseAddress(long.toUpperCase());
        expect(parsed).toBeDefined();
        expect(parseAddress(parsed ?? '')).toBe(parsed);
      }),
    );
  });
});

describe('AddressRanges', () => {
  it.each([
    ['10.0.0.0/8', '10.255.0.1', '11.0.0.1'],
    ['10.1.2.3/8', '10.255.0.1', '11.0.0.1'],
    ['192.0.2.7', '192.0.2.7', '192.0.2.6'],
    ['0.0.0.0/0', '203.0.113.9', '::1'],
    ['::/0', '2001:db8::1', '10.0.0.1'],
    ['fd00::/8', 'fd12::9', 'fe80::1'],
    ['fe80::/10', 'fe80::1%eth0', 'fd00::1'],
    ['::1', '::1', '127.0.0.1'],
    ['::ffff:10.0.0.0/104', '10.9.9.9', '11.0.0.1'],
    ['::ffff:10.0.0.1', '10.0.0.1', '10.0.0.2'],
    ['10.0.0.1/32', '10.0.0.1', '10.0.0.0'],
  ])('%s holds %s and not %s', (range, inside, outside) => {
    const ranges = new AddressRanges([range]);

    expect([ranges.includes(inside), ranges.includes(outside), ranges.includes('')]).toEqual([true, false, false]);
  });

  it('holds what any of its ranges holds', () => {
    const ranges = new AddressRanges(['10.0.0.0/8', '::1']);

    expect(['10.0.0.1', '::1', '::2', '9.0.0.1'].map((address) => ranges.includes(address))).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });

  it.each([
    '',
    '10.0.0.0/',
    '10.0.0.0/33',
    '10.0.0.0/08',
    '10.0.0.0/+8',
    '10.0.0/8',
    '::/129',
    '::ffff:0:0/95',
    '[::1]',
    'localhost',
    '10.0.0.0/8 ',
    'fe80::1%eth0',
    '10.0.0.0/8/8',
  ])('refuses %j', (text) => {
    expect(AddressRanges.isRange(text)).toBe(false);
    expect(() => new AddressRanges([text])).toThrow(TypeError);
  });

  it.each([undefined, null, 7, true, ['10.0.0.0/8']])('takes %j for no range', (value) => {
    expect(AddressRanges.isRange(value)).toBe(false);
  });
});
