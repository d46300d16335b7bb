import type { ByteAccount } from './byte-account.js';
import { readClock } from './read-clock.js';
import { afterTurnEnd, endTurnNow, type TurnEnd } from './turn-end.js';
import { WorkMeter } from './work-meter.js';

/** A connection that has more to do than it may do now. */
export interface Waiting {
  /** Goes on. Never throws. */
  onTurn(): void;
}

/** Who goes first, while there are others. */
const Rank = { lightPeer: 0, lightConnection: 1, heavy: 2 } as const;

// Sockets are read up to 2 MiB at a time, which may be a hundred thousand requests: others wait for no more than that.
const turnMs = 1.5;
// While all are alike, longer turns make fewer and larger writes.
const evenTurnMs = 4;
/** Immediates at a time, so that sockets are read in between. */
const mostSteps = 64;
/** So long after they were heard last, those that go first are waited for. */
const contendedMs = 100;
/** Of so many turns, one belongs to each of the ranks that go last. */
const turnsForAll = 8;

const queues: readonly Set<Waiting>[] = Object.values(Rank).map(() => new Set<Waiting>());
const heardAtMs: number[] = queues.map(() => Number.NEGATIVE_INFINITY);
let turn = 0;
let startedAtMs = 0;
let isBegun = false;
let waiting = 0;
/** Immediates that are scheduled, one for each member that goes on. */
let steps = 0;
let stepTurn = -1;
let stepRank = 0;
let hasStepped = false;
let stepsMs = turnMs;
/** Whose work is under way, and since when. */
let current: Charged | undefined;
let currentSinceMs = 0;

/** Who has worked. */
interface Charged {
  charge(ms: number, nowMs: number): void;
}

const end: TurnEnd = { onTurnEnd: endTurn };

function begin(nowMs: number): void {
  if (isBegun) return;
  isBegun = true;
  startedAtMs = nowMs;
  currentSinceMs = nowMs;
  afterTurnEnd(end);
}

function switchTo(next: Charged | undefined, nowMs: number): void {
  current?.charge(nowMs - currentSinceMs, nowMs);
  current = next;
  currentSinceMs = nowMs;
}

function endTurn(): void {
  if (current !== undefined) switchTo(undefined, readClock());
  isBegun = false;
  turn += 1;
}

function wait(member: Waiting, rank: number): void {
  queues[rank]?.add(member);
  waiting += 1;
  scheduleSteps();
}

// An immediate each: what one of them begins may go on in ticks and microtasks, and the clock is to see that before the next.
function scheduleSteps(): void {
  for (; steps < waiting && steps < mostSteps; steps += 1) setImmediate(step);
}

function step(): void {
  steps -= 1;
  if (stepTurn !== turn) {
    // What has arrived since the last of these is sent before others begin, and not taken for their work.
    if (isBegun) endTurnNow();
    beginSteps();
  }
  const isOver = hasStepped && readClock() - startedAtMs >= stepsMs;
  const [next] = isOver ? [] : (queues[stepRank] as Set<Waiting>);
  if (next === undefined) {
    // Those that are scheduled see the same.
    if (steps === 0) scheduleSteps();
    return;
  }
  hasStepped = true;
  forget(next);
  next.onTurn();
  scheduleSteps();
}

// Of one rank only in each turn: what the first have to say is sent before others begin.
function beginSteps(): void {
  begin(readClock());
  stepTurn = turn;
  hasStepped = false;
  stepRank = rankOfTurn();
  stepsMs = stepRank === Rank.lightPeer || isContended(stepRank, startedAtMs) ? turnMs : evenTurnMs;
}

function rankOfTurn(): number {
  const place = turn % turnsForAll;
  if (place === 0 && isInUse(queues[Rank.heavy])) return Rank.heavy;
  if (place === turnsForAll / 2 && isInUse(queues[Rank.lightConnection])) return Rank.lightConnection;
  return Math.max(Rank.lightPeer, queues.findIndex(isInUse));
}

function isInUse(queue: ReadonlySet<Waiting> | undefined): boolean {
  return queue !== undefined && queue.size > 0;
}

function forget(member: Waiting): void {
  for (const queue of queues) if (queue.delete(member)) waiting -= 1;
}

function isContended(rank: number, nowMs: number): boolean {
  if (rank === Rank.lightPeer) return false;
  if (nowMs - (heardAtMs[Rank.lightPeer] as number) < contendedMs) return true;
  return rank === Rank.heavy && nowMs - (heardAtMs[Rank.lightConnection] as number) < contendedMs;
}

class NextTurn implements Waiting, Charged {
  readonly #member: Waiting;
  readonly #peer: WorkMeter | undefined;

