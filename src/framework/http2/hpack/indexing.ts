// RFC 7541 sections 6.2 and 7.1, which fields enter the dynamic table.

/** How a literal is sent: the bits of its first octet above the index of its name. */
export const Indexing = {
  /** Enters the dynamic table, section 6.2.1. */
  Incremental: 0x40,
  /** Does not, section 6.2.2. */
  Without: 0x00,
  /** Does not, and must not at any intermediary either, section 6.2.3. */
  Never: 0x10,
} as const;

export type Indexing = (typeof Indexing)[keyof typeof Indexing];

/** Decides on a field that neither table has. */
export interface IndexingPolicy {
  choose(name: string, value: string): Indexing;
  /** The connection is idle: what was noticed may be forgotten. */
  rest?(): void;
}

/**
 * What an attacker could guess by the size of the block if it were in the table (section 7.1.3). The length of the
 * value makes no difference here: what such a field saves is not worth a thought about its entropy.
 */
const sensitiveNames: ReadonlySet<string> = new Set(['authorization', 'cookie', 'proxy-authorization', 'set-cookie']);

/** No more names are remembered; then all are forgotten, and the table, which is not, goes on. */
const maxNames = 64;

/** Longer values are not remembered: on an idle connection they would only occupy memory. */
const maxValueLength = 256;

/** The two values that a name had last: one would never notice two that alternate. */
class LastValues {
  constructor(
    public newest: string,
    public older: string,
  ) {}
}

/**
 * Indexes what repeats: a field enters the table when it comes for the second time. So a value that never comes again
 * (a length, a request id, an entity tag) displaces nothing, without a list of the names that have such values.
 */
export class RepeatedFields implements IndexingPolicy {
  #lastByName = new Map<string, LastValues>();

  rest(): void {
    if (this.#lastByName.size > 0) this.#lastByName = new Map();
  }

  choose(name: string, value: string): Indexing {
    if (sensitiveNames.has(name)) return Indexing.Never;
    if (value.length > maxValueLength) return Indexing.Without;
    const last = this.#lastByName.get(name);
    if (last === undefined) {
      if (this.#lastByName.size >= maxNames) this.#lastByName.clear();
      this.#lastByName.set(name, new LastValues(value, value));
      return Indexing.Without;
    }
    if (last.newest === value || last.older === value) return Indexing.Incremental;
    last.older = last.newest;
    last.newest = value;
    return Indexing.Without;
  }
}

/** For blocks that are made once and sent on any connection. */
export const untabled: IndexingPolicy = {
  choose: (name) => (sensitiveNames.has(name) ? Indexing.Never : Indexing.Without),
};
