import { readClock } from './read-clock.js';

/** Something with time limits. */
export interface Ticking {
  /** @param nowMs  of `coarseNow()`. Never throws. */
  onTick(nowMs: number): void;
}

// Time limits are seconds and minutes: a quarter of a second more is of no account, and one timer serves all connections.
const tickMs = 250;

const members = new Set<Ticking>();
let timer: NodeJS.Timeout | undefined;
/** While the event loop was blocked or the process stopped: limits are about what peers do, and no peer was heard. */
let blockedMs = 0;
let now = readClock();
let tickedAtMs = now;

/** Ms of `steadyNow()`, at most a tick ago while there are members. */
export function coarseNow(): number {
  return now;
}

/** Ms in which the process has heard its peers: `performance.now()` without the time in which the event loop was blocked. */
export function steadyNow(): number {
  return readClock() - blockedMs;
}

function tick(): void {
  const lateMs = steadyNow() - tickedAtMs - tickMs;
  const wasBlocked = lateMs > tickMs;
  if (wasBlocked) blockedMs += lateMs;
  now = steadyNow();
  tickedAtMs = now;
  // Timers come before sockets in a turn of the event loop: what has arrived meanwhile is read first.
  if (!wasBlocked) for (const member of members) member.onTick(now);
}

export function startTicking(member: Ticking): void {
  now = steadyNow();
  members.add(member);
  if (timer !== undefined) return;
  tickedAtMs = now;
  // A timer does not keep the process running; the sockets do.
  timer = setInterval(tick, tickMs).unref();
}

export function stopTicking(member: Ticking): void {
  members.delete(member);
  if (members.size > 0) return;
  clearInterval(timer);
  timer = undefined;
}
