import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError } from './config.errors.js';
import { loadConfig } from './load-config.js';

let root = '';
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'config-'));
});
afterAll(() => rm(root, { recursive: true }));

async function folder(files: Record<string, string | Buffer>): Promise<string> {
  const directory = await mkdtemp(join(root, 'd-'));
  for (const [name, content] of Object.entries(files)) await writeFile(join(directory, name), content);
  return directory;
}

async function complaints(work: Promise<unknown>): Promise<string[]> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return error instanceof ConfigError ? error.problems.map(({ message }) => message) : [];
}

describe('loadConfig', () => {
  it('takes defaults, both files, environment and arguments in this order', async () => {
    const directory = await folder({
      'application.yaml': 's: { a: 1, b: 1, c: 1, d: 1 }',
      'application-production.yaml': 's: { b: 2, c: 2, d: 2 }',
      'application-development.yaml': 's: { a: 9 }',
    });
    const environment = { ROOKERY_ENV: 'production', ROOKERY_S__C: '3', ROOKERY_S__D: '3' };

    const store = await loadConfig({ directory, environment, argv: ['--set', 's.d=4'] });

    expect(store.env).toBe('production');
    expect(store.get('s')).toEqual({ a: 1, b: 2, c: '3', d: '4' });
    expect(store.sourceOf('s.b')).toBe(`${directory}/application-production.yaml:1`);
  });

  it('needs no file at all, and takes development for the environment', async () => {
    const store = await loadConfig({ directory: join(root, 'absent'), environment: {}, argv: [] });

    expect(store.env).toBe('development');
    expect(store.tree()).toEqual({});
  });

  it('reports the problems of all sources at once', async () => {
    const directory = await folder({ 'application.yaml': 'a: [', 'application-development.yml': 'a: 1' });

    const result = await complaints(
      loadConfig({ directory, environment: { ROOKERY_A____B: '1' }, argv: ['--set', 'x'] }),
    );

    expect(result).toEqual([
      `${directory}/application.yaml:1: wrong indentation, or a bracket that is not closed`,
      `${directory}/application-development.yml: is not read (expected name: application-development.yaml)`,
      'ROOKERY_A____B: not a path of the configuration: "a..b"',
      '--set: "x" (expected: path=value)',
    ]);
  });

  it('refuses a file that is not UTF-8', async () => {
    const directory = await folder({ 'application.yaml': Buffer.from([0x61, 0x3a, 0x20, 0xff]) });

    expect(await complaints(loadConfig({ directory, environment: {}, argv: [] }))).toEqual([
      `${directory}/application.yaml: not UTF-8`,
    ]);
  });

  it('refuses what it cannot read', async () => {
    const directory = await folder({});
    await writeFile(join(directory, 'x'), '');
    await chmod(join(directory, 'x'), 0o600);

    expect(await complaints(loadConfig({ directory: join(directory, 'x'), environment: {}, argv: [] }))).toEqual([
      `${directory}/x/application.yaml: cannot be read (ENOTDIR)`,
      `${directory}/x/application-development.yaml: cannot be read (ENOTDIR)`,
    ]);
  });

  it.each([['../x'], ['a/b'], ['-x'], ['a b'], ['x'.repeat(65)]])('refuses the environment name %j', async (name) => {
    expect(await complaints(loadConfig({ directory: root, environment: { ROOKERY_ENV: name }, argv: [] }))).toEqual([
      `ROOKERY_ENV: ${JSON.stringify(name.slice(0, 64))} (expected: letters, digits, - and _)`,
    ]);
  });

  it('says in one readable text what is wrong', async () => {
    const failure = await loadConfig({ directory: root, environment: { ROOKERY_ENV: '/' }, argv: [] }).catch(
      (error: unknown) => error,
    );

    expect((failure as ConfigError).message).toBe(
      'the configuration is not valid:\n  ROOKERY_ENV: "/" (expected: letters, digits, - and _)',
    );
    expect((failure as ConfigError).exitCode).toBe(1);
  });
});
