import { serializeError } from './serialize-error.js';

const mask = '***';

// Deeper or wider than this is no log line: the rest is left out rather than walked.
const maxDepth = 8;
const maxFields = 2000;

const secretName =
  /(authorization|authentication|cookie|password|passwd|passphrase|secret|token|apikey|privatekey|credentials?)$/;

// Names come from code, not from callers, so there are few; the bound is for code that makes them up.
const maxKnownNames = 10_000;

/** Masks the values of fields whose name says that they are secret, and turns errors into plain objects. */
export class Redaction {
  readonly #known = new Map<string, boolean>();
  #extra: ReadonlySet<string> = new Set();

  /** Sets the names masked besides the usual ones. */
  also(names: readonly string[]): void {
    this.#extra = new Set(names.map(plain));
    this.#known.clear();
  }

  /** A copy of `fields` fit for the log; `fields` itself when there is nothing to do. */
  apply(fields: Record<string, unknown>): Record<string, unknown> {
    return this.#object(fields, 0, { left: maxFields }) as Record<string, unknown>;
  }

  #object(object: Record<string, unknown>, depth: number, budget: { left: number }): unknown {
    let copy: Record<string, unknown> | undefined;
    for (const key of Object.keys(object)) {
      const value = object[key];
      const next = value !== undefined && this.#isSecret(key) ? mask : this.#value(value, depth, budget);
      if (next === value) continue;
      copy ??= { ...object };
      copy[key] = next;
    }
    return copy ?? object;
  }

  #value(value: unknown, depth: number, budget: { left: number }): unknown {
    if (typeof value !== 'object' || value === null) return value;
    if (value instanceof Error) return this.#object(serializeError(value), depth + 1, budget);
    if (!isWalkable(value)) return value;
    if (depth >= maxDepth || budget.left <= 0) return '…';
    if (Array.isArray(value)) return this.#list(value, depth, budget);
    budget.left -= Object.keys(value).length;
    return this.#object(value as Record<string, unknown>, depth + 1, budget);
  }

  #list(list: readonly unknown[], depth: number, budget: { left: number }): unknown {
    budget.left -= list.length;
    const copy = list.slice(0, maxFields).map((item) => this.#value(item, depth + 1, budget));
    return copy.length < list.length || copy.some((item, index) => item !== list[index]) ? copy : list;
  }

  #isSecret(key: string): boolean {
    let isSecret = this.#known.get(key);
    if (isSecret === undefined) {
      const name = plain(key);
      isSecret = secretName.test(name) || this.#extra.has(name);
      if (this.#known.size < maxKnownNames) this.#known.set(key, isSecret);
    }
    return isSecret;
  }
}

function plain(name: string): string {
  return name.toLowerCase().replace(/[-_]/g, '');
}

// Requests, sockets and the like have serializers of their own; dates, buffers and URLs say themselves how they look.
function isWalkable(value: object): boolean {
  const { on, toJSON } = value as { on?: unknown; toJSON?: unknown };
  return typeof on !== 'function' && typeof toJSON !== 'function' && !(value instanceof Map) && !(value instanceof Set);
}

// One look for all of them: most lines have none.
const suspicious = /bearer|basic|:\/\/[^\s"\\]*@|eyJ|=[^\s"\\]/i;

/** Masks what looks like a credential in a finished line, wherever a text brought it in. */
export function scrubText(line: string): string {
  if (!suspicious.test(line)) return line;
  return line
    .replace(/\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}/gi, `$1 ${mask}`)
    .replace(/(:\/\/[^\s:/@"\\]*:)[^\s@/"\\]+@/g, `$1${mask}@`)
    .replace(/\beyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*/g, mask)
    .replace(/\b([\w-]*(?:password|passwd|secret|token|api[_-]?key))=[^\s&;,"\\]+/gi, `$1=${mask}`);
}
