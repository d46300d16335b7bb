/** One thing that a subscriber is told. */
export interface Delivery<T> {
  readonly value: T;
  /** How many earlier ones were dropped since the last delivery, because this subscriber reads too slowly. */
  readonly missed: number;
}

/**
 * What is waiting for one subscriber. Publishers never wait: when the queue is full, the oldest is dropped and counted.
 * Read it by one reader, with `for await`.
 */
export class SubscriberQueue<T> implements AsyncIterable<Delivery<T>> {
  readonly #capacity: number;
  #waiting: T[] = [];
  #missed = 0;
  #isClosed = false;
  #failure: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;
  #waitsForRoom: (() => void)[] = [];
  #isReaderAsleep = false;

  /** @param capacity most items that wait, 1 or more */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Items that wait. */
  get size(): number {
    return this.#waiting.length;
  }

  /** Adds `value`; after `close` it is ignored. */
  push(value: T): void {
    if (this.#isClosed) return;
    if (this.#waiting.length >= this.#capacity) {
      this.#waiting.shift();
      this.#missed += 1;
    }
    this.#waiting.push(value);
    this.#rouse();
  }

  /**
   * For a publisher that can wait and would rather not have its own things dropped: resolves while the queue is at most
   * half full, else when the reader has read. A reader that takes nothing for `patienceMs` is not waited for until it
   * reads again.
   */
  async room(patienceMs: number): Promise<void> {
    if (this.#hasRoom() || this.#isReaderAsleep) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(() => {
      this.#isReaderAsleep = true;
      resolve();
    }, patienceMs);
    this.#waitsForRoom.push(resolve);
    await promise.finally(() => clearTimeout(timer));
  }

  /** The reader gets what waits, then the end. May be called twice. */
  close(): void {
    this.#isClosed = true;
    this.#rouse();
    this.#tellOfRoom();
  }

  /** The reader gets `error` at once, and nothing that waits. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.close();
  }

  /** Closes when `signal` aborts: a reader that waits cannot be told to stop in another way. */
  closeOn(signal: AbortSignal): this {
    if (signal.aborted) this.close();
    else signal.addEventListener('abort', () => this.close(), { once: true });
    return this;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Delivery<T>, void, undefined> {
    try {
      for (;;) {
        if (this.#failure !== undefined) throw this.#failure.error;
        if (this.#waiting.length > 0) yield this.#take();
        else if (this.#isClosed) return;
        else await this.#arrival();
      }
    } finally {
      this.#waiting = [];
      this.close();
    }
  }

  #hasRoom(): boolean {
    return this.#isClosed || this.#waiting.length * 2 <= this.#capacity;
  }

  #tellOfRoom(): void {
    const waiting = this.#waitsForRoom;
    this.#waitsForRoom = [];
    for (const resolve of waiting) resolve();
  }

  #take(): Delivery<T> {
    const delivery = { value: this.#waiting.shift() as T, missed: this.#missed };
    this.#missed = 0;
    this.#isReaderAsleep = false;
    if (this.#hasRoom()) this.#tellOfRoom();
    return delivery;
  }

  #arrival(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #rouse(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}
