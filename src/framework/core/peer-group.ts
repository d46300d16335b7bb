const mappedPrefix = '::ffff:';
// RFC 6177 section 2: the smallest network that a site is given; a client chooses the rest of its address itself.
const prefixGroups = 4;

/**
 * The part of an address that one client cannot change at will: an IPv4 address as a whole, also where it is written as an
 * IPv6 address, and the first 64 bits of an IPv6 address.
 *
 * @param address as `socket.remoteAddress` gives it; anything else is returned as it is
 */
export function peerGroupOf(address: string): string {
  if (!address.includes(':')) return address;
  const mapped = address.startsWith(mappedPrefix) && address.includes('.');
  if (mapped) return address.slice(mappedPrefix.length);
  const [before = '', after] = address.toLowerCase().split('%', 1)[0]?.split('::') ?? [];
  const head = groupsOf(before);
  const tail = after === undefined ? [] : groupsOf(after);
  const zeros = Array.from({ length: Math.max(0, 8 - head.length - tail.length) }, () => '0');
  const groups = [...head, ...zeros, ...tail].slice(0, prefixGroups);
  return `${groups.map((group) => group.replace(/^0+(?=.)/, '')).join(':')}::/64`;
}

function groupsOf(text: string): string[] {
  return text === '' ? [] : text.split(':');
}
