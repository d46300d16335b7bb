import type { ByteAccount } from './byte-account.js';
import { beginWork, inNextTurn } from './fair-turns.js';
import type { Waiting } from './peer-queue.js';

/** What the bytes come from: a socket. */
interface Source {
  pause(): unknown;
  resume(): unknown;
}

/**
 * What still comes when a connection has ended: it is read and thrown away, so that the peer gets to see why; a piece at a time,
 * in the peer's turns.
 */
export class Discard implements Waiting {
  readonly #source: Source;
  readonly #account: ByteAccount;
  readonly #maxBytes: number;
  #bytes = 0;
  #isWaiting = false;

  /** @param maxBytes so much is read; a peer that goes on all the same is left to fill its own side */
  constructor(source: Source, account: ByteAccount, maxBytes: number) {
    this.#source = source;
    this.#account = account;
    this.#maxBytes = maxBytes;
  }

  /** So many bytes have come. */
  add(bytes: number): void {
    // Or it would be taken for the work of the connection that was read before.
    beginWork(this.#account);
    this.#bytes += bytes;
    this.#source.pause();
    if (this.#isWaiting || this.#bytes > this.#maxBytes) return;
    this.#isWaiting = true;
    inNextTurn(this, this.#account);
  }

  /** @internal */
  onTurn(): void {
    this.#isWaiting = false;
    this.#source.resume();
  }
}
