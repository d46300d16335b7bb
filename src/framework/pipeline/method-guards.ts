import type { CanActivate } from '@nestjs/common';
import { isObservable, lastValueFrom } from 'rxjs';
import { type HandlerTarget, type PreparedGuard, prepareGuard, wordOf } from '../core/index.js';
import { type HandlerCall, isDeferred } from './handler-call.js';
import type { HandlerParts } from './handler-parts.js';

type Check = (call: HandlerCall) => unknown;

/** Lets a call in, or throws; a promise only where a guard gives one. */
export type Admission = (call: HandlerCall) => Promise<void> | undefined;

/**
 * All guards of a method in one function; `undefined` where none of them has anything to do with it.
 *
 * @param refusal what is thrown where a guard says no
 */
export function composeGuards(
  { guards, contextOf }: Pick<HandlerParts, 'guards' | 'contextOf'>,
  target: HandlerTarget,
  refusal: () => Error,
): Admission | undefined {
  const checks = guards.flatMap((guard) => checkOf(guard, target, contextOf));
  if (checks.length === 0) return undefined;
  return (call) => {
    for (let at = 0; at < checks.length; at++) {
      const result = (checks[at] as Check)(call);
      if (result === true) continue;
      if (isDeferred(result)) return admitLater(result, call, checks, at + 1, refusal);
      if (!isYes(result)) throw refusal();
    }
    return undefined;
  };
}

function checkOf(guard: CanActivate, target: HandlerTarget, contextOf: HandlerParts['contextOf']): Check[] {
  const prepare = wordOf(guard, prepareGuard, 'canActivate');
  if (typeof prepare !== 'function') return [(call) => guard.canActivate(call.executionBy(contextOf))];
  const check = (guard as PreparedGuard)[prepareGuard](target);
  return check === undefined ? [] : [check];
}

async function admitLater(
  first: unknown,
  call: HandlerCall,
  checks: readonly Check[],
  from: number,
  refusal: () => Error,
): Promise<void> {
  if (!isYes(await settled(first))) throw refusal();
  for (const check of checks.slice(from)) {
    const result = check(call);
    if (!isYes(isDeferred(result) ? await settled(result) : result)) throw refusal();
  }
}

async function settled(result: unknown): Promise<unknown> {
  const value = await result;
  return isObservable(value) ? lastValueFrom(value) : value;
}

// As Nest has it: guards in plain JavaScript may say 1 for yes, and nothing at all for no.
function isYes(result: unknown): boolean {
  return Boolean(result);
}
