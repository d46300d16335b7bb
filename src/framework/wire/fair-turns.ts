import type { ByteAccount } from './byte-account.js';
import type { PeerWaiting, Place, Waiting } from './peer-queue.js';
import { holdStepClock, readClock } from './read-clock.js';
import {
  arrive,
  begin,
  type Charged,
  current,
  currentSinceMs,
  endWithCallback,
  evenTurnMs,
  forget,
  forgetHeard,
  hasWaiting,
  hear,
  isContended,
  Rank,
  rest,
  startedAtMs,
  switchTo,
  turn,
  turnMs,
  wait,
} from './turn-queue.js';
import { WorkMeter } from './work-meter.js';

/** What a connection has worked is charged to it when it is that much: most never come that far. */
const chargedMs = 0.5;

/** Whether the peer of an account takes more than a tenth of the event loop's time. */
export function isHeavyPeer({ peerWork }: ByteAccount, nowMs: number = readClock()): boolean {
  return peerWork?.isHeavy(nowMs) === true;
}

class NextTurn implements PeerWaiting {
  readonly #member: Waiting;
  readonly peerWork: WorkMeter | undefined;
  place: Place | undefined = undefined;

  constructor(member: Waiting, peerWork: WorkMeter | undefined) {
    this.#member = member;
    this.peerWork = peerWork;
  }

  onTurn(): void {
    switchTo(this.peerWork, readClock());
    this.#member.onTurn();
  }
}

/** A connection has been accepted, and what follows is the work of its peer: see `beginWork()`. */
export function beginConnection(account: ByteAccount): void {
  beginWork(account);
  arrive();
}

/** The time from here to `endWork()`, or to the next turn of a connection, is charged to the peer and to none of its connections. */
export function beginWork(account: ByteAccount): void {
  const nowMs = readClock();
  begin(nowMs);
  switchTo(account.peerWork, nowMs);
  if (!isHeavyPeer(account, nowMs)) endWithCallback(nowMs);
}

/** The time from here to the next turn of a connection is charged to no peer. */
export function endWork(): void {
  switchTo(undefined, readClock());
}

/** Has `member` go on in a turn of its own, once what has arrived meanwhile has been read. */
export function inNextTurn(member: Waiting, account: ByteAccount): void {
  const nowMs = readClock();
  begin(nowMs);
  wait(new NextTurn(member, account.peerWork), isHeavyPeer(account, nowMs) ? Rank.lightConnection : Rank.lightPeer);
}

/** Does it now, or in a turn of its own where the peer takes much. `work` never throws. */
export function whenDue(account: ByteAccount, work: () => void): void {
  beginWork(account);
  if (isHeavyPeer(account, currentSinceMs)) inNextTurn({ onTurn: work }, account);
  else work();
}

/**
 * For work that may take long and belongs to no connection's reading: what to wait for before it begins, if anything.
 *
 * @param account whose work it is
 */
export function heavyTurn(account: ByteAccount): Promise<void> | undefined {
  const nowMs = readClock();
  const { peerWork } = account;
  begin(nowMs);
  const isLight = !isHeavyPeer(account, nowMs);
  if (isLight || (!isContended(Rank.heavy, nowMs) && nowMs - startedAtMs < turnMs)) {
    switchTo(peerWork, nowMs);
    return undefined;
  }
  return new Promise((resolve) => {
    wait(new NextTurn({ onTurn: resolve }, peerWork), Rank.heavy);
  });
}

/**
 * Whether work that goes on piece by piece has to wait for a turn of its own: the peer takes much, and the turn of the event
 * loop is over, or the work has had its part of it.
 *
 * @param hasHadPart as the work itself measures it
 */
export function isTurnOver(account: ByteAccount, hasHadPart: boolean): boolean {
  const nowMs = readClock();
  begin(nowMs);
  if (!isHeavyPeer(account, nowMs)) return false;
  return hasHadPart || nowMs - startedAtMs >= (isContended(Rank.lightConnection, nowMs) ? turnMs : evenTurnMs);
}

