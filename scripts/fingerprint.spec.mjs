import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { contentFingerprint, filesBelow, readStamp, stateFingerprint, writeStamp } from './fingerprint.mjs';

/** @type {string} */
let root;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'rookery-fingerprint-'));
  mkdirSync(join(root, 'src/deep'), { recursive: true });
  writeFileSync(join(root, 'src/a.ts'), 'a');
  writeFileSync(join(root, 'src/deep/b.ts'), 'b');
});

afterEach(() => rmSync(root, { recursive: true }));

describe('filesBelow', () => {
  it('lists files of all depths in one order and leaves dot files out', () => {
    writeFileSync(join(root, 'src/.stamp.json'), '{}');

    expect(filesBelow(join(root, 'src'))).toEqual(['a.ts', 'deep/b.ts']);
  });

  it('finds nothing where there is no folder', () => {
    expect(filesBelow(join(root, 'absent'))).toEqual([]);
  });
});

describe('contentFingerprint', () => {
  const fingerprint = () => contentFingerprint(root, ['src', 'package.json'], (path) => !path.endsWith('.spec.ts'));

  it('stays the same when only times change', () => {
    const before = fingerprint();

    utimesSync(join(root, 'src/a.ts'), 1, 1);

    expect(fingerprint()).toBe(before);
  });

  it.each([
    ['an edit', () => writeFileSync(join(root, 'src/a.ts'), 'A')],
    ['a new file', () => writeFileSync(join(root, 'src/c.ts'), '')],
    ['a deleted file', () => rmSync(join(root, 'src/deep/b.ts'))],
    ['a named file that appears', () => writeFileSync(join(root, 'package.json'), '')],
  ])('notices %s', (_what, change) => {
    const before = fingerprint();

    change();

    expect(fingerprint()).not.toBe(before);
  });

  it('notices text that moves from one file to the next', () => {
    const before = fingerprint();

    writeFileSync(join(root, 'src/a.ts'), '');
    writeFileSync(join(root, 'src/deep/b.ts'), 'ab');

    expect(fingerprint()).not.toBe(before);
  });

  it('does not look at files that do not count', () => {
    const before = fingerprint();

    writeFileSync(join(root, 'src/a.spec.ts'), '');

    expect(fingerprint()).toBe(before);
  });
});

describe('stateFingerprint', () => {
  it.each([
    ['a touched file', () => utimesSync(join(root, 'src/a.ts'), 1, 1)],
    ['a deleted file', () => rmSync(join(root, 'src/a.ts'))],
  ])('notices %s', (_what, change) => {
    const before = stateFingerprint(join(root, 'src'));

    change();

    expect(stateFingerprint(join(root, 'src'))).not.toBe(before);
  });
});

describe('stamps', () => {
  it('are read as they were written', () => {
    const file = join(root, '.stamp.json');

    writeStamp(file, { inputs: 'i', outputs: 'o' });

    expect(readStamp(file)).toEqual({ inputs: 'i', outputs: 'o' });
  });

  it('count as absent when they are broken', () => {
    const file = join(root, '.stamp.json');
    writeFileSync(file, '{"inputs":');

    expect(readStamp(file)).toBeUndefined();
  });
});
