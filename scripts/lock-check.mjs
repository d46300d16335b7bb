// Checks that the lock file installs everywhere: `node scripts/lock-check.mjs`, after every `npm install` with `--write`.
//
// Where a registry lacks an optional platform package, `npm install` leaves it out of the lock file without a word, and `npm ci` then
// refuses the whole file ("Missing: … from lock file"). The cure is an inert entry, for no system at all: npm is content and never
// fetches it. It also keeps the package from the system it is for, so macOS and Windows developers write the lock file anew.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/**
 * @typedef {object} LockEntry
 * @property {string} [version]
 * @property {string} [resolved]
 * @property {string} [integrity]
 * @property {boolean} [link]
 * @property {boolean} [optional]
 * @property {string[]} [os]
 * @property {string[]} [cpu]
 * @property {Record<string, string>} [optionalDependencies]
 */

/** @typedef {{ packages: Record<string, LockEntry> }} Lock */

const INERT = { optional: true, os: ['none'], cpu: ['none'] };

/**
 * Every optional dependency that npm would look for in vain.
 *
 * @param {Lock} lock
 * @returns {Map<string, string>} place in the lock file → version
 */
export function missingOptional({ packages }) {
  const missing = new Map();
  for (const [place, entry] of Object.entries(packages)) {
    for (const [name, wanted] of Object.entries(entry.optionalDependencies ?? {})) {
      if (lookUp(packages, place, name)) continue;
      const version = wanted.replace(/^[^\d]*/, '');
      const shared = `node_modules/${name}`;
      // Two packages may want two versions: the first takes the shared place, the other its own.
      const isTaken = (missing.get(shared) ?? version) !== version;
      missing.set(isTaken ? `${place}/${shared}` : shared, version);
    }
  }
  return missing;
}

/**
 * Finds a package as Node does: beside the one that asks, then one level up, and so on.
 *
 * @param {Record<string, LockEntry>} packages
 * @param {string} place
 * @param {string} name
 */
function lookUp(packages, place, name) {
  for (let from = place; ; from = from.slice(0, Math.max(0, from.lastIndexOf('/node_modules/')))) {
    const found = packages[`${from === '' ? '' : `${from}/`}node_modules/${name}`];
    if (found || from === '') return found;
  }
}

/**
 * @param {Lock} lock
 * @returns {string[]} entries that name the host they came from
 */
export function hostsNamed({ packages }) {
  return Object.keys(packages).filter((place) => /^https?:/.test(packages[place]?.resolved ?? ''));
}

/**
 * @param {Lock} lock
 * @returns {string[]} entries whose content nobody could verify
 */
export function unverified({ packages }) {
  return Object.entries(packages)
    .filter(([place, entry]) => place !== '' && !entry.link && !entry.integrity && entry.os?.[0] !== 'none')
    .map(([place]) => place);
}

/**
 * The lock file with inert entries for what is missing and without host names; places sorted as npm sorts them.
 *
 * @template {Lock} L
 * @param {L} lock
 * @returns {L}
 */
export function repaired(lock) {
  const packages = structuredClone(lock.packages);
  for (const place of hostsNamed(lock)) delete packages[place]?.resolved;
  for (const [place, version] of missingOptional(lock)) packages[place] = { version, ...INERT };
  const sorted = Object.entries(packages).sort(([a], [b]) => a.localeCompare(b, 'en'));
  return { ...lock, packages: Object.fromEntries(sorted) };
}

/** @param {string} file */
function main(file) {
  const lock = JSON.parse(readFileSync(file, 'utf8'));
  const problems = [
    ...[...missingOptional(lock)].map(([place, version]) => `${place}: optional, ${version} wanted, no entry`),
    ...hostsNamed(lock).map((place) => `${place}: names the host it came from`),
  ];
  const beyondRepair = unverified(lock).map((place) => `${place}: no integrity`);
  const write = process.argv.includes('--write');
  if (write && problems.length > 0) {
    writeFileSync(file, `${JSON.stringify(repaired(lock), null, 2)}\n`);
    console.log(`package-lock.json: ${problems.length} entries put right`);
  }
  const left = write ? beyondRepair : [...problems, ...beyondRepair];
  for (const problem of left) console.error(problem);
  if (problems.length > 0 && !write) console.error('cure: node scripts/lock-check.mjs --write');
  process.exitCode = left.length > 0 ? 1 : 0;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  main(join(fileURLToPath(new URL('..', import.meta.url)), 'package-lock.json'));
