import type { Peer } from '../../core/index.js';

/** A header of the PROXY protocol. */
export interface ProxyHeader {
  /** In bytes: what follows is the client's. */
  readonly length: number;
  /** Whom the proxy has accepted; `undefined` where it does not say, or speaks for itself. */
  readonly source: Peer | undefined;
}

/** `incomplete` while the header may still come; `missing`: there is none; `malformed`: it is none that can be used. */
export type ProxyReading = ProxyHeader | 'incomplete' | 'malformed' | 'missing';
