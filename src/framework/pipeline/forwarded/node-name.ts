import { parseAddress, type Peer } from '../../core/index.js';

// RFC 7239 section 6; an IPv6 address stands in brackets. What is hidden by `unknown` or `_name` is no address.
const nodeForm = /^(?:([\d.]+)|\[([\dA-Fa-f:.]+)\])(?::(?:(\d{1,5})|_[\w.-]+))?$/;

const highestPort = 65_535;

/**
 * Reads the name of a node, such as `192.0.2.1`, `192.0.2.1:4711` or `[2001:db8::1]:4711`.
 *
 * @returns `undefined` for what names no address: `unknown`, `_hidden`, anything malformed
 */
export function parseNode(text: string): Peer | undefined {
  const [, ipv4, ipv6, port] = nodeForm.exec(text) ?? [];
  const address = parseAddress(ipv4 ?? ipv6 ?? '');
  if (address === undefined || (ipv6 !== undefined && !ipv6.includes(':'))) return undefined;
  const number = Number(port ?? 0);
  return number > highestPort ? undefined : { address, port: number };
}
