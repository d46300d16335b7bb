import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { constant, Deadline, RequestContext, runInContext } from 'rookery/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FilesConfig } from './files.config.js';
import { FilesRepository } from './files.repository.js';
import { FilesSeeder, sampleContent } from './files-seeder.js';
import { FilesService } from './files.service.js';

const sha256 = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex');

async function all<T>(values: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const value of values) list.push(value);
  return list;
}

describe('FilesService', () => {
  let folder: string;
  let files: FilesService;
  let config: FilesConfig;
  const content = sampleContent(200_000);

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'rookery-files-'));
    config = { directory: join(folder, 'files'), seed: true };
    mkdirSync(config.directory);
    writeFileSync(join(config.directory, 'data.bin'), content);
    files = new FilesService(new FilesRepository(constant(config)));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  async function download(name: string, offset = 0n) {
    const parts = await all(files.download(name, offset));
    const last = parts.pop();
    return { parts, last, bytes: Buffer.concat(parts.map(({ data }) => data ?? new Uint8Array())) };
  }

  it('sends a file in parts of 64 KiB, and its checksum at last', async () => {
    const { parts, last, bytes } = await download('data.bin');

    expect(parts.map(({ offset, data, totalSize }) => [offset, data?.length, totalSize])).toEqual([
      [0n, 65_536, 200_000n],
      [65_536n, 65_536, 200_000n],
      [131_072n, 65_536, 200_000n],
      [196_608n, 3392, 200_000n],
    ]);
    expect(bytes.equals(content)).toBe(true);
    expect(last).toEqual({ offset: 200_000n, totalSize: 200_000n, sha256: expect.any(Uint8Array) });
    expect(Buffer.from(last?.sha256 ?? []).toString('hex')).toBe(sha256(content));
  });

  it.each([1n, 65_536n, 199_999n, 200_000n])('goes on at byte %i with the checksum of the whole', async (offset) => {
    const { parts, last, bytes } = await download('data.bin', offset);

    expect(parts[0]?.offset ?? offset).toBe(offset);
    expect(bytes.equals(content.subarray(Number(offset)))).toBe(true);
    expect(Buffer.from(last?.sha256 ?? []).toString('hex')).toBe(sha256(content));
  });

  it('gives the checksum of what the file is now, not of what it was', async () => {
    await download('data.bin');
    appendFileSync(join(config.directory, 'data.bin'), 'more');

    const { last } = await download('data.bin', 200_004n);

    expect(Buffer.from(last?.sha256 ?? []).toString('hex')).toBe(
      sha256(readFileSync(join(config.directory, 'data.bin'))),
    );
  });

  it('sends an empty file', async () => {
    writeFileSync(join(config.directory, 'empty'), '');

    const { parts, last } = await download('empty');

    expect(parts).toEqual([]);
    expect(last).toMatchObject({ offset: 0n, totalSize: 0n });
  });

  it('refuses an offset behind the end', async () => {
    const expected = { reason: 'FILE_OFFSET_OUT_OF_RANGE', metadata: { size: '200000' } };

    await expect(download('data.bin', 200_001n)).rejects.toMatchObject(expected);
    await expect(download('data.bin', 2n ** 63n - 1n)).rejects.toMatchObject(expected);
  });

  it('breaks off when the file changes under way', async () => {
    const longer = files.download('data.bin', 0n);
    await longer.next();
    appendFileSync(join(config.directory, 'data.bin'), 'more');
    await expect(all(longer)).rejects.toMatchObject({ reason: 'FILE_CHANGED' });

    const shorter = files.download('data.bin', 0n);
    await shorter.next();
    truncateSync(join(config.directory, 'data.bin'), 70_000);
    await expect(all(shorter)).rejects.toMatchObject({ reason: 'FILE_CHANGED' });
  });

  it('stops reading when the caller goes', async () => {
    const deadline = new Deadline(60_000);
    const context = new RequestContext({ face: 'grpc', operation: '', peer: '', header: () => undefined, deadline });
    const parts = runInContext(context, () => files.download('data.bin', 0n));
    await parts.next();

    deadline.cancel();

    await expect(parts.next()).rejects.toMatchObject({ reason: 'CANCELLED' });
  });

  it('does not lead out of the folder, nor to what is no plain file', async () => {
    writeFileSync(join(folder, 'secret'), 'secret');
    symlinkSync(join(folder, 'secret'), join(config.directory, 'link'));
    mkdirSync(join(config.directory, 'sub'));
    execFileSync('mkfifo', [join(config.directory, 'pipe')]);
    writeFileSync(join(config.directory, '.hidden'), 'hidden');

    for (const name of [
      'link',
      'sub',
      'pipe',
      '.hidden',
      '../secret',
      'sub/../../secret',
      '..',
      '.',
      '',
      'data.bin\0',
      'none',
      'x'.repeat(300),
    ]) {
      await expect(download(name), name).rejects.toMatchObject({ reason: 'FILE_NOT_FOUND' });
    }
    expect((await files.list()).files?.map(({ name }) => name)).toEqual(['data.bin']);
  });

  it('lists files by name, with size and media type', async () => {
    writeFileSync(join(config.directory, 'a.TXT'), 'abc');

    expect(await files.list()).toEqual({
      files: [
        { name: 'a.TXT', size: 3n, contentType: 'text/plain; charset=utf-8' },
        { name: 'data.bin', size: 200_000n, contentType: 'application/octet-stream' },
      ],
    });
  });

  it('is given its folder and two files at first, and what is changed stays', async () => {
    rmSync(config.directory, { recursive: true });
    const seeder = new FilesSeeder(new FilesRepository(constant(config)), constant(config));
    await seeder.onModuleInit();
    writeFileSync(join(config.directory, 'welcome.txt'), 'mine');

    await seeder.onModuleInit();

    expect((await files.list()).files?.map(({ name, size }) => [name, size])).toEqual([
      ['sample.bin', 1_048_613n],
      ['welcome.txt', 4n],
    ]);
  });

  it('says so as well where the system takes no folder', async () => {
    const blocked = constant({ directory: '/proc/nope/files', seed: false });

    await expect(new FilesSeeder(new FilesRepository(blocked), blocked).onModuleInit()).rejects.toThrow(
      /^files\.directory: cannot make \/proc\/nope\/files: ENOENT/,
    );
  });

  it('says in one line why its folder cannot be made', async () => {
    const blocked = constant({ directory: join(config.directory, 'data.bin', 'sub'), seed: false });

    await expect(new FilesSeeder(new FilesRepository(blocked), blocked).onModuleInit()).rejects.toThrow(
      /^files\.directory: cannot make .*data\.bin\/sub: ENOTDIR/,
    );
  });
});
