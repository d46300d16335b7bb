import type { Peer } from '../../core/index.js';
import { ForwardedForReader, lastEntry } from './forwarded-for.js';
import { ForwardedReader } from './forwarded-field.js';
import type { HopReader } from './hop-reader.js';

/** The header fields of a request. */
export interface HeaderView {
  /** All lines of a name, joined by commas in their order. */
  get(name: string): string | undefined;
}

/** Counted since the start. */
export interface ForwardedCounts {
  /** Requests whose `Forwarded` and `x-forwarded-for` name different clients. */
  conflicts: number;
}

/** Which addresses are believed. */
export interface Trust {
  readonly counts: ForwardedCounts;
  trusts(address: string, hop: number): boolean;
}

// RFC 3986 section 3.2.2: a name, an IPv4 address or an IPv6 one in brackets, and a port.
const hostForm = /^(?:[\w.~!$&'()*+;=%-]+|\[[\dA-Fa-f:.]+\])(?::\d{1,5})?$/;

/**
 * The peer of a request that a trusted proxy has forwarded, by `Forwarded` or `x-forwarded-for`. The walk goes from the
 * connection outwards and ends at the first address that is not trusted, or before the first entry that names none.
 *
 * A proxy that writes one of the two headers may pass the other on as the client sent it. So where both are there, they
 * have to say the same; else neither is believed, and the peer is the proxy.
 */
export class ForwardedPeer implements Peer {
  readonly address: string;
  readonly port: number;
  readonly #hops: readonly Peer[];
  readonly #headers: HeaderView;
  readonly #forwarded: ForwardedReader | undefined;

  constructor(proxy: Peer, trust: Trust, headers: HeaderView) {
    const list = headers.get('x-forwarded-for');
    const field = headers.get('forwarded');
    this.#headers = headers;
    this.#forwarded = field === undefined ? undefined : new ForwardedReader(field);
    const byField = this.#forwarded && walk(proxy, trust, this.#forwarded);
    const byList = list === undefined ? undefined : walk(proxy, trust, new ForwardedForReader(list));
    const client = byField?.at(-1)?.address;
    if (byField !== undefined && byList !== undefined && client !== byList.at(-1)?.address) {
      trust.counts.conflicts += 1;
      this.#hops = [proxy];
    } else this.#hops = byField ?? byList ?? [proxy];
    const { address, port } = this.#hops.at(-1) ?? proxy;
    this.address = address;
    this.port = port;
  }

  /** Those on the way, from the other end of the connection to the peer. */
  get addresses(): string[] {
    return this.#hops.map(({ address }) => address);
  }

  /** What the client spoke, as the proxy says; `undefined` where it says nothing. */
  get protocol(): 'http' | 'https' | undefined {
    const protocol = this.#said('proto', 'x-forwarded-proto')?.toLowerCase();
    return protocol === 'http' || protocol === 'https' ? protocol : undefined;
  }

  /** The host that the client asked for, as the proxy says; `undefined` where it says nothing. */
  get host(): string | undefined {
    const host = this.#said('host', 'x-forwarded-host');
    return host !== undefined && hostForm.test(host) ? host : undefined;
  }

  // As for addresses: a proxy speaks by one family of headers, and what comes by the other may be the client's.
  #said(parameter: 'host' | 'proto', name: string): string | undefined {
    const list = this.#headers.get(name);
    const byList = list === undefined ? undefined : lastEntry(list);
    if (this.#forwarded === undefined) return byList;
    const byField = this.#forwarded.parameter(parameter);
    const hasList = list !== undefined || this.#headers.get('x-forwarded-for') !== undefined;
    return !hasList || byField?.toLowerCase() === byList?.toLowerCase() ? byField : undefined;
  }
}

function walk(proxy: Peer, trust: Trust, reader: HopReader): Peer[] {
  const hops = [proxy];
  let last = proxy;
  while (trust.trusts(last.address, hops.length - 1)) {
    const next = reader.next();
    if (next === undefined) break;
    hops.push(next);
    last = next;
  }
  return hops;
}
