import { AddressRanges, type Peer } from '../../core/index.js';
import { type ForwardedCounts, ForwardedPeer, type HeaderView, type Trust } from './forwarded-peer.js';

/** A number of proxies, or the addresses of proxies in CIDR notation. */
export type TrustProxy = number | readonly string[];

/** The most proxies that a request is followed through: no honest path has as many. */
export const maxHops = 32;

/** The proxies whose forwarded headers are believed, and the peers behind them. */
export class TrustedProxies implements Trust {
  readonly #hops: number;
  readonly #ranges: AddressRanges | undefined;
  readonly counts: ForwardedCounts;

  private constructor(hops: number, ranges: AddressRanges | undefined, counts: ForwardedCounts) {
    this.#hops = hops;
    this.#ranges = ranges;
    this.counts = counts;
  }

  /** `undefined` where no proxy is trusted, so that nothing is to be looked at. */
  static of(setting: TrustProxy, counts: ForwardedCounts = { conflicts: 0 }): TrustedProxies | undefined {
    if (typeof setting === 'number') return setting > 0 ? new TrustedProxies(setting, undefined, counts) : undefined;
    return setting.length === 0 ? undefined : new TrustedProxies(maxHops, new AddressRanges(setting), counts);
  }

  /** @param hop number of proxies between it and this service: 0 for the other end of a connection */
  trusts(address: string, hop: number): boolean {
    return hop < this.#hops && address !== '' && (this.#ranges === undefined || this.#ranges.includes(address));
  }

  /**
   * The peer of a request that has come by a trusted proxy: the nearest address that is not trusted.
   *
   * @param proxy the other end of the connection, which `trusts()` holds for
   */
  peerOf(proxy: Peer, headers: HeaderView): ForwardedPeer {
    return new ForwardedPeer(proxy, this, headers);
  }
}
