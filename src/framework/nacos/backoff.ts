/**
 * The pause before attempt `attempt` (1, 2, …), in ms: doubles from `minMs` up to `maxMs`, the upper half of it at random,
 * so that the clients of a server that comes back do not all knock at once.
 */
export function backoffMs(attempt: number, minMs: number, maxMs: number, random = Math.random()): number {
  const full = Math.min(maxMs, minMs * 2 ** Math.min(attempt - 1, 30));
  return Math.round(full * (0.5 + random / 2));
}

/** Resolves after the time, or at once when the signal fires. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (signal.aborted) return Promise.resolve();
  const done = (): void => {
    clearTimeout(timer);
    signal.removeEventListener('abort', done);
    resolve();
  };
  const timer = setTimeout(done, ms);
  signal.addEventListener('abort', done);
  return promise;
}
