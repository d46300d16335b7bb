import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readRegularFile, readRegularFileSync, RegularFileError } from './regular-file.js';

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'regular-file-'));
  execFileSync('mkfifo', [join(directory, 'fifo')]);
  await symlink('/dev/zero', join(directory, 'device'));
  await writeFile(join(directory, 'empty'), '');
  await writeFile(join(directory, 'small'), 'x'.repeat(10));
  await writeFile(join(directory, 'large'), Buffer.alloc(200_000, 7));
});

afterAll(() => rm(directory, { recursive: true }));

describe.each([
  ['readRegularFile', async (path: string, maxBytes: number) => readRegularFile(path, maxBytes)],
  ['readRegularFileSync', async (path: string, maxBytes: number) => readRegularFileSync(path, maxBytes)],
] as const)('%s', (_, read) => {
  it('reads a file whole, up to the limit', async () => {
    expect((await read(join(directory, 'empty'), 10)).toString()).toBe('');
    expect((await read(join(directory, 'small'), 10)).toString()).toBe('x'.repeat(10));
    expect(await read(join(directory, 'large'), 200_000)).toEqual(Buffer.alloc(200_000, 7));
    // Says that it is empty, and is not.
    expect((await read('/proc/self/status', 100_000)).toString()).toContain('Pid:');
  });

  it.each([
    ['fifo', 'is a FIFO (expected: a regular file)'],
    ['device', 'is a device (expected: a regular file)'],
    ['', 'is a folder (expected: a regular file)'],
    ['small', '10 bytes (expected: at most 9)'],
    ['large', '200000 bytes (expected: at most 9)'],
  ])('refuses %j: %s', async (name, message) => {
    await expect(read(join(directory, name), 9)).rejects.toThrow(new RegularFileError(message));
  });

  it('refuses a file that has more than it says', async () => {
    await expect(read('/proc/self/status', 100)).rejects.toThrow('more than 100 bytes (expected: at most 100)');
  });

  it('says why a file cannot be opened', async () => {
    await expect(read(join(directory, 'none'), 10)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
