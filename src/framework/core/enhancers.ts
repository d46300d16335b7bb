import type { Face } from './context.js';

/** A handler, as guards and interceptors are asked about it at start. */
export interface HandlerTarget {
  readonly face: Face;
  /** The controller's class. */
  readonly controller: { readonly prototype: object; readonly name: string };
  /** The controller's method itself. */
  readonly handler: object;
}

/** What a guard does for one handler: `false` and what it throws are refusals. */
export type PreparedCheck = () => boolean | Promise<boolean>;

/**
 * The method of a guard that decides at start what there is to do for a handler: a check, or nothing. It must come to the
 * same as `canActivate`, which is asked where the handler's chain is Nest's own.
 */
export const prepareGuard: unique symbol = Symbol('rookery:prepare-guard');

/** A guard with `prepareGuard`. */
export interface PreparedGuard {
  canActivate(...args: never): unknown;
  /** `undefined`: the guard has nothing to do with this handler. */
  [prepareGuard](target: HandlerTarget): PreparedCheck | undefined;
}

/** On an interceptor or filter that lets everything through on every face but this one: the face. */
export const onlyOnFace: unique symbol = Symbol('rookery:only-on-face');

/**
 * What `key` says on `enhancer`, unless a subclass has another `method` than the class that says so: then the word is
 * not about that method.
 */
export function wordOf(enhancer: object, key: symbol, method: string): unknown {
  const owner = ownerOf(enhancer, key);
  if (owner === undefined || Reflect.get(owner, method) !== Reflect.get(enhancer, method)) return undefined;
  return Reflect.get(enhancer, key);
}

function ownerOf(enhancer: object, key: symbol): object | undefined {
  let at: object | null = Object.getPrototypeOf(enhancer) as object | null;
  while (at !== null && !Object.hasOwn(at, key)) at = Object.getPrototypeOf(at) as object | null;
  return at ?? undefined;
}
