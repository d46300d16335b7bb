import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { layers } from '../.dependency-cruiser.js';
import manifest from '../package.json' with { type: 'json' };
import { MINIMUM_NODE } from '../scripts/toolchain.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Folders of src/framework that have a front door. */
const modules = globSync('src/framework/*/index.ts', { cwd: root })
  .map((file) => dirname(file).split('/').at(-1) ?? '')
  .toSorted();

/** Internal rooms: other modules build on them, users have no business there. */
const withoutDoor = ['http1', 'http2', 'nacos', 'wire'];

describe('the exports map', () => {
  it('has one door per module, named like its folder', () => {
    const doors = Object.keys(manifest.exports).filter((door) => door !== '.' && door !== './package.json');

    expect(doors.toSorted()).toEqual(modules.filter((name) => !withoutDoor.includes(name)).map((name) => `./${name}`));
  });

  it('points every door at the built front door of its folder', () => {
    const doors = Object.entries(manifest.exports).filter(([door]) => door !== './package.json');

    const expected = doors.map(([door]) => [door, `./${join('dist/framework', door, 'index.js')}`]);
    expect(doors).toEqual(expected);
  });
});

describe('the layer table', () => {
  it('names every module', () => {
    expect(modules.filter((name) => !layers.flat().includes(name))).toEqual([]);
  });

  it('names no module twice', () => {
    expect(new Set(layers.flat()).size).toBe(layers.flat().length);
  });
});

describe('the supported Node', () => {
  it('is the same for the package and for the bootstrap', () => {
    expect(manifest.engines.node).toBe(`>=${MINIMUM_NODE}`);
  });
});

describe('the sources', () => {
  it('keep every file under 300 lines', () => {
    const files = globSync(['src/**/*.ts', 'scripts/**/*.mjs'], { cwd: root })
      .filter((file) => !file.startsWith('src/gen/'))
      .filter((file) => !/[.](?:e2e-)?spec[.]m?[jt]s$/.test(file));

    const long = files
      .map((file) => ({ file, lines: readFileSync(join(root, file), 'utf8').split('\n').length - 1 }))
      .filter(({ lines }) => lines > 300);

    expect(files.length).toBeGreaterThan(0);
    expect(long).toEqual([]);
  });
});

describe('the published declarations', () => {
  const optional = Object.keys(manifest.peerDependenciesMeta);
  const doors = Object.entries(manifest.exports).filter(([door]) => !['./package.json', './testing'].includes(door));

  it.each(doors)('need no optional package behind %s', (_door, target) => {
    const declarations = reachable(resolve(root, target.replace(/[.]js$/, '.d.ts')));

    const naming = declarations.flatMap((file) =>
      packagesNamedIn(file)
        .filter((name) => optional.includes(name))
        .map((name) => `${relative(root, file)}: ${name}`),
    );

    expect(naming).toEqual([]);
  });
});

describe('the readme', () => {
  it.each(['main.ts', 'proto/greeter/v1/greeter.proto'])(
    'shows %s of the example that the package check runs',
    (file) => {
      const example = readFileSync(join(root, 'test/examples/twenty-line-service', file), 'utf8');

      expect(readFileSync(join(root, 'README.md'), 'utf8')).toContain(example);
    },
  );
});

/** The declaration file and all that it pulls in by relative imports; it fails when the package is not built. */
function reachable(start: string): string[] {
  const seen = new Set<string>();
  const open = [start];
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (seen.has(file)) continue;
    seen.add(file);
    for (const name of importsOf(file).filter((specifier) => specifier.startsWith('.'))) {
      open.push(resolve(dirname(file), name.replace(/[.]js$/, '.d.ts')));
    }
  }
  return [...seen];
}

function packagesNamedIn(file: string): string[] {
  return importsOf(file)
    .filter((specifier) => !specifier.startsWith('.'))
    .map((specifier) => specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/'));
}

/** `import … from 'x'`, `export … from 'x'`, `import 'x'` and `import('x')`. */
function importsOf(file: string): string[] {
  if (!existsSync(file)) throw new Error(`${relative(root, file)} is missing: run \`npm run build\``);
  const text = readFileSync(file, 'utf8').replaceAll(/\/\*[^]*?\*\//g, ''); // examples in comments import what they like
  return [...text.matchAll(/\b(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g)].flatMap(([, specifier]) => specifier ?? []);
}
