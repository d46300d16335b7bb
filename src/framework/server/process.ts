import { writeSync } from 'node:fs';
import type { Live } from '../core/index.js';
import type { LogOptions } from '../telemetry/index.js';
import type { Service } from './service.js';
import { startLines, startStacks } from './start-error.js';

// Ctrl-C reaches the process from the terminal and again from each wrapper that passes it on (npm, a bootstrap).
const sameSignalMs = 150;

/**
 * Gives the process to one service: signals drain it, and every way it can end has its exit code.
 * 0 drained; 1 could not start, or crashed; 2 the drain ran out of time, or a second signal cut it short. Repeats within
 * 150 ms count as the same signal.
 *
 * @param make makes the service; it hands the log's options over as soon as it has them
 */
export async function ownProcess(
  make: (onLogOptions: (log: Live<LogOptions>) => void) => Promise<Service>,
): Promise<Service> {
  let service: Service | undefined;
  let log: Live<LogOptions> | undefined;
  let stoppingSinceMs: number | undefined;
  const stop = (): void => {
    if (stoppingSinceMs !== undefined) {
      if (performance.now() - stoppingSinceMs > sameSignalMs) process.exit(2);
      return;
    }
    stoppingSinceMs = performance.now();
    // A start that is still under way has nothing to drain.
    if (service === undefined) process.exit(0);
    void service.close().then((code) => process.exit(code));
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  process.on('uncaughtException', (error) => fail('crashed', error, true));
  const failStart: (error: unknown) => never = (error) => fail('cannot start', error, isDetailed(log?.value.level));
  try {
    service = await make((options) => {
      log = options;
    });
  } catch (error) {
    failStart(error);
  }
  service.failWith(failStart);
  return service;
}

function isDetailed(level: LogOptions['level'] | undefined): boolean {
  return level === 'debug' || level === 'trace';
}

// Written at once: pending asynchronous output would be lost with the process.
function fail(what: string, error: unknown, withStacks: boolean): never {
  for (const line of startLines(error)) writeSync(2, `${what}: ${line}\n`);
  for (const stack of withStacks ? startStacks(error) : []) writeSync(2, `${stack}\n`);
  process.exit(1);
}
