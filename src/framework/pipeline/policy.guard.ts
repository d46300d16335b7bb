import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import {
  currentContext,
  type HandlerTarget,
  metadataKeys,
  type PreparedCheck,
  type PreparedGuard,
  prepareGuard,
} from '../core/index.js';

/** Puts what decorators say of a handler's time limit into effect; the first of the global guards. */
@Injectable()
export class PolicyGuard implements CanActivate, PreparedGuard {
  readonly #timeouts = new WeakMap<object, number | null>();

  [prepareGuard]({ controller, handler }: HandlerTarget): PreparedCheck | undefined {
    const timeoutMs = timeoutOf(controller, handler);
    if (timeoutMs === null) return undefined;
    return () => {
      currentContext()?.deadline.adjust(timeoutMs);
      return true;
    };
  }

  canActivate(context: ExecutionContext): boolean {
    const handler = context.getHandler();
    let timeoutMs = this.#timeouts.get(handler);
    if (timeoutMs === undefined) this.#timeouts.set(handler, (timeoutMs = timeoutOf(context.getClass(), handler)));
    if (timeoutMs !== null) currentContext()?.deadline.adjust(timeoutMs);
    return true;
  }
}

/** What `@Timeout()` says of a handler, in ms; `null` for nothing. */
export function timeoutOf(controller: object, handler: object): number | null {
  const read = (target: object): unknown => Reflect.getMetadata(metadataKeys.timeout, target);
  return (read(handler) ?? read(controller) ?? null) as number | null;
}