  constructor(member: Waiting, peer: WorkMeter | undefined) {
    this.#member = member;
    this.#peer = peer;
  }

  onTurn(): void {
    switchTo(this, readClock());
    this.#member.onTurn();
  }

  charge(ms: number, nowMs: number): void {
    this.#peer?.add(ms, nowMs);
  }
}

function ignore(): void {
  // It goes on by itself.
}

/** Has `member` go on in a turn of its own, once what has arrived meanwhile has been read. */
export function inNextTurn(member: Waiting, { peerWork }: ByteAccount): void {
  const nowMs = readClock();
  begin(nowMs);
  const isHeavy = peerWork?.isHeavy(nowMs) === true;
  wait(new NextTurn(member, peerWork), isHeavy ? Rank.lightConnection : Rank.lightPeer);
}

/**
 * For work that may take long and belongs to no connection's reading: what to wait for before it begins, if anything.
 *
 * @param account whose work it is
 */
export function heavyTurn({ peerWork }: ByteAccount): Promise<void> | undefined {
  const nowMs = readClock();
  begin(nowMs);
  const isLight = peerWork?.isHeavy(nowMs) !== true;
  if (isLight || (!isContended(Rank.heavy, nowMs) && nowMs - startedAtMs < turnMs)) {
    switchTo(new NextTurn({ onTurn: ignore }, peerWork), nowMs);
    return undefined;
  }
  return new Promise((resolve) => {
    wait(new NextTurn({ onTurn: resolve }, peerWork), Rank.heavy);
  });
}

/**
 * The part of one connection in each turn of the event loop. Connections of peers that take less than a tenth of the event
 * loop's time go on at once, each for 1.5 ms; then come connections that take less than a tenth themselves, then the others.
 * All connections of these two ranks together go on for 4 ms of a turn, or 1.5 ms while there are some of an earlier rank.
 */
export class TurnShare implements Waiting, Charged {
  readonly #member: Waiting;
  readonly #own = new WorkMeter();
  readonly #peer: WorkMeter | undefined;
  #turn = -1;
  #rank: number = Rank.lightPeer;
  /** Others go first. */
  #isBehind = false;
  #limitMs = turnMs;
  #isWaiting = false;
  #isGranted = false;

  constructor(member: Waiting, { peerWork }: ByteAccount) {
    this.#member = member;
    this.#peer = peerWork;
  }

  /** Whether another step may be made now. If not, the connection's `onTurn()` is called once, in a later turn. */
  mayGoOn(): boolean {
    if (this.#isWaiting) return false;
    const nowMs = readClock();
    begin(nowMs);
    if (this.#turn !== turn) this.#enterTurn(nowMs);
    if (current !== this) switchTo(this, nowMs);
    if (this.#isGranted) {
      this.#isGranted = false;
      return true;
    }
    // Those that go first have not to wait for what others did in this turn.
    const sinceMs = this.#rank === Rank.lightPeer ? currentSinceMs : startedAtMs;
    if (!this.#isBehind && nowMs - sinceMs < this.#limitMs) return true;
    this.#isWaiting = true;
    wait(this, this.#rank);
    return false;
  }

  /** @internal */
  onTurn(): void {
    this.#isWaiting = false;
    this.#isGranted = true;
    this.#member.onTurn();
    this.#isGranted = false;
  }

  /** The connection is gone. */
  close(): void {
    if (this.#isWaiting) forget(this);
    this.#isWaiting = false;
    if (current === this) switchTo(undefined, readClock());
  }

  /** @internal It has worked for so long. */
  charge(ms: number, nowMs: number): void {
    this.#own.add(ms, nowMs);
    this.#peer?.add(ms, nowMs);
  }

  #enterTurn(nowMs: number): void {
    this.#turn = turn;
    const isHeavy = this.#own.isHeavy(nowMs);
    if (isHeavy) this.#rank = Rank.heavy;
    else this.#rank = this.#peer?.isHeavy(nowMs) === true ? Rank.lightConnection : Rank.lightPeer;
    heardAtMs[this.#rank] = nowMs;
    // Within a turn that has begun for it, it goes on until that is over.
    const isAfterOthers = isContended(this.#rank, nowMs);
    this.#limitMs = isAfterOthers || this.#rank === Rank.lightPeer ? turnMs : evenTurnMs;
    // Nor before those of its own rank that wait already.
    const isAfterSome = isAfterOthers || (this.#rank !== Rank.lightPeer && isInUse(queues[this.#rank]));
    this.#isBehind = isAfterSome && !this.#isGranted;
  }
}
