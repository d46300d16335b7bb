import { constants, fstatSync, openSync } from 'node:fs';
import { isatty } from 'node:tty';

/** A standard stream of the process, as it can be written to. */
export interface Outlet {
  readonly fd: number;
  /**
   * Whether a write never waits: it takes what there is room for, or fails with EAGAIN. Otherwise a write may wait, so only
   * a thread of the pool may do it.
   */
  readonly isNonBlocking: boolean;
}

/**
 * Opens standard output (1) or standard error (2) for writes that never wait, where its kind allows it.
 *
 * A pipe and a terminal are opened again, because O_NONBLOCK belongs to the open file and other processes may share it.
 * A socket cannot be opened again; Node's own stream for it sets the flag. A regular file has no such mode.
 */
export function openOutlet(fd: 1 | 2): Outlet {
  try {
    const stats = fstatSync(fd);
    const isPipe = stats.isFIFO() || stats.isSocket();
    if (!isPipe && !isatty(fd)) return { fd, isNonBlocking: false };
    return openAgain(fd) ?? { fd, isNonBlocking: isPipe && isSetByNode(fd) };
  } catch {
    return { fd, isNonBlocking: false };
  }
}

function openAgain(fd: number): Outlet | undefined {
  const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants;
  try {
    return { fd: openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK | O_NOCTTY), isNonBlocking: true };
  } catch {
    // A socket, another user's pipe, a pipe without a reader, or no /proc.
    return undefined;
  }
}

// The getter makes the stream, which puts a pipe or a socket into non-blocking mode.
function isSetByNode(fd: 1 | 2): boolean {
  return (fd === 1 ? process.stdout : process.stderr).writable;
}
