import { mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeFolder } from './make-folder.js';

describe('makeFolder', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'rookery-folders-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('makes all folders that are missing, and leaves those that are there', () => {
    makeFolder(join(folder, 'a/b/c'));
    makeFolder(join(folder, 'a/b/c'));
    makeFolder('/');

    expect(statSync(join(folder, 'a/b/c')).isDirectory()).toBe(true);
  });

  it('takes a link to a folder for one', () => {
    makeFolder(join(folder, 'a'));
    symlinkSync('a', join(folder, 'link'));

    makeFolder(join(folder, 'link'));
    makeFolder(join(folder, 'link/b'));

    expect(statSync(join(folder, 'a/b')).isDirectory()).toBe(true);
  });

  it('says what is in the way', () => {
    writeFileSync(join(folder, 'file'), '');
    symlinkSync('none', join(folder, 'broken'));

    expect(() => makeFolder(join(folder, 'file'))).toThrow(/^EEXIST.*file'$/);
    expect(() => makeFolder(join(folder, 'file/a/b'))).toThrow(/^ENOTDIR.*file\/a'$/);
    expect(() => makeFolder(join(folder, 'broken/a'))).toThrow(/^EEXIST.*broken'$/);
    expect(() => makeFolder(join(folder, 'x'.repeat(300)))).toThrow(/^ENAMETOOLONG/);
  });

  it('gives up where the system takes no folder', () => {
    expect(() => makeFolder('/proc/nope/a/b')).toThrow(/^ENOENT.*'\/proc\/nope'$/);
  });
});
