import { BlockList, isIPv4, isIPv6, SocketAddress } from 'node:net';

/** The other end of a connection, or of what a proxy forwards over one. */
export interface Peer {
  /** IPv4 or IPv6, without brackets; `''` for a socket that is gone. */
  readonly address: string;
  /** 0 where it is not known. */
  readonly port: number;
}

// What a socket that listens on IPv6 calls an IPv4 client: RFC 4291 section 2.5.5.2.
const mappedPrefix = '::ffff:';

/** An address as sockets report it; an IPv4-mapped one is written as IPv4, so that each client has one name. */
export function plainAddress(address: string): string {
  if (!address.startsWith(mappedPrefix)) return address;
  const inner = address.slice(mappedPrefix.length);
  return isIPv4(inner) ? inner : address;
}

/**
 * Reads an address that was sent as text.
 *
 * @returns the one form of it: lower case, the longest run of zeros left out, IPv4 for IPv4-mapped; `undefined` for what
 *   is no address, such as one with a port, a zone or leading zeros
 */
export function parseAddress(text: string): string | undefined {
  if (isIPv4(text)) return text;
  if (!isIPv6(text) || text.includes('%')) return undefined;
  return plainAddress(new SocketAddress({ address: text, family: 'ipv6' }).address);
}

/** Addresses in CIDR notation. An IPv4-mapped address counts as the IPv4 one, in the list and outside; `::/0` is IPv6 alone. */
export class AddressRanges {
  readonly #ipv4 = new BlockList();
  readonly #ipv6 = new BlockList();

  /**
   * @param ranges such as `10.0.0.0/8`, `fd00::/8`, `192.0.2.1`; bits behind the prefix are ignored
   * @throws TypeError  one of them is no range
   */
  constructor(ranges: readonly string[]) {
    for (const text of ranges) {
      const range = parseRange(text);
      if (range === undefined) throw new TypeError(`${JSON.stringify(text)} (expected: an address or address/prefix)`);
      if (range.isIPv4) this.#ipv4.addSubnet(range.address, range.prefix, 'ipv4');
      else this.#ipv6.addSubnet(range.address, range.prefix, 'ipv6');
    }
  }

  /** Whether `text` can be one of the ranges. */
  static isRange(text: unknown): boolean {
    return typeof text === 'string' && parseRange(text) !== undefined;
  }

  /** @param address as `plainAddress()` or `parseAddress()` return it; a zone does not count */
  includes(address: string): boolean {
    if (isIPv4(address)) return this.#ipv4.check(address, 'ipv4');
    const zoneAt = address.indexOf('%');
    const plain = zoneAt < 0 ? address : address.slice(0, zoneAt);
    return isIPv6(plain) && this.#ipv6.check(plain, 'ipv6');
  }
}

interface Range {
  readonly address: string;
  readonly prefix: number;
  readonly isIPv4: boolean;
}

const rangeForm = /^([^/]+)(?:\/(0|[1-9]\d{0,2}))?$/;

function parseRange(text: string): Range | undefined {
  const [, written = '', bits] = rangeForm.exec(text) ?? [];
  const address = parseAddress(written);
  if (address === undefined) return undefined;
  const isInner = isIPv4(address);
  const writtenBits = isIPv4(written) ? 32 : 128;
  const prefix = bits === undefined ? writtenBits : Number(bits);
  if (prefix > writtenBits) return undefined;
  if (!isInner || writtenBits === 32) return { address, prefix, isIPv4: isInner };
  // Of the IPv4-mapped addresses the first 96 bits are fixed: a shorter prefix is about more than IPv4.
  return prefix < 96 ? undefined : { address, prefix: prefix - 96, isIPv4: true };
}
