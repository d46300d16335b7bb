import { write as writePooled, writeSync } from 'node:fs';
import { LineBuffer } from './line-buffer.js';
import { openOutlet, type Outlet } from './outlet.js';

/** Bytes kept for an output that does not take them, until the options say otherwise. */
export const defaultMaxBufferedBytes = 16_777_216;

// A full pipe has room again as soon as its reader reads: often within a millisecond, or not for hours.
const firstRetryMs = 1;
const lastFullRetryMs = 50;
// A disk that is full, a reader that is gone: what ends by itself ends later.
const lastFailedRetryMs = 1000;
// Pieces written in one turn of the event loop, so that a long queue does not hold the requests up.
const piecesPerTurn = 16;
// Time that an exit without a stop, such as process.exit(), may spend on the rest of the log.
const exitFlushMs = 250;
const exitStepMs = 5;
// A write to a file that takes longer than this may take for ever.
const stuckMs = 100;

/**
 * Standard output as the destination of the log: writes never wait for it, memory is bounded, and lines that find no room
 * are dropped and counted. The lines of one turn of the event loop leave together. At most one write is in flight, so a
 * disk that hangs takes one thread of the pool, not all of them.
 *
 * No failure of the output is fatal: writing is tried again until the output takes lines, or the process ends.
 */
export class StandardOutput {
  /** Called with the number of lines dropped since the last time, when there is room again. */
  onDropped: (lines: number) => void = () => {};
  readonly #outlet: Outlet;
  readonly #buffer = new LineBuffer(defaultMaxBufferedBytes);
  readonly #run = (): void => this.#step();
  #reported = 0;
  /** A write is in flight, or the time of the next one is set. */
  #isBusy = false;
  #inFlightSinceMs: number | undefined;
  #inFlightBytes = 0;
  #retryMs = firstRetryMs;
  #timer: NodeJS.Timeout | undefined;
  #waiters: (() => void)[] = [];

  constructor(outlet: Outlet) {
    this.#outlet = outlet;
  }

  /** Lines dropped since the start. */
  get droppedLines(): number {
    return this.#buffer.droppedLines;
  }

  /** Bytes of the lines that wait. */
  get bufferedBytes(): number {
    return this.#buffer.bytes;
  }

  /** Bytes kept for an output that does not take them. Lines that are kept already stay. */
  set maxBufferedBytes(bytes: number) {
    this.#buffer.maxBytes = bytes;
  }

  write(line: string): void {
    this.#buffer.append(line);
    if (this.#isBusy) return;
    this.#isBusy = true;
    setImmediate(this.#run);
  }

  /** Hands over what can be handed over without waiting. pino calls it after a line of level `fatal`. */
  flushSync(): void {
    if (!this.#buffer.isEmpty) this.#step();
  }

  /** Resolves with true when everything is out, with false when `timeoutMs` passed first. */
  async flush(timeoutMs: number): Promise<boolean> {
    if (this.#buffer.isEmpty) return true;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiters.push(resolve);
    this.#retryMs = firstRetryMs;
    this.flushSync();
    const timer = setTimeout(resolve, timeoutMs);
    await promise;
    clearTimeout(timer);
    return this.#buffer.isEmpty;
  }

  /** Writes the rest at the exit of the process, for a bounded time. What the output does not take is lost. */
  writeRest(): void {
    const untilMs = performance.now() + exitFlushMs;
    if (this.#inFlightSinceMs !== undefined && performance.now() - this.#inFlightSinceMs > stuckMs) return;
    // Those bytes are in the hands of a thread that the exit waits for.
    let skipped = this.#inFlightSinceMs === undefined ? 0 : this.#inFlightBytes;
    for (let piece = this.#buffer.first(); piece !== undefined; piece = this.#buffer.first()) {
      try {
        const written = skipped > 0 ? skipped : writeSync(this.#outlet.fd, piece);
        skipped = 0;
        this.#buffer.release(written);
      } catch (error) {
        if (!isFull(error) || performance.now() >= untilMs) return;
        sleep(exitStepMs);
      }
    }
  }

  #step(): void {
    if (this.#inFlightSinceMs !== undefined) return;
    clearTimeout(this.#timer);
    this.#isBusy = true;
    if (this.#outlet.isNonBlocking) this.#writeAtOnce();
    else this.#writePooled();
  }

  #writeAtOnce(): void {
    try {
      for (let count = 0; count < piecesPerTurn; count += 1) {
        const piece = this.#buffer.first();
        if (piece === undefined) {
          this.#rest();
          return;
        }
        this.#advance(writeSync(this.#outlet.fd, piece));
      }
      setImmediate(this.#run);
    } catch (error) {
      this.#retry(error);
    }
  }

  #writePooled(): void {
    const piece = this.#buffer.first();
    if (piece === undefined) {
      this.#rest();
      return;
    }
    this.#inFlightSinceMs = performance.now();
    this.#inFlightBytes = piece.length;
    writePooled(this.#outlet.fd, piece, 0, piece.length, null, (error, written) => {
      this.#inFlightSinceMs = undefined;
      if (error === null) {
        this.#advance(written);
        this.#writePooled();
      } else this.#retry(error);
    });
  }

  #advance(bytes: number): void {
    this.#retryMs = firstRetryMs;
    this.#buffer.release(bytes);
    const { droppedLines, hasRoom } = this.#buffer;
    if (droppedLines === this.#reported || !hasRoom) return;
    const lines = droppedLines - this.#reported;
    this.#reported = droppedLines;
    this.onDropped(lines);
  }

  #rest(): void {
    this.#isBusy = false;
    for (const resolve of this.#waiters.splice(0)) resolve();
  }

  #retry(error: unknown): void {
    this.#timer = setTimeout(this.#run, this.#retryMs).unref();
    this.#retryMs = Math.min(this.#retryMs * 2, isFull(error) ? lastFullRetryMs : lastFailedRetryMs);
  }
}

let shared: StandardOutput | undefined;

/** The standard output of the process: one for all loggers, since they share its order and its bound. */
export function standardOutput(): StandardOutput {
  if (shared === undefined) {
    const output = new StandardOutput(openOutlet(1));
    process.on('exit', () => output.writeRest());
    shared = output;
  }
  return shared;
}

let standardError: Outlet | undefined;

/** Writes a text to standard error, at once and for a bounded time; what it does not take is lost. */
export function writeStandardError(text: string): void {
  standardError ??= openOutlet(2);
  const untilMs = performance.now() + exitFlushMs;
  for (let rest = Buffer.from(text); rest.length > 0; ) {
    try {
      rest = rest.subarray(writeSync(standardError.fd, rest));
    } catch (error) {
      if (!isFull(error) || performance.now() >= untilMs) return;
      sleep(exitStepMs);
    }
  }
}

function isFull(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'EAGAIN';
}

// The exit has no event loop to wait in.
function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
