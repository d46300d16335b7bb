// One preparation at a time in one checkout: two runs that install or build into the same folders would spoil both.
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { say } from './progress.mjs';

const POLL_MS = 200;

/** How often a waiting run says what it waits for. */
const REMIND_MS = 10_000;

/**
 * Who holds the lock: a process, and the tool that it started, which goes on when the process is killed.
 *
 * @typedef {{ pid: number, born: string, tool?: { pid: number, born: string } }} Holder
 */

/**
 * Runs `work` while no other process that uses the same file runs its own.
 *
 * @template T
 * @param {string} file
 * @param {(onTool: (pid: number) => void) => Promise<T>} work gets a function to which it reports each tool that it starts
 * @returns {Promise<T>}
 */
export async function exclusively(file, work) {
  mkdirSync(dirname(file), { recursive: true });
  /** @type {Holder} */
  const me = { pid: process.pid, born: born(process.pid) };
  await acquire(file, me);
  try {
    return await work((pid) => replace(file, { ...me, tool: { pid, born: born(pid) } }));
  } finally {
    rmSync(file, { force: true });
  }
}

/**
 * @param {string} file
 * @param {Holder} me
 */
async function acquire(file, me) {
  for (let waited = 0; !create(file, me); waited += POLL_MS) {
    const holder = read(file);
    if (holder === undefined) continue;
    const alive = isAlive(holder) ? holder.pid : holder.tool && isAlive(holder.tool) ? holder.tool.pid : undefined;
    if (alive === undefined) {
      takeAway(file, holder);
      continue;
    }
    if (waited % REMIND_MS === 0) say(`another run is preparing this folder (process ${alive}), waiting for it`);
    await sleep(POLL_MS);
  }
}

/**
 * A link is made in one piece and fails when the name is taken, so nobody ever reads half a lock.
 *
 * @param {string} file
 * @param {Holder} holder
 */
function create(file, holder) {
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, JSON.stringify(holder));
  try {
    linkSync(draft, file);
    return true;
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

/**
 * @param {string} file
 * @param {Holder} holder
 */
function replace(file, holder) {
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, JSON.stringify(holder));
  renameSync(draft, file);
}

/**
 * Removes the lock of a dead holder. Should another run have done so and locked anew in between, its lock is put back.
 *
 * @param {string} file
 * @param {Holder} dead
 */
function takeAway(file, dead) {
  const aside = `${file}.dead.${process.pid}`;
  try {
    renameSync(file, aside);
  } catch {
    return; // gone already
  }
  const taken = read(aside);
  if (taken && (taken.pid !== dead.pid || taken.born !== dead.born)) create(file, taken);
  rmSync(aside, { force: true });
}

/**
 * @param {string} file
 * @returns {Holder | undefined}
 */
function read(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

/** @param {{ pid: number, born: string }} process_ */
function isAlive({ pid, born: mark }) {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EPERM') return false;
  }
  return born(pid) === mark;
}

/**
 * A mark that tells a process from a later one with the same id: when it started, as the system tells it.
 *
 * @param {number} pid
 * @returns {string} empty when it is gone, is a zombie, or the system does not tell
 */
function born(pid) {
  if (process.platform === 'win32') return '';
  if (process.platform !== 'linux')
    return spawnSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).stdout.trim();
  try {
    // The name in parentheses may hold blanks; behind it stand the state and, 19 fields on, the start time (proc(5)).
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(')').at(-1)?.trim().split(' ') ?? [];
    return fields[0] === 'Z' ? '' : (fields[19] ?? '');
  } catch {
    return '';
  }
}
