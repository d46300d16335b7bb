import type { WorkMeter } from './work-meter.js';

/** What the memory is counted by that a connection takes for bytes on their way. */
export interface ByteAccount {
  /** So many bytes more wait, or fewer where negative. */
  charge(bytes: number): void;
  /** The same, unless too many wait already: then nothing is counted. */
  tryCharge(bytes: number): boolean;
  /** What all connections of its peer take of the event loop's time. */
  readonly peerWork?: WorkMeter;
}

/** Counts nothing. */
export const noAccount: ByteAccount = {
  charge: () => {},
  tryCharge: () => true,
};

/** Counts bytes, or fewer where negative, in any case. Returns whether there was room for them. */
export function takeBytes(account: ByteAccount, bytes: number): boolean {
  const hasRoom = bytes > 0 && account.tryCharge(bytes);
  if (!hasRoom) account.charge(bytes);
  return hasRoom || bytes <= 0;
}

/** The part of an account that one place counts: what waits there now. */
export class CountedBytes {
  readonly #account: ByteAccount;
  #bytes = 0;

  constructor(account: ByteAccount) {
    this.#account = account;
  }

  set(bytes: number): void {
    if (bytes === this.#bytes) return;
    this.#account.charge(bytes - this.#bytes);
    this.#bytes = bytes;
  }
}
