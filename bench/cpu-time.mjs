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
/**
 * The middle value; of an even number of them the mean of the two in the middle.
 *
 * @param {readonly number[]} values
 */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}
