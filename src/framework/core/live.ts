/** Called after a change. */
export type LiveListener<T> = (current: T, previous: T) => void;

/** A value that may change while the process runs, such as options that come from the configuration centre. */
export interface Live<T> {
  /** The present value; reading it costs nothing. Do not keep it: read it where it is used. */
  readonly value: T;
  /** Calls `listener` after every change. Returns the way to take it back. */
  subscribe(listener: LiveListener<T>): () => void;
}

/** A `Live` value that its owner can change. */
export class LiveValue<T> implements Live<T> {
  #value: T;
  readonly #listeners = new Set<LiveListener<T>>();
  readonly #onError: (error: unknown) => void;

  /** @param onError told of a listener that throws; the others are called all the same */
  constructor(value: T, onError: (error: unknown) => void = reportAsWarning) {
    this.#value = value;
    this.#onError = onError;
  }

  get value(): T {
    return this.#value;
  }

  subscribe(listener: LiveListener<T>): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Makes `next` the value, then tells the listeners there are at this moment. */
  publish(next: T): void {
    const previous = this.#value;
    this.#value = next;
    for (const listener of [...this.#listeners]) {
      try {
        listener(next, previous);
      } catch (error) {
        this.#onError(error);
      }
    }
  }
}

function reportAsWarning(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : new Error(String(error)));
}

/** A `Live` that never changes. */
export function constant<T>(value: T): Live<T> {
  return { value, subscribe: () => () => {} };
}

/** A view of another `Live`; `project` runs once per change, not per read. */
export function project<T, U>(source: Live<T>, projection: (value: T) => U): Live<U> {
  const view = new LiveValue(projection(source.value));
  source.subscribe((value) => view.publish(projection(value)));
  return view;
}
