import { readClock, WorkMeter, WorkScale } from '../wire/index.js';
import { peerGroupOf } from './peer-group.js';

/** What is counted by peer and by connection. */
export const Bound = {
  /** Unary requests at work: from the moment that all of the request has come to the moment that the response is given. */
  requests: 0,
  /** Streaming calls, and responses that are written in parts. */
  streams: 1,
  /** Requests that wait for their client: for the rest of the body, or for the response to be read. */
  waiting: 2,
  /** Bytes in memory: of bodies that are not whole, of requests not read yet, of responses that wait for the client. */
  bytes: 3,
  connections: 4,
  /** Connections that have not spoken a protocol yet. */
  handshakes: 5,
} as const;

/** One of `Bound`. */
export type BoundId = (typeof Bound)[keyof typeof Bound];

/** Names of all of `Bound`, in its order. */
export const boundNames: readonly string[] = Object.keys(Bound);

/** Whose bound is full: all of the process's, the share of the peer, or the share of the connection. */
export type FullBy = 'process' | 'peer' | 'connection';

/** How much there is of each of `Bound`, and what part of it one may take. */
export interface ShareLimits {
  /** By `Bound`. */
  readonly limits: readonly number[];
  /** Part that one peer may take, while no other takes any, of what is not kept for those that have little; 1: no bound. */
  readonly peerShare: number;
  /** The same for one connection, of what its peer may take. */
  readonly connectionShare: number;
}

// Who comes first keeps what it has taken, and each of several that come one after the other takes a part of what is left.
// So an eighth is kept for those that have little, which is less than a 64th.
const keptPart = 1 / 8;
const littlePart = 1 / 64;
// Of fewer there are no parts.
const leastDivided = 8;

const none = (): number[] => boundNames.map(() => 0);

/** What the connections of one peer use together. */
export class PeerUse {
  /** By `Bound`. */
  readonly inUse: number[] = none();
  readonly group: string;
  /** Of the event loop's time. */
  readonly work: WorkMeter;
  /** Holders that are not closed. */
  holders = 0;

  constructor(group: string, work: WorkMeter) {
    this.group = group;
    this.work = work;
  }
}

/**
 * What one connection uses, or one request of a client behind a trusted proxy. Made by `Shares.open()`, and closed with the
 * connection.
 */
export class Holder {
  /** By `Bound`. */
  readonly inUse: number[] = none();
  /** The address it was opened for. */
  readonly address: string;
  readonly peer: PeerUse;
  /** It ends with one request, not with a connection. */
  readonly isOfRequest: boolean;
  readonly #shares: Shares;
  #isClosed = false;

