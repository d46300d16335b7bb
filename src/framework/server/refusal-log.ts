/** A client that is set up wrong tries again and again: the log need not hear of each time. */
const noteAgainMs = 60_000;

/** Logs why connections are refused: the first at once, those after it in one line a minute, with their number. */
export class RefusalLog {
  readonly #log: (message: string, fields: object) => void;
  readonly #message: string;
  #unnoted = 0;
  #notedAtMs = Number.NEGATIVE_INFINITY;

  constructor(log: (message: string, fields: object) => void, message: string) {
    this.#log = log;
    this.#message = message;
  }

  /** One more connection, which `fields` are about. */
  note(fields: object): void {
    this.#unnoted += 1;
    const nowMs = performance.now();
    if (nowMs - this.#notedAtMs < noteAgainMs) return;
    this.#log(this.#message, { ...fields, connections: this.#unnoted });
    this.#notedAtMs = nowMs;
    this.#unnoted = 0;
  }
}
