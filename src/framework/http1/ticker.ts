/** Something with time limits. */
export interface Ticking {
  /** @param nowMs  of `performance.now()`. Never throws. */
  onTick(nowMs: number): void;
}

// Time limits are seconds and minutes: a quarter of a second more is of no account, and one timer serves all connections.
const tickMs = 250;

const members = new Set<Ticking>();
let timer: NodeJS.Timeout | undefined;
let now = performance.now();

/** Ms of `performance.now()`, at most a tick ago while there are members. */
export function coarseNow(): number {
  return now;
}

function tick(): void {
  now = performance.now();
  for (const member of members) member.onTick(now);
}

export function startTicking(member: Ticking): void {
  now = performance.now();
  members.add(member);
  // A timer does not keep the process running; the sockets do.
  timer ??= setInterval(tick, tickMs).unref();
}

export function stopTicking(member: Ticking): void {
  members.delete(member);
  if (members.size > 0) return;
  clearInterval(timer);
  timer = undefined;
}
