/** Where the data lives, read from `database.url`. */
export type DatabaseAddress =
  | { readonly kind: 'sqlite'; readonly file: string; readonly display: string }
  | { readonly kind: 'postgres'; readonly url: string; readonly display: string };

/** The file name by which SQLite knows a database that lives in memory only. */
export const inMemory = ':memory:';

const expectation = 'expected: sqlite:<file>, sqlite::memory: or postgres://<user>:<password>@<host>:<port>/<database>';

/**
 * Reads a database address.
 *
 * @returns the address; `display` is safe to print, it never holds a password
 * @throws Error the address has none of the three forms; the message does not repeat it, as it may hold a password
 */
export function parseDatabaseUrl(url: string): DatabaseAddress {
  const sqlite = /^sqlite:(?:\/\/)?(?<file>.+)$/s.exec(url)?.groups?.['file'];
  if (sqlite !== undefined && !sqlite.includes('\0'))
    return { kind: 'sqlite', file: sqlite, display: `sqlite:${sqlite}` };
  if (/^postgres(ql)?:\/\//.test(url)) return { kind: 'postgres', url, display: displayOf(url) };
  throw new Error(`database.url: not a database address (${expectation})`);
}

function displayOf(url: string): string {
  if (!URL.canParse(url)) throw new Error(`database.url: not a URL (${expectation})`);
  const { hostname, port, pathname } = new URL(url);
  // User name, password and parameters stay out: what helps is where the server was looked for.
  return `postgres://${hostname || 'localhost'}:${port || '5432'}${pathname}`;
}
