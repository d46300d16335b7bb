/**
 * Called after a change.
 *
 * @param changedPaths full paths of the values that differ, such as `server.limits.maxBodyBytes`; empty where the owner
 *   of the value does not know them
 */
export type LiveListener<T> = (current: T, previous: T, changedPaths: readonly string[]) => void;

/** A subscriber that is asked before a change is made. All subscribers of all changed values are asked first. */
export interface LiveSubscriber<T> {
  /**
   * Refuses the change by throwing; nothing changes for anybody then. It only looks: another subscriber may still refuse.
   * Its message is logged, so it must not hold secrets.
   */
  prepare?(next: T, previous: T, changedPaths: readonly string[]): void;
  /** As a `LiveListener`. What it throws is reported; the change stands and the others are told. */
  commit?(current: T, previous: T, changedPaths: readonly string[]): void;
}

/** A value that may change while the process runs, such as options that come from the configuration centre. */
export interface Live<T> {
  /** The present value; reading it costs nothing. Do not keep it: read it where it is used. */
  readonly value: T;
  /** Calls the listener after every change, or asks the subscriber before it. Returns the way to take it back. */
  subscribe(subscriber: LiveListener<T> | LiveSubscriber<T>): () => void;
}

/** A `Live` value that its owner can change. */
export class LiveValue<T> implements Live<T> {
  #value: T;
  readonly #subscribers = new Set<LiveSubscriber<T>>();
  readonly #onError: (error: unknown) => void;

  /** @param onError told of a listener that throws or rejects; the others are called all the same */
  constructor(value: T, onError: (error: unknown) => void = reportAsWarning) {
    this.#value = value;
    this.#onError = onError;
  }

  get value(): T {
    return this.#value;
  }

  subscribe(subscriber: LiveListener<T> | LiveSubscriber<T>): () => void {
    // An object of its own for each: who subscribes twice is called twice, and leaves twice.
    const entry: LiveSubscriber<T> =
      typeof subscriber === 'function'
        ? { commit: subscriber }
        : {
            prepare: (next, previous, paths) => subscriber.prepare?.(next, previous, paths),
            commit: (current, previous, paths) => subscriber.commit?.(current, previous, paths),
          };
    this.#subscribers.add(entry);
    return () => this.#subscribers.delete(entry);
  }

  /**
   * Makes `next` the value, then tells the listeners there are at this moment.
   *
   * @throws what a subscriber's `prepare` throws; nothing was changed then
   */
  publish(next: T, changedPaths: readonly string[] = []): void {
    this.prepare(next, changedPaths);
    this.swap(next, changedPaths)();
  }

  /** Asks the subscribers. @throws what the first that refuses throws */
  prepare(next: T, changedPaths: readonly string[]): void {
    for (const subscriber of [...this.#subscribers]) {
      const answer: unknown = subscriber.prepare?.(next, this.#value, changedPaths);
      if (!isPromise(answer)) continue;
      answer.then(undefined, this.#onError);
      throw new TypeError('prepare returned a promise (expected: an answer at once)');
    }
  }

  /**
   * Makes `next` the value without asking anybody, and returns the way to tell those who listen at this moment: owners
   * of several values swap all before they tell anybody.
   */
  swap(next: T, changedPaths: readonly string[]): () => void {
    const previous = this.#value;
    const told = [...this.#subscribers];
    this.#value = next;
    return () => {
      for (const subscriber of told) {
        // One that was called before may have taken it back.
        if (this.#subscribers.has(subscriber)) this.#tell(subscriber, next, previous, changedPaths);
      }
    };
  }

  #tell(subscriber: LiveSubscriber<T>, current: T, previous: T, changedPaths: readonly string[]): void {
    try {
      const answer: unknown = subscriber.commit?.(current, previous, changedPaths);
      // Left alone, a rejection would end the process.
      if (isPromise(answer)) answer.then(undefined, this.#onError);
    } catch (error) {
      this.#onError(error);
    }
  }
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}

function reportAsWarning(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : new Error(String(error)));
}

/** A `Live` that never changes. */
export function constant<T>(value: T): Live<T> {
  return { value, subscribe: () => () => {} };
}

/** A view of another `Live`; `project` runs once per change, not per read. Its subscribers may refuse a change too. */
export function project<T, U>(source: Live<T>, projection: (value: T) => U): Live<U> {
  const view = new LiveValue(projection(source.value));
  let prepared: { readonly of: T; readonly value: U } | undefined;
  source.subscribe({
    prepare: (next, _previous, paths) => {
      prepared = { of: next, value: projection(next) };
      view.prepare(prepared.value, paths);
    },
    commit: (current, _previous, paths) => {
      const value = prepared !== undefined && prepared.of === current ? prepared.value : projection(current);
      prepared = undefined;
      view.swap(value, paths)();
    },
  });
  return view;
}
