import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { exclusively } from './mutex.mjs';

/** @type {string} */
let folder;
/** @type {string} */
let file;

beforeEach(() => {
  // Who waits says so, which is not for the report of a test run.
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  folder = mkdtempSync(join(tmpdir(), 'rookery-mutex-'));
  file = join(folder, 'deep/prepare.lock');
});

afterEach(() => rmSync(folder, { recursive: true }));

describe('exclusively', () => {
  it('hands back what the work gives and leaves no lock', async () => {
    expect(await exclusively(file, async () => existsSync(file))).toBe(true);
    expect(existsSync(file)).toBe(false);
  });

  it('leaves no lock when the work fails', async () => {
    await expect(exclusively(file, () => Promise.reject(new Error('no')))).rejects.toThrow('no');

    expect(existsSync(file)).toBe(false);
  });

  it('lets one piece of work end before the next begins', async () => {
    /** @type {string[]} */
    const order = [];
    const { promise: released, resolve: release } = Promise.withResolvers();
    const { promise: entered, resolve: enter } = Promise.withResolvers();
    const first = exclusively(file, async () => {
      enter(undefined);
      await released;
      order.push('first');
    });
    await entered;

    const second = exclusively(file, async () => {
      order.push('second');
    });
    release(undefined);
    await Promise.all([first, second]);

    expect(order).toEqual(['first', 'second']);
  });

  it('takes the lock of a process that was killed', async () => {
    await exclusively(file, async () => undefined);
    writeFileSync(file, JSON.stringify({ pid: 2 ** 30, born: 'long ago' }));

    expect(await exclusively(file, async () => 'mine')).toBe('mine');
  });

  it('waits for a tool that outlives the process that started it', async () => {
    const tool = spawn(process.execPath, ['-e', 'process.stdin.resume()'], { stdio: ['pipe', 'ignore', 'ignore'] });
    await once(tool, 'spawn');
    const ended = once(tool, 'exit');
    let holder = '';
    await exclusively(file, async (onTool) => {
      onTool(tool.pid ?? 0);
      holder = readFileSync(file, 'utf8');
    });
    writeFileSync(file, JSON.stringify({ ...JSON.parse(holder), pid: 2 ** 30, born: 'long ago' }));
    let isToolAlive = true;

    const work = exclusively(file, async () => isToolAlive);
    tool.stdin.end();
    await ended;
    isToolAlive = false;

    expect(await work).toBe(false);
  });
});
