import { setImmediate as turn } from 'node:timers/promises';
import type { Message } from '@bufbuild/protobuf';
import { Observable, type Observer, type Operator, Subscriber, type Subscription } from 'rxjs';
import type { ServerCall } from './server-call.js';

/** Where the messages come from. */
export interface MessageSource<T> {
  next(): Promise<IteratorResult<T, undefined>>;
  /** Told of an error that a subscriber throws. */
  fail(error: unknown): void;
}

/** The request messages of a call, for handlers that pull only. */
export function requestsOf(call: ServerCall): AsyncIterable<Message> {
  return { [Symbol.asyncIterator]: () => ({ next: () => call.nextRequest() }) };
}

// An Observable whose subscribers cannot take the process down: rxjs rethrows on the event loop what a subscriber throws,
// and an error for which it has no handler. What is derived from it by operators is of the same kind.
class GuardedObservable<T> extends Observable<T> {
  protected readonly onError: (error: unknown) => void;

  constructor(onError: (error: unknown) => void, subscribe?: (subscriber: Subscriber<T>) => void) {
    super(subscribe);
    this.onError = onError;
  }

  // oxlint-disable typescript/no-deprecated -- the hook by which rxjs's own Subject stays a Subject behind operators
  override lift<R>(operator?: Operator<T, R>): Observable<R> {
    const lifted = new GuardedObservable<R>(this.onError);
    lifted.source = this as Observable<unknown>;
    lifted.operator = operator;
    return lifted;
  }
  // oxlint-enable typescript/no-deprecated

  override subscribe(
    observerOrNext?: Partial<Observer<T>> | ((value: T) => void) | null,
    error?: ((error: unknown) => void) | null,
    complete?: (() => void) | null,
  ): Subscription {
    if (observerOrNext instanceof Subscriber) return super.subscribe(observerOrNext);
    const observer =
      typeof observerOrNext === 'object' && observerOrNext !== null
        ? observerOrNext
        : { next: observerOrNext ?? undefined, error: error ?? undefined, complete: complete ?? undefined };
    return super.subscribe(this.#guard(observer as Partial<Observer<T>>));
  }

  // A subscriber that does not ask for errors is told of the end, so that it can clean up; the call itself has failed.
  #guard(observer: Partial<Observer<T>>): Observer<T> {
    const attempt = (work: () => void): void => {
      try {
        work();
      } catch (error) {
        this.onError(error);
      }
    };
    return {
      next: (value) => attempt(() => observer.next?.(value)),
      error: (error: unknown) =>
        attempt(() => {
          if (observer.error !== undefined) {
            observer.error(error);
            return;
          }
          this.onError(error);
          observer.complete?.();
        }),
      complete: () => attempt(() => observer.complete?.()),
    };
  }
}

// Reads the source for all subscribers at once. The first message comes a turn after the first subscriber, so that a
// handler can subscribe several times and each subscriber sees every message, and so that Nest has subscribed to what
// the handler returned: a Subject forgets what it is given before. Without subscribers nothing is read.
class MessageHub<T> {
  readonly source: MessageSource<T>;
  readonly #subscribers = new Set<Subscriber<T>>();
  #held: IteratorResult<T, undefined> | undefined;
  #isReading = false;
  #end: ((subscriber: Subscriber<T>) => void) | undefined;

  constructor(source: MessageSource<T>) {
    this.source = source;
  }

  add(subscriber: Subscriber<T>): void {
    if (this.#end !== undefined) {
      this.#end(subscriber);
      return;
    }
    this.#subscribers.add(subscriber);
    subscriber.add(() => this.#subscribers.delete(subscriber));
    if (this.#isReading) return;
    this.#isReading = true;
    void this.#read();
  }

  async #read(): Promise<void> {
    try {
      await turn();
      while (this.#subscribers.size > 0) {
        const result = await (this.#held ?? this.source.next());
        this.#held = this.#subscribers.size === 0 ? result : undefined;
        if (this.#held !== undefined) break;
        if (result.done === true) this.#finish((subscriber) => subscriber.complete());
        else for (const subscriber of [...this.#subscribers]) subscriber.next(result.value);
      }
    } catch (error) {
      this.#finish((subscriber) => subscriber.error(error));
    }
    this.#isReading = false;
  }

  #finish(end: (subscriber: Subscriber<T>) => void): void {
    this.#end = end;
    const subscribers = [...this.#subscribers];
    this.#subscribers.clear();
    for (const subscriber of subscribers) end(subscriber);
  }
}

/**
 * The request messages of a streaming call, with two faces: an AsyncIterable, which reads a message when the handler asks
 * for it and so holds the caller back; and an Observable for handlers written the Nest way, which reads from the first
 * subscription on. Nothing is read before, so no message is lost and Nest's `drainBuffer` is not needed.
 *
 * When the caller goes away, iterators throw and subscribers get an error; one without an error handler is completed.
 * Use one face or the other: they share the messages.
 */
export class GrpcRequestStream<T> extends GuardedObservable<T> implements AsyncIterable<T> {
  readonly #source: MessageSource<T>;

  constructor(source: MessageSource<T>) {
    const hub = new MessageHub(source);
    super(
      (error) => source.fail(error),
      (subscriber) => hub.add(subscriber),
    );
    this.#source = source;
  }

  /** The stream of `convert(message)`; it runs when a message is pulled, and what it throws ends the stream. */
  map<R>(convert: (message: T) => R | Promise<R>): GrpcRequestStream<R> {
    const source = this.#source;
    return new GrpcRequestStream<R>({
      next: async () => {
        const result = await source.next();
        return result.done === true ? result : { done: false, value: await convert(result.value) };
      },
      fail: (error) => source.fail(error),
    });
  }

  [Symbol.asyncIterator](): AsyncIterator<T, undefined> {
    return { next: () => this.#source.next() };
  }
}
