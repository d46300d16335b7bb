import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/**
 * Makes a folder and those above it, as far as they are missing. Blocks: it is for the start.
 *
 * Not by `recursive` of `mkdir`: where a file system takes no folders and says ENOENT, as /proc does, Node 24 tries for
 * ever.
 *
 * @throws Error of the file system, in one line with code and path; also when there is something else of that name
 */
export function makeFolder(path: string): void {
  const folder = resolve(path);
  const parent = dirname(folder);
  if (!existsSync(parent)) makeFolder(parent);
  try {
    mkdirSync(folder);
  } catch (error) {
    // Another process may have made it meanwhile, and the system's word for what exists already differs.
    if (!isFolder(folder)) throw error;
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}
