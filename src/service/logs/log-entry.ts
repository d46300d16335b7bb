/** How serious an entry is. */
export const logLevels = ['debug', 'info', 'warn', 'error'] as const;

/** A moment, to the nanosecond. */
export interface Instant {
  /** Since 1970, in seconds. */
  readonly seconds: bigint;
  /** 0 to 999 999 999. */
  readonly nanos: number;
}

/** An entry to store. */
export interface LogEntry {
  readonly source: string;
  readonly level: string;
  readonly message: string;
  readonly time: Instant;
}

/** An entry as stored. */
export interface StoredLogEntry extends LogEntry {
  readonly id: bigint;
}

/** Below 0 when `a` comes before `b`. */
export function compareInstants(a: Instant, b: Instant): number {
  return a.seconds === b.seconds ? a.nanos - b.nanos : a.seconds < b.seconds ? -1 : 1;
}
