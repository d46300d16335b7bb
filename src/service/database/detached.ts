import { AsyncLocalStorage } from 'node:async_hooks';
import { currentContext, type Deadline } from 'rookery/core';

const detachedWork = new AsyncLocalStorage<true>();

/** Runs `work` without the deadline of the request at hand: for what must be put right after the caller has gone. */
export function detached<T>(work: () => T): T {
  return detachedWork.run(true, work);
}

/** The deadline that queries started here have to heed; `undefined` for none. */
export function queryDeadline(): Deadline | undefined {
  return detachedWork.getStore() === true ? undefined : currentContext()?.deadline;
}
