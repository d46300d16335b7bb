import type { ByteAccount } from './byte-account.js';
import { inNextTurn } from './fair-turns.js';
import type { Waiting } from './turn-queue.js';

// More than honest clients have on their way.
const maxBytes = 4_194_304;

/** Where bytes come from that nobody wants: a socket. */
interface Source {
  pause(): unknown;
  resume(): unknown;
}

/**
 * What still comes when a connection has ended: it is read and thrown away, so that the peer gets to see why. A piece at a time,
 * in the peer's turns, and 4 MiB at most: a peer that goes on all the same is left to fill its own side.
 */
export class Discard implements Waiting {
  readonly #source: Source;
  readonly #account: ByteAccount;
  #bytes = 0;
  #isWaiting = false;

  constructor(source: Source, account: ByteAccount) {
    this.#source = source;
    this.#account = account;
  }

  /** So many bytes have come. */
  add(bytes: number): void {
    this.#bytes += bytes;
    this.#source.pause();
    if (this.#isWaiting || this.#bytes > maxBytes) return;
    this.#isWaiting = true;
    inNextTurn(this, this.#account);
  }

  /** @internal */
  onTurn(): void {
    this.#isWaiting = false;
    this.#source.resume();
  }
}
