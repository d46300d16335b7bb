import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { currentContext, metadataKeys } from '../core/index.js';

/** Puts what decorators say of a handler's time limit into effect; the first of the global guards. */
@Injectable()
export class PolicyGuard implements CanActivate {
  readonly #timeouts = new WeakMap<object, number | null>();

  canActivate(context: ExecutionContext): boolean {
    const timeoutMs = this.#timeoutOf(context);
    if (timeoutMs !== null) currentContext()?.deadline.adjust(timeoutMs);
    return true;
  }

  #timeoutOf(context: ExecutionContext): number | null {
    const handler = context.getHandler();
    let timeoutMs = this.#timeouts.get(handler);
    if (timeoutMs === undefined) {
      timeoutMs = (Reflect.getMetadata(metadataKeys.timeout, handler) ??
        Reflect.getMetadata(metadataKeys.timeout, context.getClass()) ??
        null) as number | null;
      this.#timeouts.set(handler, timeoutMs);
    }
    return timeoutMs;
  }
}
