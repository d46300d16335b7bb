import type { Peer } from '../../core/index.js';
import type { HopReader } from './hop-reader.js';
import { parseNode } from './node-name.js';

const quote = 0x22;
const comma = 0x2c;
const backslash = 0x5c;

// RFC 7239 section 4, with the white space around `;` that its own examples have: a token, `=`, a token or a quoted string.
const pairForm =
  /[ \t]*([\w!#$%&'*+.^`|~-]+)=(?:([\w!#$%&'*+.^`|~-]+)|"((?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*)")[ \t]*(?:;|$)/y;
const emptyPair = /[ \t]*(?:;|$)/y;
const quotedPair = /\\(.)/g;

/** What one proxy has written, by lower-case names; `undefined`: malformed. */
type Element = ReadonlyMap<string, string> | undefined;

/**
 * The elements of `Forwarded` (RFC 7239), from the end, where the nearest proxy has written. Reading from there, what lies
 * before the elements of trusted proxies changes nothing about them, whatever quotes a client leaves open.
 *
 * @see https://www.rfc-editor.org/rfc/rfc7239.html#section-4
 */
export class ForwardedReader implements HopReader {
  readonly #list: string;
  /** What lies before is unread. */
  #end: number;
  #outermost: Element;

  /** @param list all header lines, joined by commas in their order */
  constructor(list: string) {
    this.#list = list;
    this.#end = list.length;
  }

  next(): Peer | undefined {
    while (this.#end > 0) {
      const text = this.#previous();
      const element = text === undefined ? undefined : readElement(text);
      if (element === undefined) {
        this.#end = 0;
        return undefined;
      }
      if (element.size === 0) continue;
      this.#outermost = element;
      const node = element.get('for');
      return node === undefined ? undefined : parseNode(node);
    }
    return undefined;
  }

  /** A parameter of the element that was read last: what the outermost trusted proxy says of the request. */
  parameter(name: 'host' | 'proto'): string | undefined {
    return this.#outermost?.get(name);
  }

  /** The text of the element before those that were read; `undefined` where a quoted string has no beginning. */
  #previous(): string | undefined {
    const list = this.#list;
    const end = this.#end;
    let at = end - 1;
    while (at >= 0) {
      const code = list.charCodeAt(at);
      if (code === comma) break;
      if (code === quote) at = this.#openingQuote(at);
      if (at < 0) return undefined;
      at -= 1;
    }
    this.#end = Math.max(at, 0);
    return list.slice(at + 1, end);
  }

  /** Where the quoted string begins that ends at `closing`; -1: nowhere. */
  #openingQuote(closing: number): number {
    let at = closing;
    do {
      if (at === 0) return -1;
      at = this.#list.lastIndexOf('"', at - 1);
    } while (at >= 0 && this.#isEscaped(at));
    return at;
  }

  #isEscaped(at: number): boolean {
    let start = at;
    while (start > 0 && this.#list.charCodeAt(start - 1) === backslash) start -= 1;
    return (at - start) % 2 === 1;
  }
}

function readElement(text: string): Element {
  const element = new Map<string, string>();
  let at = 0;
  while (at < text.length) {
    pairForm.lastIndex = at;
    const [pair, name = '', token, quoted = ''] = pairForm.exec(text) ?? [];
    if (pair === undefined) {
      emptyPair.lastIndex = at;
      const [empty] = emptyPair.exec(text) ?? [];
      if (empty === undefined) return undefined;
      at += empty.length;
      continue;
    }
    const key = name.toLowerCase();
    // "Each parameter MUST NOT occur more than once".
    if (element.has(key)) return undefined;
    element.set(key, token ?? quoted.replaceAll(quotedPair, '$1'));
    at += pair.length;
  }
  return element;
}
