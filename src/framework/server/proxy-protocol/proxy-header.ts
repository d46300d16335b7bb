import { isIPv4 } from 'node:net';
import { parseAddress, type Peer } from '../../core/index.js';
import { readBinaryHeader, signature } from './binary-header.js';
import type { ProxyReading } from './proxy-reading.js';

const textStart = Buffer.from('PROXY ', 'latin1');
// Section 2.1: "107 chars", CRLF included.
const longestText = 107;
const addressForm = /^PROXY TCP([46]) (\S+) (\S+) (\S+) (\S+)$/;
const unknownForm = /^PROXY UNKNOWN(?: |$)/;
const portForm = /^(?:0|[1-9]\d{0,4})$/;
const highestPort = 65_535;
const carriageReturn = 0x0d;
const lineFeed = 0x0a;

/**
 * Reads a header of either version from the first bytes of a connection.
 *
 * @see https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt
 */
export function readProxyHeader(seen: Buffer): ProxyReading {
  if (beginsLike(seen, signature)) return seen.length < signature.length ? 'incomplete' : readBinaryHeader(seen);
  if (beginsLike(seen, textStart)) return seen.length < textStart.length ? 'incomplete' : readTextHeader(seen);
  return 'missing';
}

/** Whether the first bytes of a connection are a header of the PROXY protocol, or the beginning of one. */
export function isProxyHeader(seen: Buffer): boolean {
  const text = seen.toString('latin1', 0, longestText);
  return (
    /^PROXY (?:TCP[46] |UNKNOWN[ \r])/.test(text) || (seen.length >= signature.length && beginsLike(seen, signature))
  );
}

function beginsLike(seen: Buffer, expected: Buffer): boolean {
  const length = Math.min(seen.length, expected.length);
  return seen.compare(expected, 0, length, 0, length) === 0;
}

/** Section 2.1: one line, of which every byte is prescribed. */
function readTextHeader(seen: Buffer): ProxyReading {
  const end = seen.subarray(0, longestText).indexOf(lineFeed);
  if (end < 0) return seen.length < longestText ? 'incomplete' : 'malformed';
  if (seen[end - 1] !== carriageReturn) return 'malformed';
  const line = seen.toString('latin1', 0, end - 1);
  const length = end + 1;
  // What comes behind it "must be ignored".
  if (unknownForm.test(line)) return { length, source: undefined };
  const [, family, from = '', to = '', fromPort = '', toPort = ''] = addressForm.exec(line) ?? [];
  const source = peerOf(family === '4', from, fromPort);
  return source === undefined || peerOf(family === '4', to, toPort) === undefined ? 'malformed' : { length, source };
}

function peerOf(isFour: boolean, text: string, portText: string): Peer | undefined {
  const address = isIPv4(text) === isFour ? parseAddress(text) : undefined;
  const port = portForm.test(portText) ? Number(portText) : Number.POSITIVE_INFINITY;
  return address === undefined || port > highestPort ? undefined : { address, port };
}
