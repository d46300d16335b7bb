/** As many as libuv has threads by default: more would wait there, where none can be put before another. */
const maxAtOnce = 4;

/** So that one connection leaves threads to others. */
const maxPerConnection = 2;

interface Connection {
  running: number;
  readonly waiting: (() => void)[];
}

/**
 * Has messages decompressed in turns. A compressed message of a kilobyte can fill a mebibyte: what is decompressed at the
 * same time is bounded, a connection with many does not hold up others, and what waits is as small as it came.
 */
export class DecompressionTurns {
  readonly #connections = new Map<string, Connection>();
  #running = 0;

  /** Messages that are being decompressed. */
  get running(): number {
    return this.#running;
  }

  /**
   * @param connection names the connection that the message came over
   * @param work       called when it is its turn, which may be at once
   */
  async run<T>(connection: string, work: () => Promise<T>): Promise<T> {
    let own = this.#connections.get(connection);
    if (own === undefined) {
      own = { running: 0, waiting: [] };
      this.#connections.set(connection, own);
    }
    if (this.#running < maxAtOnce && own.running < maxPerConnection) this.#begin(own);
    else {
      const { promise, resolve } = Promise.withResolvers<void>();
      own.waiting.push(resolve);
      await promise;
    }
    try {
      return await work();
    } finally {
      this.#end(connection, own);
    }
  }

  #begin(own: Connection): void {
    own.running += 1;
    this.#running += 1;
  }

  #end(connection: string, own: Connection): void {
    own.running -= 1;
    this.#running -= 1;
    if (own.running === 0 && own.waiting.length === 0) this.#connections.delete(connection);
    // The first that may: two connections at most have as many as they may have.
    for (const [name, next] of this.#connections) {
      if (next.running >= maxPerConnection) continue;
      const resolve = next.waiting.shift();
      if (resolve === undefined) continue;
      this.#begin(next);
      // Behind all others.
      this.#connections.delete(name);
      this.#connections.set(name, next);
      resolve();
      return;
    }
  }
}
