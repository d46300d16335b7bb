import type { WorkMeter } from './work-meter.js';

/** Something that waits for its turn. */
export interface Waiting {
  /** Goes on. Never throws. */
  onTurn(): void;
}

/** The same, and whose it is. */
export interface PeerWaiting extends Waiting {
  readonly peerWork: WorkMeter | undefined;
}

/** Those that wait, one of each peer in turn: how many connections another peer has is no matter. */
export class PeerQueue {
  readonly #members = new Map<WorkMeter | undefined, Set<PeerWaiting>>();

  get isEmpty(): boolean {
    return this.#members.size === 0;
  }

  add(member: PeerWaiting): void {
    const { peerWork } = member;
    const own = this.#members.get(peerWork);
    if (own === undefined) this.#members.set(peerWork, new Set([member]));
    else own.add(member);
  }

  /** Returns whether it was there. */
  delete(member: PeerWaiting): boolean {
    const own = this.#members.get(member.peerWork);
    if (own === undefined || !own.delete(member)) return false;
    if (own.size === 0) this.#members.delete(member.peerWork);
    return true;
  }

  /** The next, which waits no longer. */
  take(): PeerWaiting | undefined {
    for (const [peerWork, own] of this.#members) {
      const [next] = own;
      // Behind all others.
      this.#members.delete(peerWork);
      own.delete(next as PeerWaiting);
      if (own.size > 0) this.#members.set(peerWork, own);
      return next;
    }
    return undefined;
  }
}
