import { setImmediate as afterSockets, setTimeout as delay } from 'node:timers/promises';

// Far more than a full queue of pending connections takes, also on a busy machine.
const acceptTimeMs = 1000;
// A client that has just been told to close comes back within a round trip.
const acceptQuietMs = 50;
const acceptStepMs = 5;
// A busy process may have had no turn to accept a connection in all that time.
const acceptQuietTurns = 5;

/**
 * Waits until no connection arrives for a while. Connections that the kernel has confirmed and the process has not accepted
 * are reset when the port closes, and clients that have just been told to go elsewhere may be sent here again. The wait has
 * an end, since new ones may keep coming.
 *
 * @param accepted number of connections accepted since the start
 */
export async function untilNoneArrives(accepted: () => number): Promise<void> {
  const untilMs = performance.now() + acceptTimeMs;
  let before = accepted();
  let quietSinceMs = performance.now();
  let quietTurns = 0;
  for (let nowMs = quietSinceMs; nowMs < untilMs; nowMs = performance.now()) {
    if (quietTurns >= acceptQuietTurns && nowMs >= quietSinceMs + acceptQuietMs) break;
    await delay(acceptStepMs);
    // In each turn of the event loop, sockets come after the timers.
    await afterSockets();
    const now = accepted();
    quietTurns = now > before ? 0 : quietTurns + 1;
    if (now > before) quietSinceMs = performance.now();
    before = now;
  }
}
