import { readdirSync, readFileSync } from 'node:fs';

/**
 * CPU time a process has used so far on all its threads, in µs (Linux: the first field of each thread's schedstat, in ns).
 * A thread that ends between two calls takes its time with it; servers under load start and end none.
 *
 * @param {number} pid
 */
export function cpuTimeUs(pid) {
  const threads = readdirSync(`/proc/${pid}/task`);
  const ns = threads.map((thread) =>
    Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ', 1)[0]),
  );
  return ns.reduce((sum, one) => sum + one, 0) / 1000;
}
