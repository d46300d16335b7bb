import type { WorkMeter } from './work-meter.js';

/** Something that waits for its turn. */
export interface Waiting {
  /** Goes on. Never throws. */
  onTurn(): void;
}

/** The same, and whose it is. It waits in one queue at a time. */
export interface PeerWaiting extends Waiting {
  readonly peerWork: WorkMeter | undefined;
  /** Where it waits; of the queue. */
  place: Place | undefined;
}

/** One place in a queue. */
export class Place {
  next: Place | undefined = undefined;
  previous: Place | undefined;
  readonly member: PeerWaiting;
  readonly queue: PeerQueue;
  readonly peer: PeerPlaces;

  constructor(member: PeerWaiting, queue: PeerQueue, peer: PeerPlaces) {
    this.member = member;
    this.queue = queue;
    this.peer = peer;
    this.previous = peer.last;
  }
}

/** The places of one peer. */
export class PeerPlaces {
  readonly peerWork: WorkMeter | undefined;
  first: Place | undefined = undefined;
  last: Place | undefined = undefined;
  /** The peer behind this one. */
  next: PeerPlaces | undefined = undefined;

  constructor(peerWork: WorkMeter | undefined) {
    this.peerWork = peerWork;
  }
}

/**
 * Those that wait, one of each peer in turn: how many connections another peer has is no matter. Adding, leaving and taking
 * cost the same however many there are; every request of a busy service can pass through here.
 */
export class PeerQueue {
  readonly #peers = new Map<WorkMeter | undefined, PeerPlaces>();
  #first: PeerPlaces | undefined = undefined;
  #last: PeerPlaces | undefined = undefined;
  #size = 0;

  get isEmpty(): boolean {
    return this.#size === 0;
  }

  add(member: PeerWaiting): void {
    const peer = this.#placesOf(member.peerWork);
    const place = new Place(member, this, peer);
    member.place = place;
    this.#size += 1;
    if (peer.last === undefined) peer.first = place;
    else peer.last.next = place;
    peer.last = place;
  }

  /** Returns whether it was there. */
  delete(member: PeerWaiting): boolean {
    const { place } = member;
    if (place?.queue !== this) return false;
    leave(place);
    this.#size -= 1;
    if (this.#size === 0) this.#clear();
    return true;
  }

  /** The next, which waits no longer. */
  take(): PeerWaiting | undefined {
    for (let peer = this.#first; peer !== undefined; peer = this.#first) {
      const next = peer.first?.member;
      if (peer.first !== undefined) leave(peer.first);
      if (peer.first === undefined) this.#dropFirst(peer);
      else if (peer !== this.#last) this.#sendBack(peer);
      // All of its members have left.
      if (next === undefined) continue;
      this.#size -= 1;
      return next;
    }
    return undefined;
  }

  #placesOf(peerWork: WorkMeter | undefined): PeerPlaces {
    // Of one peer as a rule.
    if (this.#last !== undefined && this.#last.peerWork === peerWork) return this.#last;
    let peer = this.#peers.get(peerWork);
    if (peer === undefined) {
      peer = new PeerPlaces(peerWork);
      this.#peers.set(peerWork, peer);
      this.#append(peer);
    }
    return peer;
  }

  // Of peers that have no members.
  #clear(): void {
    this.#peers.clear();
    this.#first = undefined;
    this.#last = undefined;
  }

  #append(peer: PeerPlaces): void {
    if (this.#last === undefined) this.#first = peer;
    else this.#last.next = peer;
    this.#last = peer;
  }

  #dropFirst(peer: PeerPlaces): void {
    this.#peers.delete(peer.peerWork);
    this.#first = peer.next;
    if (this.#first === undefined) this.#last = undefined;
  }

  #sendBack(peer: PeerPlaces): void {
    this.#first = peer.next;
    peer.next = undefined;
    this.#append(peer);
  }
}

function leave({ member, peer, previous, next }: Place): void {
  member.place = undefined;
  if (previous === undefined) peer.first = next;
  else previous.next = next;
  if (next === undefined) peer.last = previous;
  else next.previous = previous;
}
