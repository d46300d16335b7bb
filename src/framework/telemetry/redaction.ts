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

// One look for all of them: most lines have none. These and the patterns below are applied to what callers send: none of
// them may begin to match within what it has looked at, or a line takes a time that grows with the square of its length.
const suspicious = /bearer|basic|@|eyJ|=[^\s"\\]/i;

/** Masks what looks like a credential in a finished line, wherever a text brought it in. */
export function scrubText(line: string): string {
  if (!suspicious.test(line)) return line;
  const scrubbed = line
    .replace(/\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}/gi, `$1 ${mask}`)
    .replace(/(:\/\/[^\s:/@"\\]*:)[^\s@/"\\]+@/g, `$1${mask}@`);
  return withoutPairs(scrubbed.includes('eyJ') ? scrubbed.replace(dottedWords, withoutToken) : scrubbed);
}

const dottedWords = /(?<![\w-])[\w-]+(?:\.[\w-]*)+/g;
// `eyJ` is `{"` in base64.
const shortestPart = 5;

// A JWT has three parts.
function withoutToken(words: string): string {
  const parts = words.split('.');
  for (let index = 0; index + 2 < parts.length; index += 1) {
    const part = parts[index] as string;
    const at = part.search(/\beyJ/);
    if (at < 0 || part.length - at < 3 + shortestPart || (parts[index + 1] as string).length < shortestPart) continue;
    const before = [...parts.slice(0, index), part.slice(0, at) + mask];
    const behind = parts.slice(index + 3);
    return [...before, ...behind].join('.');
  }
  return words;
}

const pair = /(?<![\w-])[\w-]+=/g;
const secretEnd = /(?:password|passwd|secret|token|api[_-]?key)=$/i;
const pairValue = /[^\s&;,"\\]+/y;

// `password=…`
function withoutPairs(line: string): string {
  let masked = '';
  let done = 0;
  pair.lastIndex = 0;
  for (let found = pair.exec(line); found !== null; found = pair.exec(line)) {
    if (!secretEnd.test(found[0])) continue;
    pairValue.lastIndex = pair.lastIndex;
    if (!pairValue.test(line)) continue;
    masked += line.slice(done, pair.lastIndex) + mask;
    done = pairValue.lastIndex;
    pair.lastIndex = done;
  }
  return masked + line.slice(done);
}
