import { PeerQueue, type PeerWaiting } from './peer-queue.js';
import { readClock, releaseStepClock } from './read-clock.js';
import { afterTurnEnd, endTurnNow, type TurnEnd } from './turn-end.js';
import type { WorkMeter } from './work-meter.js';

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
/** After steps like those of clients that merely call often, half of that: two thirds of the time are left to them. */
const shortMs = 3;
const shortPart = 0.5;
const resting = -1;
/** A rank that has waited so long goes on, whatever others do; longer than any rest. */
const longestWaitMs = 25;

const ranks: readonly number[] = Object.values(Rank);
const queues: readonly PeerQueue[] = ranks.map(() => new PeerQueue());
const heardAtMs: number[] = queues.map(() => Number.NEGATIVE_INFINITY);
/** By rank, who was heard last. */
const heard: (Heard | undefined)[] = queues.map(() => undefined);
const heardPeers: (WorkMeter | undefined)[] = queues.map(() => undefined);
/** Number of the turn. */
export let turn = 0;
export let startedAtMs = 0;
/**
 * The last turn in which a connection was accepted. libuv accepts one in each turn of the event loop: as long as there may be
 * more, those that take much wait, so that turns are short.
 */
let arrivalTurn = -1;
let isBegun = false;
/** `endWithCallback()` has been called. */
let isFenced = false;
let waiting = 0;
/** Immediates that are scheduled, one for each member that goes on. */
let steps = 0;
let stepTurn = -1;
let stepRank = 0;
let hasStepped = false;
let stepsMs = turnMs;
/** Since when the member that was called last works; below 0: none does. */
let stepSinceMs = -1;
/** Whose work that is. */
let stepped: Charged | undefined;
/** What the steps of this turn have taken. */
let steppedMs = 0;
/** By rank: until then it rests, since others are there. */
const restsUntilMs: number[] = queues.map(() => 0);
/** By rank: since when some of it wait and none has gone on. */
const waitsSinceMs: number[] = queues.map(() => 0);
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

/** A connection has been accepted: more may be waiting. */
export function arrive(): void {
  arrivalTurn = turn;
}

/** What is done from now on is `next`'s work. */
export function switchTo(next: Charged | undefined, nowMs: number): void {
  if (stepSinceMs >= 0 && next !== stepped) endStep(nowMs);
  current?.charge(nowMs - currentSinceMs, nowMs);
  releaseStepClock();
  current = next;
  currentSinceMs = nowMs;
}

/**
 * The work under way is that of one who takes little: it ends with the callback of the event loop, where some take much. What
 * comes next in this turn may be theirs, such as what they have had read from a disk.
 */
export function endWithCallback(nowMs: number): void {
  if (isFenced || !hasHeavy(nowMs)) return;
  isFenced = true;
  queueMicrotask(fence);
}

function hasHeavy(nowMs: number): boolean {
  if (nowMs - (heardAtMs[Rank.heavy] as number) < contendedMs) return true;
  return nowMs - (heardAtMs[Rank.lightConnection] as number) < contendedMs;
}

// Ticks that a microtask asks for come when all microtasks are done, and with them all that the callback has begun.
function fence(): void {
  process.nextTick(endCurrent);
}

function endCurrent(): void {
  isFenced = false;
  if (current !== undefined) switchTo(undefined, readClock());
}

function endTurn(): void {
  const hasHeavySteps = stepTurn === turn && hasStepped && stepRank !== Rank.lightPeer;
  if (current !== undefined || hasHeavySteps) {
    const nowMs = readClock();
    switchTo(undefined, nowMs);
    if (hasHeavySteps) rest(stepRank, steppedMs, nowMs);
  }
  releaseStepClock();
  isBegun = false;
  turn += 1;
}

function endStep(nowMs: number): void {
  steppedMs += nowMs - stepSinceMs;
  stepSinceMs = -1;
  stepped = undefined;
}

