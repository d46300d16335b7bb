import { Global, Module } from '@nestjs/common';
import { FeatureGuard } from './feature.guard.js';
import { Features } from './features.service.js';

/** Provides `Features` and `FeatureGuard` to all modules. Needs a global provider of `FEATURE_OPTIONS`. */
@Global()
@Module({ providers: [Features, FeatureGuard], exports: [Features, FeatureGuard] })
export class FeaturesModule {}
