import { getActiveResourcesInfo } from 'node:process';

/** How many resources of each kind keep the process alive, by Node's name of the kind, such as `TCPSocketWrap` or `Timeout`. */
export type Resources = Readonly<Record<string, number>>;

// What comes and goes by itself: work of a moment, and the pipes to whoever started the process.
const fleeting: ReadonlySet<string> = new Set([
  'Immediate',
  'TickObject',
  'Microtask',
  'FSReqCallback',
  'FSReqPromise',
  'GetAddrInfoReqWrap',
]);

const pollMs = 10;

/** Counts what keeps the process alive at this moment: sockets, servers, timers, child processes. Timers that were `unref`ed do not count. */
export function openResources(): Resources {
  const counts: Record<string, number> = {};
  for (const kind of getActiveResourcesInfo()) {
    if (!fleeting.has(kind)) counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

/**
 * Waits until nothing is open that was not open `before`: for the end of a test.
 *
 * @param before    what `openResources()` said before the service was started
 * @param timeoutMs how long closing may take; 5000 by default
 * @throws Error (rejects) names the kinds of which there are still more, and how many
 * @example
 * const before = openResources();
 * const test = await startTestService(AppModule);
 * …
 * await test.close();
 * await untilReleased(before);
 */
export async function untilReleased(before: Resources, timeoutMs = 5000): Promise<void> {
  const until = performance.now() + timeoutMs;
  for (;;) {
    // Counted before the wait for the next look, whose own timer would be among them.
    const left = leftOver(before);
    if (left.length === 0) return;
    if (performance.now() > until) throw new Error(`still open after ${timeoutMs} ms: ${left.join(', ')}`);
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

function leftOver(before: Resources): string[] {
  return Object.entries(openResources()).flatMap(([kind, count]) => {
    const more = count - (before[kind] ?? 0);
    return more > 0 ? [`${more} × ${kind}`] : [];
  });
}
