import type { ExecutionContext } from '@nestjs/common';
import { isObservable } from 'rxjs';

/** One call of a handler, as its chain sees it. What only some chains need is made when they ask for it. */
export abstract class HandlerCall {
  #execution: ExecutionContext | undefined;

  /** What Nest hands to a chain: `(data, metadata, call)`, or `(request, reply, next)`. The same array each time. */
  abstract get args(): unknown[];

  /** One of `args`, without making the others. */
  abstract argument(index: number): unknown;

  /** One context for all of the chain: what one guard leaves on it, the next one finds. */
  executionBy(contextOf: (args: readonly unknown[]) => ExecutionContext): ExecutionContext {
    this.#execution ??= contextOf(this.args);
    return this.#execution;
  }
}

/** Whether it is to be waited for, as `await` sees it. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return false;
  return typeof (value as Partial<PromiseLike<unknown>>).then === 'function';
}

/** Whether there is more to wait for than a value. */
export function isDeferred(value: unknown): boolean {
  return isThenable(value) || isObservable(value);
}
