import { isatty } from 'node:tty';
import type { Live } from '../core/index.js';
import { type LogOptions, writeStandardError } from '../telemetry/index.js';
import { endNow, endProcess, endWithoutLog } from './process-end.js';
import type { Service, ServiceOwner } from './service.js';
import { closeTimeoutMs } from './shutdown.js';
import { startLines, startStacks } from './start-error.js';

// Ctrl-C reaches the process from the terminal and again from each wrapper that passes it on (npm, a bootstrap).
const sameSignalMs = 150;
// What a drain after a crash takes besides its grace and the time to close: connections that end, the rest of the log.
const crashOverrunMs = 3000;

/** What a start hands over while it is under way, for the case that it fails. */
export interface StartWatch {
  onOptions(log: Live<LogOptions>, env: string): void;
  /** What an operator may not expect of the environment. */
  onNotices(notices: readonly string[]): void;
}

/**
 * Gives the process to one service: signals stop, reload or examine it, and every way it can end has its exit code.
 * 0 drained; 1 could not start, or crashed; 2 the drain ran out of time, or a second signal cut it short. Repeats within
 * 150 ms count as the same signal.
 *
 * @param make makes the service
 */
export async function ownProcess(make: (watch: StartWatch) => Promise<Service>): Promise<Service> {
  const owner = new ProcessOwner();
  try {
    return owner.own(await make(owner));
  } catch (error) {
    return owner.failStart(error);
  }
}

class ProcessOwner implements ServiceOwner, StartWatch {
  readonly #hadTerminal = hasTerminal();
  #service: Service | undefined;
  #log: Live<LogOptions> | undefined;
  #notices: readonly string[] = [];
  #isStarted = false;
  #isReloadAsked = false;
  #stoppingSinceMs: number | undefined;
  #hasCrashed = false;
  #isCutShort = false;

  constructor() {
    // A reader that is gone: what the application prints is lost, and the service goes on.
    for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
    process.on('SIGTERM', (signal) => this.#stop(signal));
    process.on('SIGINT', (signal) => this.#stop(signal));
    process.on('SIGQUIT', (signal) => this.#stop(signal, 0));
    process.on('SIGHUP', (signal) => this.#hangUp(signal));
    process.on('SIGUSR2', () => this.#service?.reportDiagnostics());
    process.on('uncaughtException', (error, origin) => this.#crash(error, origin));
  }

  onNotices(notices: readonly string[]): void {
    this.#notices = notices;
  }

  onOptions(log: Live<LogOptions>, env: string): void {
    this.#log = log;
    // Node's own meaning is to open the inspector, which runs any code for whoever reaches its port.
    if (env !== 'development') process.on('SIGUSR1', () => this.#service?.note('SIGUSR1 ignored (development only)'));
  }

  own(service: Service): Service {
    this.#service = service;
    service.ownBy(this);
    return service;
  }

  started(): void {
    this.#isStarted = true;
    if (this.#isReloadAsked) void this.#service?.reload();
  }

  failStart(error: unknown): never {
    const level = this.#log?.value.level;
    // They are often the reason, and the log may not have begun.
    for (const notice of this.#notices) writeStandardError(`warning: ${notice}\n`);
    report('cannot start', error, level === 'debug' || level === 'trace');
    return endNow(1);
  }

  #stop(signal: NodeJS.Signals, drainDelayMs?: number): void {
    if (this.#stoppingSinceMs !== undefined) {
      if (performance.now() - this.#stoppingSinceMs > sameSignalMs) this.#cutShort(signal);
      return;
    }
    this.#stoppingSinceMs = performance.now();
    // A start that is still under way has nothing to drain.
    if (this.#service === undefined) endNow(0);
    // A drain is under way already.
    if (this.#hasCrashed) return;
    void this.#service.close(drainDelayMs === undefined ? {} : { drainDelayMs }).then(
      (code) => this.#end(code),
      (error: unknown) => {
        report('stop failed', error, true);
        return this.#end(2);
      },
    );
  }

  // The exit writes what the log holds, for a bounded time.
  #cutShort(signal: NodeJS.Signals): void {
    if (this.#isCutShort) return;
    this.#isCutShort = true;
    const service = this.#service;
    service?.note('ended by a second signal', { signal, inFlight: service.lifecycle.inFlight });
    void endWithoutLog(this.#hasCrashed ? 1 : 2);
  }

  async #endAfterCrash(service: Service, graceMs: number): Promise<void> {
    try {
      await service.drainAfterCrash(graceMs);
    } finally {
      await this.#end(1);
    }
  }

  #end(code: number): Promise<never> {
    return endProcess(this.#hasCrashed ? 1 : code);
  }

  // From a terminal it means that the terminal is gone, from anywhere else that the configuration is to be read again.
  #hangUp(signal: NodeJS.Signals): void {
    if (this.#hadTerminal && !hasTerminal()) this.#stop(signal);
    else if (this.#isStarted) void this.#service?.reload();
    else this.#isReloadAsked = true;
  }

  #crash(error: unknown, origin: string): void {
    // What a handler of uncaught exceptions throws would end the process with 7.
    try {
      report('crashed', error, true);
      const service = this.#service;
      service?.reportCrash(error, origin);
      if (service === undefined || !this.#isStarted) endNow(1);
      if (this.#hasCrashed) {
        void endWithoutLog(1);
        return;
      }
      this.#hasCrashed = true;
      const graceMs = service.crashGraceMs;
      setTimeout(() => endNow(1), graceMs + closeTimeoutMs + crashOverrunMs);
      void this.#endAfterCrash(service, graceMs);
    } catch {
      endNow(1);
    }
  }
}

function hasTerminal(): boolean {
  return [0, 1, 2].some((fd) => isatty(fd));
}

// Written at once: pending asynchronous output would be lost with the process.
function report(what: string, error: unknown, withStacks: boolean): void {
  let text: string;
  try {
    const lines = startLines(error).map((line) => `${what}: ${line}`);
    text = [...lines, ...(withStacks ? startStacks(error) : [])].join('\n');
  } catch {
    text = `${what}: a thrown value that has no text`;
  }
  writeStandardError(`${text}\n`);
}
