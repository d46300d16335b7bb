// Makes the reference service installable without development packages; for an image, never in a checkout.
//
// The published package needs no database client, the reference service does. Its needs move from "devDependencies" to "dependencies"
// here, so that `npm prune --omit=dev` keeps them, in the versions that the lock file names.
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

/** What src/service imports at run time and src/framework does not, and the optional peers that it uses. */
const SERVICE_NEEDS = ['@nestjs/swagger', 'kysely', 'pg'];

/** @typedef {{ dependencies?: Record<string, string>, devDependencies?: Record<string, string> }} Manifest */

/**
 * @template {Manifest} M
 * @param {M} manifest
 * @param {readonly string[]} names
 */
export function withProductionDependencies(manifest, names) {
  const production = { ...manifest.dependencies };
  const development = { ...manifest.devDependencies };
  for (const name of names) {
    const range = development[name];
    if (range === undefined) throw new Error(`${name} is not in "devDependencies" of package.json`);
    production[name] = range;
    delete development[name];
  }
  return { ...manifest, dependencies: production, devDependencies: development };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const file = new URL('../package.json', import.meta.url);
  const manifest = withProductionDependencies(JSON.parse(readFileSync(file, 'utf8')), SERVICE_NEEDS);
  writeFileSync(file, `${JSON.stringify(manifest, null, 2)}\n`);
}
