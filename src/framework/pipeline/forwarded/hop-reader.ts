import type { Peer } from '../../core/index.js';

/** What proxies have written about where a request came from, from the nearest proxy outwards. */
export interface HopReader {
  /** The next one outwards; `undefined` where there is none, or none that has an address. */
  next(): Peer | undefined;
}
