/** An exception of somebody else's function is the process's, and not the connection's. */
export function apart(work: () => void): void {
  try {
    work();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
