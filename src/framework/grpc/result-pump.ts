import { isObservable, type Observable, Subject, Subscription, takeUntil } from 'rxjs';

/** Where a handler's result goes. */
export interface ResultSink {
  readonly isEnded: boolean;
  /** Sends one message. @throws RookeryError it cannot be sent */
  write(value: unknown): void;
  /** Resolves when more can be sent; `undefined` while it can. */
  drained(): Promise<void> | undefined;
  /** All messages are sent. */
  complete(): void;
  /** Sends the one message of an answer that has one. */
  answer(value: unknown): void;
  fail(error: unknown): void;
  /** `release` is called when the result is not wanted any more. */
  onRelease(release: () => void): void;
}

/** What a method gives and takes. */
export interface ResultShape {
  readonly takesStream: boolean;
  readonly givesStream: boolean;
}

/** Sends what a handler returned, in whichever of the usual forms. */
export function deliver(result: unknown, { givesStream, takesStream }: ResultShape, sink: ResultSink): void {
  if (!givesStream) {
    if (isObservable(result)) answerFrom(result, takesStream ? 'last' : 'first', sink);
    else sink.answer(result);
  } else if (isObservable(result)) pumpObservable(result, sink);
  else if (isAsyncIterable(result)) void pumpIterable(result, sink);
  else writeAll(result, sink);
}

function writeAll(result: unknown, sink: ResultSink): void {
  try {
    if (Array.isArray(result)) for (const message of result) sink.write(message);
    else if (result !== undefined && result !== null) sink.write(result);
    sink.complete();
  } catch (error) {
    sink.fail(error);
  }
}

/** Sends what `source` yields, one by one, no faster than the caller reads. */
async function pumpIterable(source: AsyncIterable<unknown>, sink: ResultSink): Promise<void> {
  try {
    const iterator = source[Symbol.asyncIterator]();
    sink.onRelease(() => void returnQuietly(iterator));
    while (!sink.isEnded) {
      const blocked = sink.drained();
      if (blocked !== undefined) await blocked;
      const result: IteratorResult<unknown, unknown> = await iterator.next();
      if (sink.isEnded) return;
      if (result.done === true) {
        sink.complete();
        return;
      }
      sink.write(result.value);
    }
  } catch (error) {
    sink.fail(error);
  }
}

/** Ends an iteration early. What the iterator has to say about it reaches nobody. */
export async function returnQuietly(iterator: AsyncIterator<unknown>): Promise<void> {
  try {
    await iterator.return?.();
  } catch {
    // The call is over, and so is everybody who could be told.
  }
}

/**
 * Sends what `source` emits. An Observable cannot be held back: what the caller does not read at once is kept within the
 * sink's bound. A source that emits one AsyncIterable stands for its elements.
 */
function pumpObservable(source: Observable<unknown>, sink: ResultSink): void {
  // takeUntil stops a source that emits synchronously, too, where a Subscription would not be there yet.
  const released = new Subject<void>();
  sink.onRelease(() => released.next());
  let nested: AsyncIterable<unknown> | undefined;
  source.pipe(takeUntil(released)).subscribe({
    next: (value) => {
      if (isAsyncIterable(value)) nested = value;
      else writeOrFail(value, sink);
    },
    error: (error: unknown) => sink.fail(error),
    complete: () => {
      if (nested === undefined) sink.complete();
      else if (!sink.isEnded) void pumpIterable(nested, sink);
    },
  });
}

function writeOrFail(value: unknown, sink: ResultSink): void {
  try {
    sink.write(value);
  } catch (error) {
    sink.fail(error);
  }
}

/** Answers with the value that `source` emits, the first or the last; with the empty message where there is none. */
function answerFrom(source: Observable<unknown>, which: 'first' | 'last', sink: ResultSink): void {
  const subscription = new Subscription();
  sink.onRelease(() => subscription.unsubscribe());
  let last: unknown;
  let isAnswered = false;
  const answer = (value: unknown): void => {
    if (isAnswered) return;
    isAnswered = true;
    sink.answer(value);
  };
  subscription.add(
    source.subscribe({
      next: (value) => {
        last = value;
        if (which === 'first') answer(value);
      },
      error: (error: unknown) => sink.fail(error),
      complete: () => answer(last),
    }),
  );
}

export function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' && value !== null && typeof (value as Partial<PromiseLike<unknown>>).then === 'function'
  );
}
