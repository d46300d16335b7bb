import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigFiles } from './config-files.js';

let folder: string;
let file: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'config-files-'));
  file = join(folder, 'application.yaml');
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

describe('ConfigFiles', () => {
  it('does not take a file that is being written in place for an empty one', async () => {
    await writeFile(file, '');
    const reading = new ConfigFiles(folder, 'test').read();
    await delay(5);
    await writeFile(file, 'a: 1\n');

    expect((await reading)[0]).toMatchObject({ tree: { a: 1 } });
  });

  it('reads an empty file as one without settings', async () => {
    await writeFile(file, '');

    expect((await new ConfigFiles(folder, 'test').read())[0]).toMatchObject({ tree: {} });
  });
});
