import { parseAddress, type Peer } from '../../core/index.js';
import { crc32c } from './crc32c.js';
import type { ProxyReading } from './proxy-reading.js';

/** Section 2.2: "that never matches any of the existing protocols". */
export const signature: Buffer = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');

const headBytes = 16;
/** Of addresses and TLVs: what proxies send has some hundred bytes, with a client's certificate some thousand. */
export const longestBody = 8192;

const local = 0x20;
const proxied = 0x21;

// Section 2.2: address family and transport, and the bytes of its addresses.
const addressBytes: ReadonlyMap<number, number> = new Map([
  [0x00, 0],
  [0x11, 12],
  [0x12, 12],
  [0x21, 36],
  [0x22, 36],
  [0x31, 216],
  [0x32, 216],
]);
const tcp4 = 0x11;
const tcp6 = 0x21;

const tlvHeadBytes = 3;
const crcType = 0x03;
const crcBytes = 4;

/** Section 2.2. Sources that are no TCP addresses count as not told, as the text has it. */
export function readBinaryHeader(seen: Buffer): ProxyReading {
  const command = seen[12];
  if (command !== undefined && command !== local && command !== proxied) return 'malformed';
  const family = seen[13];
  // Of a proxy that speaks for itself, such as for a health check, the rest is to be skipped whatever it is.
  const isLocal = command === local;
  const addresses = isLocal || family === undefined ? 0 : addressBytes.get(family);
  if (addresses === undefined) return 'malformed';
  if (seen.length < headBytes) return 'incomplete';
  const bodyBytes = seen.readUInt16BE(14);
  if (bodyBytes > longestBody || bodyBytes < addresses) return 'malformed';
  const length = headBytes + bodyBytes;
  if (seen.length < length) return 'incomplete';
  if (isLocal) return { length, source: undefined };
  const header = seen.subarray(0, length);
  if (!hasGoodTlvs(header, headBytes + addresses)) return 'malformed';
  return { length, source: sourceOf(family, header) };
}

function sourceOf(family: number | undefined, header: Buffer): Peer | undefined {
  if (family === tcp4) return { address: header.subarray(16, 20).join('.'), port: header.readUInt16BE(24) };
  if (family !== tcp6) return undefined;
  const groups = Array.from({ length: 8 }, (_, at) => header.readUInt16BE(16 + 2 * at).toString(16));
  const address = parseAddress(groups.join(':'));
  return address === undefined ? undefined : { address, port: header.readUInt16BE(48) };
}

/** Whether the TLVs fill the header from `start` on, and its checksum, if there is one, is right. */
function hasGoodTlvs(header: Buffer, start: number): boolean {
  let at = start;
  while (at < header.length) {
    if (at + tlvHeadBytes > header.length) return false;
    const valueAt = at + tlvHeadBytes;
    const end = valueAt + header.readUInt16BE(at + 1);
    if (end > header.length) return false;
    if (header[at] === crcType && !isChecksum(header, valueAt, end)) return false;
    at = end;
  }
  return true;
}

// Section 2.2.4: of the whole header, with zeros in place of the checksum.
function isChecksum(header: Buffer, start: number, end: number): boolean {
  if (end - start !== crcBytes) return false;
  const blank = Buffer.from(header).fill(0, start, end);
  return crc32c(blank) === header.readUInt32BE(start);
}
