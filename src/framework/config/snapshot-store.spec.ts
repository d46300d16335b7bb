import {
  type FileHandle,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RemoteContent } from './config.driver.js';
import { SnapshotStore } from './snapshot-store.js';

const contents: RemoteContent[] = [
  { dataId: 'a.yaml', group: 'G', type: 'yaml', content: 'a: hunter2\n' },
  { dataId: 'b', group: 'G', content: 'ä' },
];

describe('SnapshotStore', () => {
  let directory = '';
  let file = '';

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'snapshot-'));
    file = join(directory, 'inner', 'snapshot.json');
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  const store = (namespace = 'n', path = file) => new SnapshotStore({ file: path, namespace });
  const complaint = (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => 'no complaint',
      (error: unknown) => (error as Error).message.replace('the configuration is not valid:\n  ', ''),
    );

  it('reads back what was written, for its owner only, and leaves no other file', async () => {
    await store().write(contents);

    const read = await store().read();

    expect(read?.contents).toEqual(contents);
    expect(Date.now() - (read?.at.getTime() ?? 0)).toBeLessThan(60_000);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readdir(join(directory, 'inner'))).toEqual(['snapshot.json']);
  });

  it('has nothing before anything was written', async () => {
    expect(await store().read()).toBeUndefined();
  });

  it('holds the last of several writes, and takes no longer file mode from the one before', async () => {
    await mkdir(join(directory, 'inner'));
    await writeFile(file, 'old', { mode: 0o644 });
    const present = store();

    await Promise.all([1, 2, 3].map((n) => present.write([{ dataId: `d${n}`, group: 'G', content: '' }])));

    expect((await store().read())?.contents[0]?.dataId).toBe('d3');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it('refuses a snapshot that is cut off anywhere, or changed by a byte', async () => {
    await store().write(contents);
    const whole = await readFile(file);
    for (let length = 0; length < whole.length; length += 7) {
      await truncate(file, length);
      expect(await complaint(store().read())).toBe(
        `${file}: the snapshot is damaged (expected: the checksum that it states)`,
      );
      await writeFile(file, whole);
    }
    for (const at of [whole.indexOf('hunter2'), whole.indexOf('"n"') + 1, whole.indexOf('20')]) {
      const changed = Buffer.from(whole);
      changed[at] = (changed[at] as number) ^ 1;
      await writeFile(file, changed);
      expect(await complaint(store().read())).toContain('is damaged');
    }
  });

  it('refuses a snapshot from another namespace', async () => {
    await store('production').write(contents);

    expect(await complaint(store('staging').read())).toBe(`${file}: the snapshot is from another namespace`);
  });

  it('says that it cannot be read', async () => {
    await mkdir(file, { recursive: true });

    expect(await complaint(store().read())).toBe(`${file}: the snapshot is a folder (expected: a regular file)`);
  });

  it('does not follow a link that waits where the new file is written', async () => {
    await mkdir(join(directory, 'inner'));
    await writeFile(join(directory, 'victim'), 'untouched');
    await symlink(join(directory, 'victim'), `${file}.${process.pid}.tmp`);

    await store().write(contents);

    expect(await readFile(join(directory, 'victim'), 'utf8')).toBe('untouched');
  });

  it('keeps the snapshot before when the disk is full, and leaves no half of the new one', async () => {
    const present = store();
    await present.write(contents);
    // A disk that is full in the middle of the file, as the handle tells it.
    const handle = await open(file);
    await handle.close();
    vi.spyOn(Object.getPrototypeOf(handle) as FileHandle, 'writeFile').mockImplementation(async function (
      this: FileHandle,
      text,
    ) {
      await this.write((text as string).slice(0, 20));
      throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
    });

    expect(await complaint(present.write([]))).toBe(`${file}: the snapshot cannot be written (ENOSPC)`);

    expect(await readdir(join(directory, 'inner'))).toEqual(['snapshot.json']);
    expect((await store().read())?.contents).toEqual(contents);
    vi.restoreAllMocks();
    await present.write([]);
    expect((await store().read())?.contents).toEqual([]);
  });
});
