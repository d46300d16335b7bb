// RFC 7541 appendix A.

/** What an entry of either table costs beside its octets, RFC 7541 section 4.1. */
export const entryOverheadBytes = 32;

const methods = ['GET', 'POST'];
const statuses = ['200', '204', '206', '304', '400', '404', '500'];

/** From 15 on: `accept-encoding` has a value, all others have none. */
const plainNames =
  'accept-charset accept-encoding accept-language accept-ranges accept access-control-allow-origin age allow ' +
  'authorization cache-control content-disposition content-encoding content-language content-length ' +
  'content-location content-range content-type cookie date etag expect expires from host if-match ' +
  'if-modified-since if-none-match if-range if-unmodified-since last-modified link location max-forwards ' +
  'proxy-authenticate proxy-authorization range referer refresh retry-after server set-cookie ' +
  'strict-transport-security transfer-encoding user-agent vary via www-authenticate';

const entries: readonly (readonly [name: string, value: string])[] = [
  ['', ''], // there is no index 0
  [':authority', ''],
  ...methods.map((method) => [':method', method] as const),
  [':path', '/'],
  [':path', '/index.html'],
  [':scheme', 'http'],
  [':scheme', 'https'],
  ...statuses.map((status) => [':status', status] as const),
  ...plainNames.split(' ').map((name) => [name, name === 'accept-encoding' ? 'gzip, deflate' : ''] as const),
];

/** Names by index; 0 is not used. */
export const staticNames: readonly string[] = entries.map(([name]) => name);

/** Values by index; 0 is not used. */
export const staticValues: readonly string[] = entries.map(([, value]) => value);

/** The dynamic table's newest entry has this index, RFC 7541 section 2.3.3. */
export const firstDynamicIndex = entries.length;

/** What the static table knows of one name. */
export class StaticName {
  /** Index of each value that the table has for the name. */
  readonly values: Map<string, number> = new Map();

  /** @param index the lowest index with the name */
  constructor(readonly index: number) {}
}

/** The static table by name, for the encoder. */
export const staticByName: ReadonlyMap<string, StaticName> = byName();

function byName(): Map<string, StaticName> {
  const names = new Map<string, StaticName>();
  for (const [index, [name, value]] of entries.entries()) {
    if (index === 0) continue;
    const known = names.get(name) ?? new StaticName(index);
    known.values.set(value, index);
    names.set(name, known);
  }
  return names;
}
