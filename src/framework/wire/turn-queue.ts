import { readClock } from './read-clock.js';
import { afterTurnEnd, endTurnNow, type TurnEnd } from './turn-end.js';
import type { WorkMeter } from './work-meter.js';

/** A connection that has more to do than it may do now. */
export interface Waiting {
  /** Goes on. Never throws. */
  onTurn(): void;
}

/** Who goes first, while there are others. */
export const Rank = { lightPeer: 0, lightConnection: 1, heavy: 2 } as const;

// Sockets are read up to 2 MiB at a time, which may be a hundred thousand requests: others wait for no more than that.
export const turnMs = 1.5;
// While all are alike, longer turns make fewer and larger writes.
export const evenTurnMs = 4;
/** Immediates at a time, so that sockets are read in between. */
const mostSteps = 64;
/** So long after they were heard last, those that go first are waited for. */
const contendedMs = 100;
/** Those that go last rest as long as they have worked, but no longer. */
const longestRestMs = 20;
const resting = -1;
/** Of so many turns, one belongs to each of the ranks that go last. */
const turnsForAll = 8;

const queues: readonly Set<Waiting>[] = Object.values(Rank).map(() => new Set<Waiting>());
const heardAtMs: number[] = queues.map(() => Number.NEGATIVE_INFINITY);
/** By rank, who was heard last. */
const heard: (Heard | undefined)[] = queues.map(() => undefined);
/** Number of the turn. */
export let turn = 0;
export let startedAtMs = 0;
let isBegun = false;
let waiting = 0;
/** Immediates that are scheduled, one for each member that goes on. */
let steps = 0;
let stepTurn = -1;
let stepRank = 0;
let hasStepped = false;
let stepsMs = turnMs;
/** Until then those that go last rest, since others are there. */
let restsUntilMs = 0;
let restTimer: NodeJS.Timeout | undefined;
/** Whose work is under way, and since when. */
export let current: Charged | undefined;
export let currentSinceMs = 0;

/** Who has worked. */
export interface Charged {
  /** For `ms`, until `nowMs`. */
  charge(ms: number, nowMs: number): void;
}

/** A connection. */
interface Heard {
  readonly peerWork: WorkMeter | undefined;
}

const end: TurnEnd = { onTurnEnd: endTurn };

/** The event loop works, in a turn that has begun already or begins now. */
export function begin(nowMs: number): void {
  if (isBegun) return;
  isBegun = true;
  startedAtMs = nowMs;
  currentSinceMs = nowMs;
  afterTurnEnd(end);
}

/** What is done from now on is `next`'s work. */
export function switchTo(next: Charged | undefined, nowMs: number): void {
  current?.charge(nowMs - currentSinceMs, nowMs);
  current = next;
  currentSinceMs = nowMs;
}

function endTurn(): void {
  const hasHeavySteps = stepTurn === turn && hasStepped && stepRank !== Rank.lightPeer;
  if (current !== undefined || hasHeavySteps) {
    const nowMs = readClock();
    switchTo(undefined, nowMs);
    if (hasHeavySteps) rest(stepRank, nowMs - startedAtMs, nowMs);
  }
  isBegun = false;
  turn += 1;
}

/** Those that go last rest for `ms`, where others are there. */
export function rest(rank: number, ms: number, nowMs: number): void {
  if (isContended(rank, nowMs)) restsUntilMs = Math.max(restsUntilMs, nowMs + Math.min(ms, longestRestMs));
}

/** Has `member` go on in a later turn. */
export function wait(member: Waiting, rank: number): void {
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
  const [next] = isOver || stepRank < 0 ? [] : (queues[stepRank] as Set<Waiting>);
  if (next === undefined) {
    // Those that are scheduled see the same.
    if (steps === 0) again();
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
  stepsMs = stepRank <= Rank.lightPeer || isContended(stepRank, startedAtMs) ? turnMs : evenTurnMs;
}

function rankOfTurn(): number {
  if (startedAtMs < restsUntilMs) return isInUse(queues[Rank.lightPeer]) ? Rank.lightPeer : resting;
  const place = turn % turnsForAll;
  if (place === 0 && isInUse(queues[Rank.heavy])) return Rank.heavy;
  if (place === turnsForAll / 2 && isInUse(queues[Rank.lightConnection])) return Rank.lightConnection;
  return Math.max(Rank.lightPeer, queues.findIndex(isInUse));
}

function again(): void {
  if (stepRank !== resting) scheduleSteps();
  else if (waiting > 0) restTimer ??= setTimeout(endRest, Math.max(1, restsUntilMs - readClock()));
}

function endRest(): void {
  restTimer = undefined;
  scheduleSteps();
}

function isInUse(queue: ReadonlySet<Waiting> | undefined): boolean {
  return queue !== undefined && queue.size > 0;
}

/** Some of that rank wait. */
export function hasWaiting(rank: number): boolean {
  return isInUse(queues[rank]);
}

/** It is not to go on. */
export function forget(member: Waiting): void {
  for (const queue of queues) if (queue.delete(member)) waiting -= 1;
}

/** Others that go before `rank` are there. */
export function isContended(rank: number, nowMs: number): boolean {
  if (rank === Rank.lightPeer) return false;
  if (nowMs - (heardAtMs[Rank.lightPeer] as number) < contendedMs) return true;
  return rank === Rank.heavy && nowMs - (heardAtMs[Rank.lightConnection] as number) < contendedMs;
}

/** A connection of `rank` has something to do. */
export function hear(connection: Heard, rank: number, nowMs: number): void {
  heardAtMs[rank] = nowMs;
  heard[rank] = connection;
  if (rank === Rank.lightPeer) return;
  // Who goes last now is not to wait for itself as it was before.
  if (heard[Rank.lightPeer]?.peerWork === connection.peerWork) unhear(Rank.lightPeer);
  if (rank === Rank.heavy && heard[Rank.lightConnection] === connection) unhear(Rank.lightConnection);
}

/** A connection is gone. */
export function forgetHeard(connection: Heard): void {
  for (const rank of queues.keys()) if (heard[rank] === connection) heard[rank] = undefined;
}

function unhear(rank: number): void {
  heardAtMs[rank] = Number.NEGATIVE_INFINITY;
  heard[rank] = undefined;
}
