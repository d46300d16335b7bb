// Tells whether files changed, by content for what people edit and by size and time for what tools write.
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';

/**
 * All files below `folder`, sorted, with `/` between segments. Names that begin with a dot are left out: stamps are such files.
 *
 * @param {string} folder
 * @returns {string[]} paths relative to `folder`; none when it does not exist
 */
export function filesBelow(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort();
}

/**
 * One value for the names and contents of files and folders; what does not exist counts as absent.
 *
 * @param {string} root
 * @param {readonly string[]} paths files or folders, relative to `root`
 * @param {(path: string) => boolean} [wanted] which files inside the folders count
 */
export function contentFingerprint(root, paths, wanted = () => true) {
  const hash = createHash('sha256');
  for (const path of paths) {
    const full = join(root, path);
    const isFolder = lstatSync(full, { throwIfNoEntry: false })?.isDirectory() ?? false;
    const files = isFolder ? filesBelow(full).map((name) => `${path}/${name}`) : [path];
    for (const file of files.filter(wanted)) {
      const content = existsSync(join(root, file)) ? readFileSync(join(root, file)) : undefined;
      // The length in front keeps the end of one file apart from the beginning of the next.
      hash.update(`${file}\0${content?.length ?? 'absent'}\0`).update(content ?? '');
    }
  }
  return hash.digest('hex');
}

/**
 * One value for the names, sizes and times of everything below `folder`: cheap, and it notices what was deleted or touched.
 *
 * @param {string} folder
 */
export function stateFingerprint(folder) {
  const hash = createHash('sha256');
  for (const file of filesBelow(folder)) {
    const { size, mtimeMs } = statSync(join(folder, file));
    hash.update(`${file}\0${size}\0${mtimeMs}\0`);
  }
  return hash.digest('hex');
}

/**
 * What a step that came to its end left behind: what it read and what it wrote.
 *
 * @typedef {{ inputs: string, outputs: string }} Stamp
 */

/**
 * @param {string} file
 * @returns {Stamp | undefined} undefined when there is none, or none that can be read
 */
export function readStamp(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

/**
 * Appears whole or not at all, whenever the process ends.
 *
 * @param {string} file
 * @param {Stamp} stamp
 */
export function writeStamp(file, stamp) {
  const partial = `${file}.${process.pid}`;
  writeFileSync(partial, JSON.stringify(stamp));
  renameSync(partial, file);
}

/** @param {string} file */
export function removeStamp(file) {
  rmSync(file, { force: true });
}
