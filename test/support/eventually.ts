// Far beyond what anything here takes: a test that gets there has failed.
const limitMs = 15_000;
const pollMs = 10;

/**
 * Waits until `condition` holds. For what no event tells: the state of another process, or of a table.
 *
 * @param what named in the error when it never does
 */
export async function eventually(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = limitMs,
): Promise<void> {
  const until = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > until) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}
