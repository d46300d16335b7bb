import { beginWork, inNextTurn, isTurnOver, type Waiting } from '../wire/index.js';
import type { RestStream } from './rest-stream.js';

// A piece of a file. Others may be single lines: a turn for each would make a write of the socket for each.
const turnBytes = 65_536;

/** Told when a piece is on its way, or that it will never be. */
export type Written = (error?: Error | null) => void;

/** Nothing of a piece goes out. Returns `mayGoOn`. */
export function skipped(mayGoOn: boolean, written: Written | null | undefined): boolean {
  if (written) process.nextTick(written);
  return mayGoOn;
}

/** The response. */
export interface FlowOwner {
  readonly stream: RestStream;
  /** More can be written, after `write()` returned false. */
  onReady(): void;
  /** `onReady()` threw. */
  onFailed(error: unknown): void;
}

/**
 * The pieces of one response that is written in parts. Its source goes on while the client takes what is written, and where the
 * client's peer takes much, in the peer's turn: what the kernel takes for a client is work too.
 */
export class ResponseFlow implements Waiting {
  readonly #owner: FlowOwner;
  readonly #stream: RestStream;
  /** The client is behind. */
  #isBlocked = false;
  #isWaiting = false;
  /** Written since the last turn. */
  #bytes = 0;
  #written: Written[] = [];

  constructor(owner: FlowOwner) {
    this.#owner = owner;
    this.#stream = owner.stream;
  }

  /** Whether `onReady()` is to come. */
  get isBehind(): boolean {
    return this.#isBlocked || this.#isWaiting;
  }

  /** Returns whether more can be written. */
  write(bytes: Uint8Array, written: Written | undefined): boolean {
    beginWork(this.#stream.account);
    this.#isBlocked = !this.#stream.write(bytes);
    this.#bytes += bytes.length;
    if (!this.#isBlocked) this.#awaitTurn();
    if (written !== undefined) {
      if (this.isBehind) this.#written.push(written);
      else process.nextTick(written);
    }
    return !this.isBehind;
  }

  /** The client can take more. */
  onDrain(): void {
    this.#isBlocked = false;
    beginWork(this.#stream.account);
    this.#awaitTurn();
    if (!this.#isWaiting) this.#goOn();
  }

  onTurn(): void {
    this.#isWaiting = false;
    if (this.#isBlocked || this.#stream.isClosed) return;
    try {
      this.#goOn();
    } catch (error) {
      this.#owner.onFailed(error);
    }
  }

  /** All has been sent, or with `error` nothing more is. */
  close(error?: Error): void {
    for (const written of this.#written.splice(0)) written(error);
  }

  #awaitTurn(): void {
    const { account } = this.#stream;
    if (this.#isWaiting || !isTurnOver(account, this.#bytes >= turnBytes)) return;
    this.#isWaiting = true;
    this.#bytes = 0;
    inNextTurn(this, account);
  }

  #goOn(): void {
    for (const written of this.#written.splice(0)) written();
    this.#owner.onReady();
  }
}
