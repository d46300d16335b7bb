import { createRequire } from 'node:module';
import { Type } from 'class-transformer';

type Class = abstract new () => unknown;

/** What `@Type()` says of a property. */
export interface TypeMetadata {
  readonly typeFunction?: (() => unknown) | undefined;
  /** `design:type`, as the TypeScript compiler wrote it down. */
  readonly reflectedType?: unknown;
  readonly options?: { readonly discriminator?: unknown } | undefined;
}

/** The part of class-transformer's metadata storage that is read here. */
export interface TransformerMetadata {
  findTypeMetadata(target: Class, property: string): TypeMetadata | undefined;
  findTransformMetadatas(target: Class, property: string, direction: number): readonly unknown[];
  getStrategy(target: Class): 'excludeAll' | 'exposeAll' | 'none';
  getExposedMetadatas(target: Class): readonly unknown[];
  getExcludedProperties(target: Class, direction: number): readonly string[];
}

/** class-transformer's `TransformationType.PLAIN_TO_CLASS`. */
export const plainToClass = 0;

/**
 * class-transformer's own storage, or undefined where it cannot be found: its index exports no access to it.
 *
 * @see https://github.com/typestack/class-transformer/blob/v0.5.1/src/storage.ts
 */
export const transformerMetadata: TransformerMetadata | undefined = findStorage();

function findStorage(): TransformerMetadata | undefined {
  try {
    const require = createRequire(import.meta.url);
    const module = require('class-transformer/cjs/storage.js') as { defaultMetadataStorage: TransformerMetadata };
    const storage = module.defaultMetadataStorage;
    // Another copy than the one the decorators write to would look like a class without any `@Type()`.
    class Probe {}
    Type(() => Probe)(Probe.prototype, 'probe');
    return storage.findTypeMetadata(Probe, 'probe') === undefined ? undefined : storage;
  } catch {
    return undefined;
  }
}
