/**
 * Calls `due` once after `delayMs`, when everything has been read that the kernel held by then: timers come before sockets
 * in a turn of the event loop, so that after a long turn a plain timer judges peers that were in time.
 *
 * @param delayMs in ms
 * @returns the way to cancel it
 */
export function afterArrivals(delayMs: number, due: () => void): () => void {
  let check: NodeJS.Immediate | undefined;
  const timer = setTimeout(() => {
    check = setImmediate(due);
  }, delayMs);
  return () => {
    clearTimeout(timer);
    clearImmediate(check);
  };
}
