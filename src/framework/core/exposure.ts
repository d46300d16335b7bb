import { LocalDefault, Spellings } from './options.js';

/**
 * Values of the options that decide who gets what a process serves about itself: `open` is everybody, `token` a caller
 * whose token has the scope for it, `off` nobody.
 */
export const exposures = ['open', 'token', 'off'] as const;

/** One of `exposures`. */
export type Exposure = (typeof exposures)[number];

// The words of truth values, as they are read from the environment.
const words = {
  ...Object.fromEntries(['true', 'yes', 'on', '1'].map((word) => [word, undefined])),
  ...Object.fromEntries(['false', 'no', 'off', '0'].map((word) => [word, 'off'])),
};

/**
 * Marks an option of the type `Exposure`, whose default in its class is that of production: in `development` and `test`
 * it is `open`. `true` is the default of the environment, `false` is `off`.
 */
export function ExposureOption(): PropertyDecorator {
  const decorators = [LocalDefault('open' satisfies Exposure), Spellings(words)];
  return (prototype, property) => {
    for (const decorate of decorators) decorate(prototype, property);
  };
}
