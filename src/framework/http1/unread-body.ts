import type { IncomingHost } from './incoming-host.js';

/** Ticks of the time limits in a second. */
const ticksPerSecond = 4;

/**
 * The rest of the body of a request that has been answered, in the place of its stream. It is read and thrown away to its end,
 * as the response has said that the connection stays: `maxBytes` of it at once, then as many each second, so that a body
 * without end costs the other connections little.
 */
export class UnreadBody {
  /** Nobody reads them. */
  trailers: readonly string[] | undefined = undefined;
  readonly #maxBytes: number;
  readonly #host: Pick<IncomingHost, 'onUnreadEnd'>;
  /** That may be read before the next tick. */
  #bytesLeft: number;

  constructor(maxBytes: number, host: Pick<IncomingHost, 'onUnreadEnd'>) {
    this.#maxBytes = maxBytes;
    this.#host = host;
    this.#bytesLeft = maxBytes;
  }

  get isHeld(): boolean {
    return this.#bytesLeft <= 0;
  }

  onData(_bytes: Buffer, start: number, end: number): void {
    this.#bytesLeft -= end - start;
  }

  onEnd(): void {
    this.#host.onUnreadEnd();
  }

  /** A quarter of a second has passed. Returns whether more may be read now. */
  onTick(): boolean {
    if (!this.isHeld) return false;
    this.#bytesLeft = Math.ceil(this.#maxBytes / ticksPerSecond);
    return true;
  }
}
