import { ClockReader, readClock } from './read-clock.js';

/** A connection that has more to do than a turn of the event loop has time for. */
export interface Waiting {
  /** Goes on. Never throws. */
  onTurn(): void;
}

// Sockets are read up to 2 MiB at a time, which may be a hundred thousand requests: others wait for no more than that.
const turnMs = 1.5;
/** What a connection may do in a turn that is over, so that all of them get on. */
const freeSteps = 2;
// What a connection begins may go on in microtasks, which the clock sees only after them.
const mostResumed = 16;

const queue = new Set<Waiting>();
let turn = 0;
let startedAtMs = 0;
let isCounting = false;

function begin(): void {
  if (isCounting) return;
  isCounting = true;
  startedAtMs = readClock();
  setImmediate(next);
}

function next(): void {
  isCounting = false;
  turn += 1;
  if (queue.size === 0) return;
  begin();
  let resumed = 0;
  for (const each of queue) {
    queue.delete(each);
    each.onTurn();
    resumed += 1;
    if (resumed === mostResumed || performance.now() - startedAtMs >= turnMs) return;
  }
}

/** Has `member` go on in one of the next turns, behind those that wait already. */
export function awaitTurn(member: Waiting): void {
  begin();
  queue.add(member);
}

/** A chunk that is shorter does not bring many requests: the first of it is likely the only one, and needs no turn. */
export const loneBytes = 2048;

/** The part of one connection in each turn of the event loop. */
export class TurnShare {
  // A request reads the clock when it begins and when it ends, so that this seldom has to.
  readonly #clock = new ClockReader();
  #turn = -1;
  #steps = 0;

  /** Whether another step may be made in this turn. */
  take(): boolean {
    begin();
    if (this.#turn !== turn) {
      this.#turn = turn;
      this.#steps = 0;
    }
    this.#steps += 1;
    return this.#steps <= freeSteps || this.#clock.nowMs() - startedAtMs < turnMs;
  }
}
