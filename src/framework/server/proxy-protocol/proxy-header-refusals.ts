import type { Connection } from '../connections.js';
import { RefusalLog } from '../refusal-log.js';

const texts = {
  malformed: 'PROXY header refused: malformed',
  missing: 'connection refused: a trusted proxy sent no PROXY header',
  late: 'connection refused: a trusted proxy sent no PROXY header in time',
  untrusted: 'PROXY header refused: its sender is not in server.proxyProtocol',
} as const;

/** Why a connection was refused for what the PROXY protocol says of it. */
export type ProxyHeaderRefusal = keyof typeof texts;

/** Connections whose PROXY header is missing, broken, or not wanted. */
export class ProxyHeaderRefusals {
  /** Since the start. */
  readonly totals: Readonly<Record<ProxyHeaderRefusal, number>>;
  readonly #totals: Record<ProxyHeaderRefusal, number> = { malformed: 0, missing: 0, late: 0, untrusted: 0 };
  readonly #logs: Readonly<Record<ProxyHeaderRefusal, RefusalLog>>;

  constructor(log: (message: string, fields: object) => void) {
    this.totals = this.#totals;
    this.#logs = {
      malformed: new RefusalLog(log, texts.malformed),
      missing: new RefusalLog(log, texts.missing),
      late: new RefusalLog(log, texts.late),
      untrusted: new RefusalLog(log, texts.untrusted),
    };
  }

  /** The connection is still to be closed. */
  note(reason: ProxyHeaderRefusal, { peer }: Connection): void {
    this.#totals[reason] += 1;
    this.#logs[reason].note({ peer });
  }
}
