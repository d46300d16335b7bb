import 'reflect-metadata';
import { type FeatureDefinition, impliedFeature } from './features.options.js';

const featureKey = Symbol('rookery:feature');

/**
 * Serves a handler, or all of a controller, to those callers only for whom the feature is on; for the others it is not
 * there: 404 on REST, UNIMPLEMENTED on gRPC, with the reason FEATURE_OFF.
 *
 * @param feature what `defineFeature()` gave, or a name; by its name alone it is off where the configuration says nothing
 * @example
 * @Get('search') @Rpc() @Feature('newSearch')
 * search(@Input() input: SearchInput): Promise<Results> { … }
 */
export function Feature(feature: FeatureDefinition | string): MethodDecorator & ClassDecorator {
  const definition = typeof feature === 'string' ? impliedFeature(feature) : feature;
  return (target: object, _property?: string | symbol, descriptor?: PropertyDescriptor): void => {
    Reflect.defineMetadata(featureKey, definition.name, (descriptor?.value as object | undefined) ?? target);
  };
}

/** The features that have to be on for a handler: its controller's and its own. */
export function featuresOf(controller: object, handler: object): string[] {
  const names = [controller, handler].map((target) => Reflect.getMetadata(featureKey, target) as string | undefined);
  return names.filter((name) => name !== undefined);
}
