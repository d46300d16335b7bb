import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { standardOutput } from '../telemetry/index.js';

// What a log whose reader is slow may still take in an orderly end.
const logFlushMs = 1000;
// Calls that are about to return need no more; one that hangs never returns.
const poolGraceMs = 500;
const poolStepMs = 20;

// Requests to the thread pool that wait for a system, as `process.getActiveResourcesInfo()` names them.
const poolCalls: ReadonlySet<string> = new Set([
  'FSReqCallback',
  'FSReqPromise',
  'GetAddrInfoReqWrap',
  'GetNameInfoReqWrap',
]);

const shell = '/bin/sh';

/** Ends the process with `code` when the log is out, at the latest after a bounded time. */
export async function endProcess(code: number): Promise<never> {
  await standardOutput().flush(logFlushMs);
  return endWithoutLog(code);
}

/** Ends the process with `code` at once, or as soon as the calls that are about to return have done so. */
export async function endWithoutLog(code: number): Promise<never> {
  const untilMs = performance.now() + poolGraceMs;
  while (isPoolBusy() && performance.now() < untilMs) await delay(poolStepMs);
  return endNow(code);
}

/**
 * Ends the process with `code`, whatever is under way. `process.exit()` waits for every thread of the pool, for ever if one hangs
 * in a call (a pipe that nobody writes to, a file server that is gone, a name server that does not respond): then the process is
 * replaced by one that does nothing but end with that code.
 */
export function endNow(code: number): never {
  if (!isPoolBusy()) process.exit(code);
  process.exitCode = code;
  try {
    process.emit('exit', code);
    const { LD_LIBRARY_PATH } = process.env;
    // The shell is there sooner, and a signal that comes in between would have the last word. Small images have none.
    const command = existsSync(shell)
      ? [shell, '-c', `trap '' HUP INT QUIT TERM USR1 USR2; exit ${code}`]
      : [process.execPath, '-e', `process.exit(${code})`];
    process.execve?.(command[0] ?? '', command, LD_LIBRARY_PATH === undefined ? {} : { LD_LIBRARY_PATH });
  } catch {
    // Not on this platform, or a listener of 'exit' failed.
  }
  process.kill(process.pid, constants.signals.SIGKILL);
  process.exit(code);
}

function isPoolBusy(): boolean {
  return process.getActiveResourcesInfo().some((name) => poolCalls.has(name));
}
