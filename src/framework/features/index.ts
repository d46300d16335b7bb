/**
 * Switches for what not everybody is to have yet: on, off, or on for a part of the callers, changed while the process runs
 * by the section `features` of the configuration.
 *
 * @example
 * export const newSearch = defineFeature('newSearch');
 *
 * @Get('search') @Rpc() @Feature(newSearch)
 * search(@Input() input: SearchInput): Promise<Results> { … }
 */
export { Feature } from './feature.decorator.js';
export { FeatureGuard } from './feature.guard.js';
export { type FeatureRule } from './feature-rule.js';
export { FeatureOffError } from './features.errors.js';
export { FeaturesModule } from './features.module.js';
export { defineFeature, FEATURE_OPTIONS, type FeatureDefinition, FeatureOptions } from './features.options.js';
export { Features } from './features.service.js';
