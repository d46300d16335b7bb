import { Inject } from '@nestjs/common';
import type { OptionsClass } from '../core/index.js';
import { sectionOf } from './section.js';

const injected = new Set<OptionsClass>();
const tokens = new WeakMap<OptionsClass, symbol>();

/**
 * Injects the present value of a config class, as `Live<T>`. The class needs nothing but its `@ConfigPrefix`.
 *
 * @throws Error the class has no `@ConfigPrefix`
 * @example
 * constructor(@Config(PagingConfig) private readonly paging: Live<PagingConfig>) {}
 */
export function Config(options: OptionsClass): ParameterDecorator & PropertyDecorator {
  sectionOf(options);
  injected.add(options);
  return Inject(configToken(options));
}

/** The injection token behind `@Config(options)`. */
export function configToken(options: OptionsClass): symbol {
  let token = tokens.get(options);
  if (token === undefined) {
    token = Symbol(`Config(${options.name})`);
    tokens.set(options, token);
  }
  return token;
}

/** The classes that the code loaded so far asks for by `@Config`. */
export function injectedConfigs(): readonly OptionsClass[] {
  return [...injected];
}
