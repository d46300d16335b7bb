/** The outcome of `promise`, or the signal's reason when that fires first. */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: first, resolve, reject } = Promise.withResolvers<T>();
  const abort = (): void => reject(signal.reason);
  if (signal.aborted) abort();
  else signal.addEventListener('abort', abort);
  promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  return first;
}
