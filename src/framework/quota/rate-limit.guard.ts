import {
  type CanActivate,
  type ExecutionContext,
  Inject,
  Injectable,
  type OnApplicationShutdown,
} from '@nestjs/common';
import {
  callerKey,
  currentContext,
  type HandlerTarget,
  type Live,
  metadataKeys,
  type PreparedCheck,
  type PreparedGuard,
  prepareGuard,
} from '../core/index.js';
import { RateLimitedError } from './quota.errors.js';
import { QUOTA_OPTIONS, type QuotaOptions } from './quota.options.js';
import { RateLimiter } from './rate-limiter.js';

/**
 * Refuses callers that make more requests than `quota` allows, on both faces together. It belongs after authentication,
 * which says who the caller is. Probes are not counted. Changed limits hold at once, against what was counted before.
 */
@Injectable()
export class RateLimitGuard implements CanActivate, PreparedGuard, OnApplicationShutdown {
  readonly #options: Live<QuotaOptions>;
  readonly #unsubscribe: () => void;
  readonly #probes = new WeakMap<object, boolean>();
  #limiter: RateLimiter | undefined;

  constructor(@Inject(QUOTA_OPTIONS) options: Live<QuotaOptions>) {
    this.#options = options;
    this.#limiter = limiterFor(options.value);
    this.#unsubscribe = options.subscribe((next) => {
      if (this.#limiter === undefined || next.ratePerSecond === 0) this.#limiter = limiterFor(next);
      else this.#limiter.adjust(next);
    });
  }

  [prepareGuard]({ controller, handler }: HandlerTarget): PreparedCheck | undefined {
    return isProbe(controller, handler) ? undefined : () => this.#check();
  }

  canActivate(execution: ExecutionContext): boolean | Promise<boolean> {
    return this.#limiter === undefined || this.#isProbe(execution) || this.#check();
  }

  // Asked anew for each request: a limit may be switched on while the service runs.
  #check(): boolean | Promise<boolean> {
    if (this.#limiter === undefined) return true;
    const context = currentContext();
    if (context === undefined)
      throw new Error('RateLimitGuard: no request context (expected: a request of the http or grpc face)');
    return count(this.#limiter, callerKey(context, this.#options.value.by));
  }

  /** Stops following the options. */
  onApplicationShutdown(): void {
    this.#unsubscribe();
  }

  #isProbe(execution: ExecutionContext): boolean {
    const handler = execution.getHandler();
    let known = this.#probes.get(handler);
    if (known === undefined) this.#probes.set(handler, (known = isProbe(execution.getClass(), handler)));
    return known;
  }
}

function isProbe(controller: object, handler: object): boolean {
  return [handler, controller].some((target) => Reflect.getMetadata(metadataKeys.probe, target) === true);
}

async function count(limiter: RateLimiter, key: string): Promise<true> {
  const retryAfterMs = await limiter.take(key);
  if (retryAfterMs !== undefined) throw new RateLimitedError(retryAfterMs);
  return true;
}

function limiterFor(options: QuotaOptions): RateLimiter | undefined {
  return options.ratePerSecond === 0 ? undefined : new RateLimiter(options);
}
