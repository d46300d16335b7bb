import type { Http1RefusalKind } from './refusal.js';

/** Counts of one connection, or of all that share the object; they only grow. */
export class Http1Counters {
  requests = 0;
  /** Sockets handed over to another protocol. */
  upgrades = 0;
  /** Requests whose caller went away before the answer was out. */
  aborted = 0;
  /** Answers that broke off: by `reset`, by an exception, or because they were not as long as they said. */
  reset = 0;
  /** Connections closed because nothing was asked on them for `keepAliveTimeoutMs`. */
  idleTimeouts = 0;
  /** Connections given up because the peer took nothing. */
  stalled = 0;
  /** Connections closed because the rest of a request that was answered already was too long or too slow. */
  unreadBodies = 0;
  /** Refused requests, by why. */
  readonly refused: Record<Http1RefusalKind, number> = {
    malformed: 0,
    host: 0,
    repeated: 0,
    'headers-too-large': 0,
    timeout: 0,
    version: 0,
    'transfer-coding': 0,
  };
}
