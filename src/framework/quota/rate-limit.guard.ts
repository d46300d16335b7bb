import {
  type CanActivate,
  type ExecutionContext,
  Inject,
  Injectable,
  type OnApplicationShutdown,
  Optional,
} from '@nestjs/common';
import {
  callerKey,
  currentContext,
  type HandlerTarget,
  type Live,
  metadataKeys,
  type Metric,
  MetricRegistry,
  type PreparedCheck,
  type PreparedGuard,
  prepareGuard,
  type RequestContext,
} from '../core/index.js';
import { CallerLoads } from './caller-loads.js';
import { ConcurrencyLimitedError, RateLimitedError } from './quota.errors.js';
import { QUOTA_OPTIONS, type QuotaOptions } from './quota.options.js';
import { RateLimiter } from './rate-limiter.js';

/**
 * Refuses callers that make more requests than `quota` allows, or have more at work, REST and gRPC together. It belongs after authentication,
 * which says who the caller is. Probes are not counted. Changed limits hold at once, against what was counted before.
 */
@Injectable()
export class RateLimitGuard implements CanActivate, PreparedGuard, OnApplicationShutdown {
  readonly #options: Live<QuotaOptions>;
  readonly #unsubscribe: () => void;
  readonly #probes = new WeakMap<object, boolean>();
  readonly #loads = new CallerLoads();
  #limiter: RateLimiter | undefined;

  constructor(
    @Inject(QUOTA_OPTIONS) options: Live<QuotaOptions>,
    @Optional() @Inject(MetricRegistry) registry?: MetricRegistry,
  ) {
    this.#options = options;
    registry?.register(() => loadMetrics(this.#loads));
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
    return this.#isProbe(execution) || this.#check();
  }

  // Asked anew for each request: a limit may be switched on while the service runs.
  #check(): boolean | Promise<boolean> {
    const context = currentContext();
    if (context === undefined) {
      if (this.#limiter === undefined) return true;
      throw new Error('RateLimitGuard: no request context (expected: a request of the http or grpc face)');
    }
    this.#admit(context);
    return this.#limiter === undefined || count(this.#limiter, callerKey(context, this.#options.value.by));
  }

  // A caller without a token is known by its address alone, and that has bounds of its own before this.
  #admit(context: RequestContext): void {
    const { value: options } = this.#options;
    if (context.principal === undefined && options.by !== 'peer') return;
    if (this.#loads.admit(context, options)) return;
    if (context.isStream) throw new ConcurrencyLimitedError('streams', options.maxConcurrentStreams);
    throw new ConcurrencyLimitedError('requests', options.maxConcurrentRequests);
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

function loadMetrics({ refused, size }: CallerLoads): readonly Metric[] {
  return [
    {
      name: 'rookery_quota_callers',
      help: 'Callers with a token that have something at work now.',
      type: 'gauge',
      samples: [{ value: size }],
    },
    {
      name: 'rookery_quota_concurrency_refused_total',
      help: 'Requests refused as their caller had too many at work.',
      type: 'counter',
      samples: [{ value: refused }],
    },
  ];
}
