import type { Stream } from './stream.js';

/** Time for a caller whose answer is out to end its request by itself. */
const graceMs = 25;

/**
 * Requests that were answered before they had ended: callers that still send learn that nobody listens any more, RFC 9113
 * section 8.1. Not at once: most are about to end by themselves, and then no stream has to be broken off.
 */
export class UnreadRequests {
  readonly #reset: (stream: Stream) => void;
  #streams: Stream[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(reset: (stream: Stream) => void) {
    this.#reset = reset;
  }

  add(stream: Stream): void {
    this.#streams.push(stream);
    this.#timer ??= setTimeout(() => this.#onGraceOver(), graceMs);
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#streams = [];
  }

  #onGraceOver(): void {
    const streams = this.#streams;
    this.clear();
    for (const stream of streams) if (!stream.isClosed) this.#reset(stream);
  }
}