/** A rank has worked for `ms`, and rests where others are there that go before it; both ranks do so for the first of all. */
export function rest(worked: number, ms: number, nowMs: number): void {
  const untilMs = nowMs + (ms < shortMs ? ms * shortPart : Math.min(ms, longestRestMs));
  const isForFirst = isContended(Rank.lightConnection, nowMs);
  for (const rank of [Rank.lightConnection, Rank.heavy])
    if (isForFirst || (rank === worked && isContended(rank, nowMs)))
      restsUntilMs[rank] = Math.max(restsUntilMs[rank] as number, untilMs);
}

/** Has `member` go on in a later turn. */
export function wait(member: PeerWaiting, rank: number): void {
  if (!hasWaiting(rank)) waitsSinceMs[rank] = startedAtMs;
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
  const nowMs = readClock();
  if (stepSinceMs >= 0) endStep(nowMs);
  const isOver = hasStepped && nowMs - startedAtMs >= stepsMs;
  const next = isOver || stepRank < 0 ? undefined : (queues[stepRank] as PeerQueue).take();
  if (next === undefined) {
    // Those that are scheduled see the same.
    if (steps === 0) again();
    return;
  }
  hasStepped = true;
  waiting -= 1;
  try {
    next.onTurn();
    // What it has begun goes on in ticks and microtasks.
    stepSinceMs = nowMs;
    stepped = current;
  } finally {
    scheduleSteps();
  }
}

// Of one rank only in each turn: what the first have to say is sent before others begin.
function beginSteps(): void {
  begin(readClock());
  stepTurn = turn;
  hasStepped = false;
  steppedMs = 0;
  stepRank = rankOfTurn();
  if (stepRank !== resting) waitsSinceMs[stepRank] = startedAtMs;
  const isShort = stepRank <= Rank.lightPeer || isArriving() || isContended(stepRank, startedAtMs);
  stepsMs = isShort ? turnMs : evenTurnMs;
}

function rankOfTurn(): number {
  const since = (rank: number): number => waitsSinceMs[rank] as number;
  const [longest] = ranks.filter(hasWaiting).toSorted((a, b) => since(a) - since(b));
  if (longest === undefined) return resting;
  const waitedMs = startedAtMs - since(longest);
  if (waitedMs >= longestWaitMs) return longest;
  const next = ranks.find(isDue) ?? resting;
  return isArriving() && next !== Rank.lightPeer ? resting : next;
}

// The steps are in a turn of their own, behind that of the sockets.
function isArriving(): boolean {
  return arrivalTurn >= turn - 1;
}

/** Some of that rank wait, and it does not rest. */
function isDue(rank: number): boolean {
  return hasWaiting(rank) && startedAtMs >= (restsUntilMs[rank] as number);
}

function again(): void {
  if (stepRank !== resting || ranks.some(isDue)) scheduleSteps();
  else if (waiting > 0) {
    const untilMs = Math.min(...ranks.filter(hasWaiting).map((rank) => restsUntilMs[rank] as number));
    const leftMs = untilMs - readClock();
    // Timers come a millisecond later, or two.
    if (leftMs < 1) scheduleSteps();
    else restTimer ??= setTimeout(endRest, leftMs);
  }
}

function endRest(): void {
  restTimer = undefined;
  scheduleSteps();
}

/** Some of that rank wait. */
export function hasWaiting(rank: number): boolean {
  return !(queues[rank] as PeerQueue).isEmpty;
}

/** It is not to go on. */
export function forget(member: PeerWaiting): void {
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
  heardPeers[rank] = connection.peerWork;
  if (rank === Rank.lightPeer) return;
  // Who goes last now is not to wait for itself as it was before.
  const { peerWork } = connection;
  const isPeer = peerWork !== undefined && heardPeers[Rank.lightPeer] === peerWork;
  if (isPeer || heard[Rank.lightPeer] === connection) unhear(Rank.lightPeer);
  if (rank === Rank.heavy && heard[Rank.lightConnection] === connection) unhear(Rank.lightConnection);
}

/** A connection is gone. */
export function forgetHeard(connection: Heard): void {
  for (const rank of ranks) if (heard[rank] === connection) heard[rank] = undefined;
}

function unhear(rank: number): void {
  heardAtMs[rank] = Number.NEGATIVE_INFINITY;
  heard[rank] = undefined;
  heardPeers[rank] = undefined;
}
