import type { Peer } from '../../core/index.js';

/** A header of the PROXY protocol. */
export interface ProxyHeader {
  /** In bytes: what follows is the client's. */
  readonly length: number;
  /** The client whose connection the proxy accepted; `undefined` where the proxy does not name it, or connects for itself. */
  readonly source: Peer | undefined;
}

/** `incomplete` while the header may still come; `missing`: there is none; `malformed`: it is none that can be used. */
export type ProxyReading = ProxyHeader | 'incomplete' | 'malformed' | 'missing';
