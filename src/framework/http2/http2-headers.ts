/**
 * Header or trailer fields as received: names in lower case, in order, without pseudo-headers.
 *
 * A list and no record: a request has some ten fields, of which a handler asks for a few, and filling a list costs next to nothing.
 */
export class Http2Headers {
  /** name, value, name, value … */
  readonly #flat: readonly string[];

  constructor(flat: readonly string[]) {
    this.#flat = flat;
  }

  /** Number of field lines. */
  get size(): number {
    return this.#flat.length >>> 1;
  }

  /** Several lines of one name are joined by `, ` as RFC 9110 section 5.3 has it, those of `cookie` by `; ` (RFC 9113 section 8.2.3). */
  get(name: string): string | undefined {
    const flat = this.#flat;
    let found: string | undefined;
    for (let i = 0; i < flat.length; i += 2) {
      if (flat[i] !== name) continue;
      found = found === undefined ? flat[i + 1] : `${found}${name === 'cookie' ? '; ' : ', '}${flat[i + 1]}`;
    }
    return found;
  }

  /** The first line of a name alone. */
  first(name: string): string | undefined {
    const flat = this.#flat;
    for (let i = 0; i < flat.length; i += 2) if (flat[i] === name) return flat[i + 1];
    return undefined;
  }

  /** Calls `visit` for each field line, in order. */
  forEach(visit: (name: string, value: string) => void): void {
    const flat = this.#flat;
    for (let i = 0; i < flat.length; i += 2) visit(flat[i] as string, flat[i + 1] as string);
  }

  *[Symbol.iterator](): Generator<[name: string, value: string]> {
    for (let i = 0; i < this.#flat.length; i += 2) yield [this.#flat[i] ?? '', this.#flat[i + 1] ?? ''];
  }

  /** A record without a prototype; lines of one name are joined as `get` does. */
  toRecord(): Record<string, string> {
    const record = Object.create(null) as Record<string, string>;
    const flat = this.#flat;
    for (let i = 0; i < flat.length; i += 2) {
      const name = flat[i] ?? '';
      const value = flat[i + 1] ?? '';
      const before = record[name];
      record[name] = before === undefined ? value : `${before}${name === 'cookie' ? '; ' : ', '}${value}`;
    }
    return record;
  }
}
