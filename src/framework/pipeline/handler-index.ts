import { MetadataScanner, type ModulesContainer } from '@nestjs/core';

/** A method of a controller, and where Nest keeps it. */
export interface HandlerRef {
  readonly instance: object;
  readonly callback: (...args: unknown[]) => unknown;
  readonly methodName: string;
  readonly moduleKey: string;
  /** Nest's id of the controller. */
  readonly wrapperId: string;
  readonly controller: abstract new (...args: never) => unknown;
}

// Keys of Nest: patterns of `@MessagePattern` and what stands on it, the path of a route.
const patternsKey = 'microservices:pattern';
const pathKey = 'path';

// Left on a route's method: Nest copies all metadata of a method to the closure that it hands to the HTTP adapter.
const routeKey = Symbol('rookery:route');

/**
 * Which method a closure of Nest is for: Nest does not say, but it hands on the method's own pattern, or metadata.
 * Only methods of controllers that are made once, with all that stands around them.
 */
export class HandlerIndex {
  readonly #byPattern = new Map<unknown, HandlerRef[]>();
  readonly #byMethod = new Map<unknown, HandlerRef[]>();

  constructor(modules: ModulesContainer) {
    const scanner = new MetadataScanner();
    for (const [moduleKey, module] of modules) {
      for (const wrapper of module.controllers.values()) {
        if (!wrapper.isDependencyTreeStatic() || typeof wrapper.instance !== 'object' || wrapper.instance === null)
          continue;
        const instance = wrapper.instance as Record<string, unknown>;
        for (const methodName of scanner.getAllMethodNames(Object.getPrototypeOf(instance) as object)) {
          const callback = instance[methodName];
          if (typeof callback !== 'function') continue;
          this.#add({
            instance,
            callback: callback as HandlerRef['callback'],
            methodName,
            moduleKey,
            wrapperId: wrapper.id,
            controller: wrapper.metatype as HandlerRef['controller'],
          });
        }
      }
    }
  }

  /** The method that was registered for the very object `pattern`; `undefined` where it is not a single one. */
  byPattern(pattern: object): HandlerRef | undefined {
    return only(this.#byPattern.get(pattern));
  }

  /** The method that Nest made the closure `route` for; `undefined` where it is not a single one. */
  byRoute(route: object): HandlerRef | undefined {
    return only(this.#byMethod.get(Reflect.getMetadata(routeKey, route)));
  }

  #add(ref: HandlerRef): void {
    const patterns = Reflect.getMetadata(patternsKey, ref.callback) as unknown;
    if (Array.isArray(patterns)) for (const pattern of patterns) push(this.#byPattern, pattern, ref);
    if (Reflect.getMetadata(pathKey, ref.callback) !== undefined) {
      Reflect.defineMetadata(routeKey, ref.callback, ref.callback);
      push(this.#byMethod, ref.callback, ref);
    }
  }
}

function push(map: Map<unknown, HandlerRef[]>, key: unknown, ref: HandlerRef): void {
  const refs = map.get(key);
  if (refs === undefined) map.set(key, [ref]);
  else refs.push(ref);
}

// A method inherited by two controllers stands for both: whose closure it is cannot be told.
function only(refs: readonly HandlerRef[] | undefined): HandlerRef | undefined {
  return refs?.length === 1 ? refs[0] : undefined;
}
