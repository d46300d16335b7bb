import { availableParallelism } from 'node:os';
import type { ByteAccount } from './byte-account.js';
import { chargeWork, heavyTurn, isHeavyPeer } from './fair-turns.js';
import { readClock } from './read-clock.js';

/** As many as libuv has threads by default: more would wait there, where none can be put before another. */
const maxAtOnce = 4;

/** Of peers that take much: they leave processors to the event loop, and a thread to the others. */
const maxHeavyAtOnce = Math.min(maxAtOnce - 1, Math.ceil(availableParallelism() / 2));

// What it takes at most, with all that has to be collected afterwards; more is the doing of others.
const mostMsPerByte = 5 / 1_048_576;

/** So that one connection leaves threads to others. */
const maxPerConnection = 2;

interface Connection {
  readonly account: ByteAccount;
  running: number;
  /** Told whether it counts among those of peers that take much. */
  readonly waiting: ((isHeavy: boolean) => void)[];
}

/** Who has messages or bodies decompressed. */
export interface DecompressionOwner {
  /** Names the connection that they come over. */
  readonly connection: string;
  readonly account: ByteAccount;
  /** Bytes that one may have when it is decompressed. */
  readonly maxBytes: number;
}

/**
 * Has messages and bodies decompressed in turns. A kilobyte can fill a mebibyte: what is decompressed at the same time is
 * bounded, a connection with many does not hold up others, nor a peer with many, and what waits is as small as it came.
 * Peers are charged for the time that it takes.
 */
export class DecompressionTurns {
  readonly #connections = new Map<string, Connection>();
  #running = 0;
  #runningHeavy = 0;

  /** How many are being decompressed. */
  get running(): number {
    return this.#running;
  }

  /**
   * @param unpack decompresses; called in its turn, which may be at once
   * @param use    takes the outcome, in a turn of its own
   */
  async run<R>(
    { connection, account, maxBytes }: DecompressionOwner,
    unpack: () => Promise<Uint8Array>,
    use: (outcome: Uint8Array) => R,
  ): Promise<R> {
    let own = this.#connections.get(connection);
    if (own === undefined) {
      own = { account, running: 0, waiting: [] };
      this.#connections.set(connection, own);
    }
    let asHeavy = isHeavyPeer(account);
    if (this.#mayBegin(own, asHeavy)) this.#begin(own, asHeavy);
    else {
      const { promise, resolve } = Promise.withResolvers<boolean>();
      own.waiting.push(resolve);
      asHeavy = await promise;
    }
    try {
      // Without a wait it begins at once, not in a microtask.
      const turn = heavyTurn(account);
      if (turn !== undefined) await turn;
      const outcome = await charged(account, maxBytes, unpack);
      await heavyTurn(account);
      // In the same turn: of what was decompressed no more waits than is being decompressed.
      return use(outcome);
    } finally {
      this.#end(connection, own, asHeavy);
    }
  }

  #mayBegin({ running }: Connection, asHeavy: boolean): boolean {
    if (running >= maxPerConnection || this.#running >= maxAtOnce) return false;
    return !asHeavy || this.#runningHeavy < maxHeavyAtOnce;
  }

  #begin(own: Connection, asHeavy: boolean): void {
    own.running += 1;
    this.#running += 1;
    if (asHeavy) this.#runningHeavy += 1;
  }

  #end(connection: string, own: Connection, asHeavy: boolean): void {
    own.running -= 1;
    this.#running -= 1;
    if (asHeavy) this.#runningHeavy -= 1;
    if (own.running === 0 && own.waiting.length === 0) this.#connections.delete(connection);
    while (this.#beginNext(false) || this.#beginNext(true));
  }

  /** The first that may. Returns whether there is one. */
  #beginNext(asHeavy: boolean): boolean {
    for (const [name, next] of this.#connections) {
      if (next.waiting.length === 0 || isHeavyPeer(next.account) !== asHeavy || !this.#mayBegin(next, asHeavy))
        continue;
      this.#begin(next, asHeavy);
      // Behind all others.
      this.#connections.delete(name);
      this.#connections.set(name, next);
      next.waiting.shift()?.(asHeavy);
      return true;
    }
    return false;
  }
}

async function charged(account: ByteAccount, maxBytes: number, unpack: () => Promise<Uint8Array>): Promise<Uint8Array> {
  const beganAtMs = readClock();
  // Unless it comes to a good end.
  let bytes = maxBytes;
  try {
    const outcome = await unpack();
    bytes = outcome.length;
    return outcome;
  } finally {
    chargeWork(account, Math.min(readClock() - beganAtMs, bytes * mostMsPerByte));
  }
}

/** Those of the process, which has one set of threads. */
export const decompressionTurns = new DecompressionTurns();