  constructor(shares: Shares, peer: PeerUse, address: string, isOfRequest: boolean) {
    this.#shares = shares;
    this.peer = peer;
    this.address = address;
    this.isOfRequest = isOfRequest;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** What all connections of its peer take of the event loop's time. */
  get peerWork(): WorkMeter {
    return this.peer.work;
  }

  /** Takes `bytes` more into memory, or fewer where negative, whatever the bounds say. */
  charge(bytes: number): void {
    if (!this.#isClosed) this.#shares.add(Bound.bytes, this, bytes);
  }

  /** Takes `bytes` into memory, unless the bounds are full. */
  tryCharge(bytes: number): boolean {
    if (this.#isClosed) return true;
    return this.#shares.take(Bound.bytes, this, bytes) === undefined;
  }

  /** The connection is gone, and with it whatever was kept in memory for it. May be called twice. */
  close(): void {
    if (this.#isClosed) return;
    this.charge(-(this.inUse[Bound.bytes] as number));
    this.#isClosed = true;
    this.#shares.forget(this);
  }
}

// Of peers that have no connection at the moment. What they took is forgotten within a fifth of a second anyway.
const mostLeft = 1024;

/** What peers took of the event loop's time before they left: who connects anew for each request is not a new peer. */
class LeftWork {
  readonly #scale = new WorkScale();
  readonly #work = new Map<string, WorkMeter>();

  keep({ group, work }: PeerUse): void {
    if (work.isForgotten(readClock())) return;
    const [oldest] = this.#work.keys();
    if (oldest !== undefined && this.#work.size >= mostLeft) this.#work.delete(oldest);
    this.#work.set(group, work);
  }

  take(group: string): WorkMeter {
    const work = this.#work.get(group);
    if (work === undefined) return new WorkMeter(this.#scale);
    this.#work.delete(group);
    return work;
  }
}

/**
 * Divides what the process has among its peers, and what a peer may have among its connections, so that no one takes all of
 * it: a peer may take more as long as it uses less than a multiple of what is free, and a connection as long as it uses less
 * than a multiple of what its peer may still take. The more peers take all they can, the less each of them gets, and there
 * is room for others: an eighth of each limit is kept for peers that have less than a 64th of it, and an eighth of what a
 * peer may have for its connections that have less than a 64th of that.
 *
 * @see https://doi.org/10.1109/90.664262 Choudhury and Hahne, Dynamic queue length thresholds for shared-memory packet switches
 */
export class Shares {
  /** In use by all, by `Bound`. */
  readonly inUse: number[] = none();
  /** Of each of `Bound`, what was refused since the start. */
  readonly refused: Readonly<Record<FullBy, number[]>> = { process: none(), peer: none(), connection: none() };
  readonly #peers = new Map<string, PeerUse>();
  readonly #left = new LeftWork();
  #limits: readonly number[];
  /** By `Bound`: while all peers together use no more, no share is full. */
  #ample: readonly number[];
  #peerFactor: number;
  #connectionFactor: number;

  constructor(limits: ShareLimits) {
    this.#limits = limits.limits;
    this.#ample = ampleOf(limits);
    this.#peerFactor = factorOf(limits.peerShare);
    this.#connectionFactor = factorOf(limits.connectionShare);
  }

  /** By `Bound`. */
  get limits(): readonly number[] {
    return this.#limits;
  }

  /** Every peer that has a connection, or a request. */
  get peers(): Iterable<PeerUse> {
    return this.#peers.values();
  }

  get peerCount(): number {
    return this.#peers.size;
  }

  /** Applies changed limits from the next request on; what is in use stays. */
  adjust(limits: ShareLimits): void {
    this.#limits = limits.limits;
    this.#ample = ampleOf(limits);
    this.#peerFactor = factorOf(limits.peerShare);
    this.#connectionFactor = factorOf(limits.connectionShare);
  }

  /** Begins to count for one connection from `address`, or for one request. */
  open(address: string, isOfRequest = false): Holder {
    const group = peerGroupOf(address);
    let peer = this.#peers.get(group);
    if (peer === undefined) this.#peers.set(group, (peer = new PeerUse(group, this.#left.take(group))));
    peer.holders += 1;
    return new Holder(this, peer, address, isOfRequest);
  }

  /** Whose bound has no room, or `undefined`. Nothing is taken, and no refusal counted. */
  full(bound: BoundId, holder: Holder, amount = 1): FullBy | undefined {
    // Asked several times for each request, and nearly always answered by this.
    if ((this.inUse[bound] as number) + amount <= (this.#ample[bound] as number)) return undefined;
    return this.#fullBy(bound, holder, amount);
  }

  #fullBy(bound: BoundId, { peer, inUse }: Holder, amount: number): FullBy | undefined {
    const free = (this.#limits[bound] as number) - (this.inUse[bound] as number);
    if (free < amount) return 'process';
    const limit = this.#limits[bound] as number;
    if (limit < leastDivided) return undefined;
    const ofPeer = peer.inUse[bound] as number;
    const room = roomFor(ofPeer, free, limit, this.#peerFactor);
    if (room <= 0) return 'peer';
    return roomFor(inUse[bound] as number, room, room + ofPeer, this.#connectionFactor) > 0 ? undefined : 'connection';
  }

  /** Whether the peer of a holder has so little that even what is full for others is not full for it. */
  hasLittle(bound: BoundId, { peer }: Holder): boolean {
    return (peer.inUse[bound] as number) < Math.max(1, (this.#limits[bound] as number) * littlePart);
  }

  /** Takes `amount`; or counts a refusal, and returns whose bound has no room. */
  take(bound: BoundId, holder: Holder, amount = 1): FullBy | undefined {
    const by = this.full(bound, holder, amount);
    if (by === undefined) this.add(bound, holder, amount);
    else this.refuse(bound, by);
    return by;
  }

  /** Takes `amount` whatever the bounds say, or gives it back where negative. */
  add(bound: BoundId, { peer, inUse }: Holder, amount: number): void {
    this.inUse[bound] = (this.inUse[bound] as number) + amount;
    peer.inUse[bound] = (peer.inUse[bound] as number) + amount;
    inUse[bound] = (inUse[bound] as number) + amount;
  }

  /** Counts a refusal. */
  refuse(bound: BoundId, by: FullBy): void {
    const counts = this.refused[by];
    counts[bound] = (counts[bound] as number) + 1;
  }

  /** @internal A holder is closed. */
  forget({ peer }: Holder): void {
    peer.holders -= 1;
    if (peer.holders > 0 || this.#peers.get(peer.group) !== peer) return;
    this.#peers.delete(peer.group);
    this.#left.keep(peer);
  }
}

/** What one that has `own` may still take of what is free of `most`, while the others take nothing. */
function roomFor(own: number, free: number, most: number, factor: number): number {
  if (factor === Number.POSITIVE_INFINITY) return free;
  const open = own < most * littlePart ? free : free - most * keptPart;
  return (factor * open - own) / (1 + factor);
}

/**
 * Where a connection stops that is alone: at its share of what its peer may have, of both of which a part is kept for others.
 * While all together use less than that, no connection and no peer uses more.
 */
function ampleOf({ limits, peerShare, connectionShare }: ShareLimits): number[] {
  const part = Math.min(1, peerShare) * Math.min(1, connectionShare) * (1 - keptPart) ** 2;
  return limits.map((limit) => (limit < leastDivided ? limit : Math.ceil(limit * part) - 1));
}

// A peer that stops at `factor` times what is free has `factor / (1 + factor)` of all.
function factorOf(share: number): number {
  return share >= 1 ? Number.POSITIVE_INFINITY : share / (1 - share);
}
