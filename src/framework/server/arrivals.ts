import { isDeepStrictEqual } from 'node:util';
import type { AddressRanges, Metric } from '../core/index.js';
import { type ForwardedCounts, TrustedProxies, type TrustProxy } from '../pipeline/index.js';
import type { Connection } from './connections.js';
import type { ProxyHeaderFailure } from './proxy-protocol/await-header.js';
import { isProxyHeader } from './proxy-protocol/proxy-header.js';
import { ProxyHeaderRefusals } from './proxy-protocol/proxy-header-refusals.js';
import type { ProxyHeader } from './proxy-protocol/proxy-reading.js';
import { type ProxySenders, senderRanges } from './proxy-rules.js';

/** The options that say who connects. */
export interface ArrivalOptions {
  readonly trustProxy: TrustProxy;
  readonly proxyProtocol: ProxySenders;
}

/** Determines the peer of each connection, and whether the peer is a trusted proxy. */
export class Arrivals {
  readonly #refusals: ProxyHeaderRefusals;
  readonly #forwarded: ForwardedCounts = { conflicts: 0 };
  #options: ArrivalOptions;
  #proxies: TrustedProxies | undefined;
  #senders: AddressRanges | undefined;

  constructor(options: ArrivalOptions, log: (message: string, fields: object) => void) {
    this.#refusals = new ProxyHeaderRefusals(log);
    this.#options = options;
    this.#read();
  }

  /** Takes changed options over. Returns whether other proxies are trusted than before: open connections are to be judged anew. */
  applyOptions(options: ArrivalOptions): boolean {
    const { trustProxy, proxyProtocol } = this.#options;
    this.#options = options;
    const isSame = isDeepStrictEqual(trustProxy, options.trustProxy);
    if (!isSame || !isDeepStrictEqual(proxyProtocol, options.proxyProtocol)) this.#read();
    return !isSame;
  }

  /** Whether a connection that has just come has to begin with the PROXY protocol. */
  sendsProxyHeader({ peer }: Connection): boolean {
    return this.#senders?.includes(peer) === true;
  }

  /** Takes the header in. Returns false for a connection that is to be refused. */
  take(connection: Connection, outcome: ProxyHeader | Exclude<ProxyHeaderFailure, 'closed'>): boolean {
    if (typeof outcome === 'string') {
      this.#refusals.note(outcome, connection);
      return false;
    }
    if (outcome.source !== undefined) connection.comesFrom(outcome.source);
    this.trust(connection);
    return true;
  }

  /** Decides whether forwarded headers of a connection's requests are believed. */
  trust(connection: Connection): void {
    connection.trust(this.#proxies);
  }

  /** Whether a connection begins with a PROXY header that is not to be accepted. */
  isUnwantedHeader(connection: Connection, seen: Buffer): boolean {
    if (!isProxyHeader(seen)) return false;
    this.#refusals.note('untrusted', connection);
    return true;
  }

  metrics(): readonly Metric[] {
    return [
      {
        name: 'rookery_connections_proxy_header_refused_total',
        help: 'Connections refused because of the PROXY protocol, by why.',
        type: 'counter',
        samples: Object.entries(this.#refusals.totals).map(([reason, value]) => ({ labels: { reason }, value })),
      },
      {
        name: 'rookery_forwarded_conflicts_total',
        help: 'Requests whose Forwarded and x-forwarded-for name different clients: neither is believed.',
        type: 'counter',
        samples: [{ value: this.#forwarded.conflicts }],
      },
    ];
  }

  #read(): void {
    const { trustProxy, proxyProtocol } = this.#options;
    this.#proxies = TrustedProxies.of(trustProxy, this.#forwarded);
    this.#senders = senderRanges(proxyProtocol, trustProxy);
  }
}
