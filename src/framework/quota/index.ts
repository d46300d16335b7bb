/**
 * How many requests a caller may make and have at work. There is no rate until `quota.ratePerSecond` says otherwise; changed
 * while running.
 *
 * @example
 * imports: [QuotaModule]
 * providers: [{ provide: APP_GUARD, useExisting: AuthGuard }, { provide: APP_GUARD, useExisting: RateLimitGuard }]
 */
export { QuotaModule } from './quota.module.js';
export { QUOTA_OPTIONS, QuotaOptions } from './quota.options.js';
export { RateLimitGuard } from './rate-limit.guard.js';
export { ConcurrencyLimitedError, RateLimitedError } from './quota.errors.js';
