import { expect, it } from 'vitest';
import { withProductionDependencies } from './production-dependencies.mjs';

it('moves the named packages with their ranges and leaves the rest', () => {
  const manifest = { name: 'x', dependencies: { a: '^1.0.0' }, devDependencies: { b: '~2.0.0', c: '3.0.0' } };

  expect(withProductionDependencies(manifest, ['b'])).toEqual({
    name: 'x',
    dependencies: { a: '^1.0.0', b: '~2.0.0' },
    devDependencies: { c: '3.0.0' },
  });
});

it('names a package that is not there', () => {
  expect(() => withProductionDependencies({}, ['b'])).toThrow('b is not in "devDependencies" of package.json');
});
