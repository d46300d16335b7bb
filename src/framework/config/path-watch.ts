import { type FSWatcher, watch } from 'node:fs';
import { readlink, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';

interface FolderWatch {
  readonly inode: number;
  readonly watcher: FSWatcher;
  /** Entries of the folder that matter. */
  names: ReadonlySet<string>;
}

// As many as Linux follows itself.
const maxLinks = 40;

/**
 * Notices changes of files and of the symbolic links that their names lead through, such as Kubernetes' `..data`. Folders
 * are watched, not files, since most ways to edit a file replace it; what else changes in a folder does not matter.
 */
export class PathWatch {
  readonly #onEvent: () => void;
  readonly #folders = new Map<string, FolderWatch>();
  #isClosed = false;

  /** @param onEvent called for every change of a file or link that is followed */
  constructor(onEvent: () => void) {
    this.#onEvent = onEvent;
  }

  /** Follows where `paths` lead to now, and nothing else. A folder made anew is another one. */
  async follow(paths: readonly string[]): Promise<void> {
    const folders = new Map<string, Set<string>>();
    for (const path of paths) await collectPlaces(resolve(path), folders);
    const inodes = new Map(
      await Promise.all([...folders.keys()].map(async (each) => [each, await inodeOf(each)] as const)),
    );
    if (this.#isClosed) return;
    for (const [folder, { inode, watcher }] of this.#folders) {
      if (inodes.get(folder) === inode) continue;
      watcher.close();
      this.#folders.delete(folder);
    }
    for (const [folder, names] of folders) this.#watch(folder, inodes.get(folder), names);
  }

  /** May be called twice. */
  close(): void {
    this.#isClosed = true;
    for (const { watcher } of this.#folders.values()) watcher.close();
    this.#folders.clear();
  }

  #watch(folder: string, inode: number | undefined, names: ReadonlySet<string>): void {
    const known = this.#folders.get(folder);
    if (known !== undefined) known.names = names;
    if (known !== undefined || inode === undefined) return;
    try {
      const watcher = watch(folder, { persistent: false }, (_event, name) => this.#onChange(folder, name));
      // It went away, or the system has no more watches: the poll goes on.
      watcher.on('error', () => {
        watcher.close();
        if (this.#folders.get(folder)?.watcher === watcher) this.#folders.delete(folder);
      });
      this.#folders.set(folder, { inode, watcher, names });
    } catch {
      // The poll goes on.
    }
  }

  // The name is that of the folder itself where the folder was moved or removed.
  #onChange(folder: string, name: string | null): void {
    if (name === null || name === basename(folder) || this.#folders.get(folder)?.names.has(name) === true)
      this.#onEvent();
  }
}

/** Adds the folder and name of `path`, and of each symbolic link on the way to it. */
async function collectPlaces(path: string, folders: Map<string, Set<string>>): Promise<void> {
  let links = 0;
  for (let at = 0; at >= 0 && links <= maxLinks; ) {
    const end = path.indexOf(sep, at + 1);
    const part = end < 0 ? path : path.slice(0, end);
    const target = await readlink(part).catch(() => undefined);
    if (target !== undefined || end < 0) addPlace(part, folders);
    if (target === undefined) {
      at = end;
      continue;
    }
    path = join(resolve(dirname(part), target), end < 0 ? '' : path.slice(end));
    links += 1;
    at = 0;
  }
}

function addPlace(path: string, folders: Map<string, Set<string>>): void {
  const folder = dirname(path);
  const names = folders.get(folder) ?? new Set();
  folders.set(folder, names.add(basename(path)));
}

/** The inode of a folder; `undefined` where there is none. */
export async function inodeOf(folder: string): Promise<number | undefined> {
  return stat(folder).then(
    ({ ino }) => ino,
    () => undefined,
  );
}