/** Charges a peer for `ms` of work that was not the event loop's: it has kept others from a processor. */
export function chargeWork(account: ByteAccount, ms: number): void {
  const nowMs = readClock();
  account.peerWork?.charge(ms, nowMs);
  if (isHeavyPeer(account, nowMs)) rest(Rank.heavy, ms, nowMs);
}

/**
 * The part of one connection in each turn of the event loop. Connections of peers that take less than a tenth of the event
 * loop's time go on at once, each for 1.5 ms; then come connections that take less than a tenth themselves, then the others.
 * All connections of these two ranks together go on for 4 ms of a turn, or 1.5 ms while there are some of an earlier rank.
 */
export class TurnShare implements PeerWaiting, Charged {
  readonly #member: Waiting;
  readonly #own = new WorkMeter();
  /** @internal */
  readonly peerWork: WorkMeter | undefined;
  /** @internal */
  place: Place | undefined = undefined;
  #turn = -1;
  #rank: number = Rank.lightPeer;
  /** There are others that take less. */
  #isAfterOthers = false;
  /** Others go first. */
  #isBehind = false;
  #limitMs = turnMs;
  #isWaiting = false;
  #isGranted = false;
  /** Worked, and not charged to `#own` yet. */
  #unchargedMs = 0;
  #isCharged = false;

  constructor(member: Waiting, { peerWork }: ByteAccount) {
    this.#member = member;
    this.peerWork = peerWork;
  }

  /** Whether another step may be made now. If not, the connection's `onTurn()` is called once, in a later turn. */
  mayGoOn(): boolean {
    if (this.#isWaiting) return false;
    const nowMs = readClock();
    begin(nowMs);
    if (this.#turn !== turn) this.#enterTurn(nowMs);
    if (current !== this) {
      switchTo(this, nowMs);
      if (this.#rank === Rank.lightPeer) endWithCallback(nowMs);
    }
    if (this.#isGranted) {
      this.#isGranted = false;
      holdStepClock(nowMs);
      return true;
    }
    // Those that go first have not to wait for what others did in this turn.
    const sinceMs = this.#rank === Rank.lightPeer ? currentSinceMs : startedAtMs;
    if (!this.#isBehind && nowMs - sinceMs < this.#limitMs) {
      holdStepClock(nowMs);
      return true;
    }
    this.#isWaiting = true;
    wait(this, this.#rank);
    return false;
  }

  /** It waits, and there are others that take less: there is no hurry to have more of it. */
  get isBehind(): boolean {
    return this.#isWaiting && this.#isAfterOthers;
  }

  /** @internal */
  onTurn(): void {
    this.#isWaiting = false;
    this.#isGranted = true;
    try {
      this.#member.onTurn();
    } finally {
      this.#isGranted = false;
    }
  }

  /** The connection is gone. */
  close(): void {
    if (this.#isWaiting) forget(this);
    this.#isWaiting = false;
    if (current === this) switchTo(undefined, readClock());
    forgetHeard(this);
  }

  /** @internal It has worked for so long. */
  charge(ms: number, nowMs: number): void {
    this.peerWork?.charge(ms, nowMs);
    this.#unchargedMs += ms;
    if (this.#unchargedMs < chargedMs) return;
    this.#own.charge(this.#unchargedMs, nowMs);
    this.#unchargedMs = 0;
    this.#isCharged = true;
  }

  #enterTurn(nowMs: number): void {
    this.#turn = turn;
    if (this.#isCharged && this.#own.isHeavy(nowMs)) this.#rank = Rank.heavy;
    else this.#rank = this.peerWork?.isHeavy(nowMs) === true ? Rank.lightConnection : Rank.lightPeer;
    hear(this, this.#rank, nowMs);
    // Within a turn that has begun for it, it goes on until that is over.
    const isAfterOthers = isContended(this.#rank, nowMs);
    this.#isAfterOthers = isAfterOthers;
    this.#limitMs = isAfterOthers || this.#rank === Rank.lightPeer ? turnMs : evenTurnMs;
    // Nor before those of its own rank that wait already.
    const isAfterSome = isAfterOthers || (this.#rank !== Rank.lightPeer && hasWaiting(this.#rank));
    this.#isBehind = isAfterSome && !this.#isGranted;
  }
}
