import { parseAddress, type Peer } from '../../core/index.js';
import type { HopReader } from './hop-reader.js';
import { parseNode } from './node-name.js';

/**
 * The list of `x-forwarded-for`, from its end, where the nearest proxy has written. Entries are addresses, with a port or
 * without, IPv6 with brackets or without; empty ones count for nothing (RFC 9110 section 5.6.1.2).
 *
 * @see https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/X-Forwarded-For the header is no standard
 */
export class ForwardedForReader implements HopReader {
  readonly #list: string;
  /** What lies before is unread. */
  #end: number;

  /** @param list all header lines, joined by commas in their order */
  constructor(list: string) {
    this.#list = list;
    this.#end = list.length;
  }

  next(): Peer | undefined {
    while (this.#end > 0) {
      const comma = this.#list.lastIndexOf(',', this.#end - 1);
      const entry = withoutSpace(this.#list.slice(comma + 1, this.#end));
      this.#end = comma;
      if (entry !== '') return readEntry(entry);
    }
    return undefined;
  }
}

/** The last entry of a list that each proxy adds to, or overwrites: that of the nearest proxy. */
export function lastEntry(list: string): string {
  return withoutSpace(list.slice(list.lastIndexOf(',') + 1));
}

function readEntry(entry: string): Peer | undefined {
  // An obfuscated port is RFC 7239's alone.
  if (entry.includes('_')) return undefined;
  const address = entry.startsWith('[') ? undefined : parseAddress(entry);
  return address === undefined ? parseNode(entry) : { address, port: 0 };
}

// OWS is SP and HTAB (RFC 9110 section 5.6.3), `trim()` takes more away.
function withoutSpace(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isSpace(text.charCodeAt(start))) start += 1;
  while (end > start && isSpace(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
