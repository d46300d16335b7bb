import { Module } from '@nestjs/common';
import { RateLimitGuard } from './rate-limit.guard.js';

/**
 * Provides `RateLimitGuard`. Needs a global provider of `QUOTA_OPTIONS`. The guard is not registered: the application
 * says where it stands among the others.
 */
@Module({ providers: [RateLimitGuard], exports: [RateLimitGuard] })
export class QuotaModule {}
