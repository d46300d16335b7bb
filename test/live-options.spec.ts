import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import 'reflect-metadata';
import { getMetadataStorage } from 'class-validator';
import { configPrefixOf, needsRestart, type OptionsClass } from 'rookery/core';
import { beforeAll, describe, expect, it } from 'vitest';
import { liveProofs } from './support/live-proofs.js';

const root = fileURLToPath(new URL('..', import.meta.url));

/** An option as operators know it. */
interface Setting {
  readonly path: string;
  readonly needsRestart: boolean;
}

const settings: Setting[] = [];

beforeAll(async () => {
  const files = globSync(['src/framework/**/*.options.ts', 'src/service/**/*.config.ts'], { cwd: root });
  for (const file of files) {
    const module = (await import(pathToFileURL(join(root, file)).href)) as Record<string, unknown>;
    for (const member of Object.values(module)) {
      if (typeof member !== 'function') continue;
      const prefix = configPrefixOf(member as OptionsClass);
      if (prefix !== undefined) collect(prefix, member as OptionsClass, false);
    }
  }
});

function collect(prefix: string, options: OptionsClass, isFixed: boolean): void {
  const instance = new options() as Record<string, unknown>;
  const rules = getMetadataStorage().getTargetValidationMetadatas(options, '', false, false);
  for (const name of new Set([...Object.keys(instance), ...rules.map(({ propertyName }) => propertyName)])) {
    const path = `${prefix}.${name}`;
    const isRestart = isFixed || needsRestart(options, name);
    const value = instance[name];
    const nested = isInstance(value) ? (value.constructor as OptionsClass) : undefined;
    if (nested !== undefined) collect(path, nested, isRestart);
    else settings.push({ path, needsRestart: isRestart });
  }
}

function isInstance(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && value.constructor !== Object;
}

/** Whether an entry of the table is about a path: `a.b` about that one, `a.b.*` about all below. */
const isAbout = (entry: string, path: string): boolean =>
  entry.endsWith('.*') ? path.startsWith(entry.slice(0, -1)) : entry === path;

describe('every option', () => {
  it('is found', () => {
    expect(settings.map(({ path }) => path)).toEqual(
      expect.arrayContaining(['server.port', 'server.limits.maxBodyBytes', 'auth.jwt.secret', 'paging.maxPageSize']),
    );
  });

  it('waits for the next start and says so, or has a test that changes it while the service runs', () => {
    const neither = settings.filter(
      ({ path, needsRestart: isRestart }) =>
        !isRestart && !Object.keys(liveProofs).some((entry) => isAbout(entry, path)),
    );

    expect(neither.map(({ path }) => path)).toEqual([]);
  });

  it('is not called live where it waits for the next start', () => {
    const both = settings.filter(
      ({ path, needsRestart: isRestart }) => isRestart && Object.keys(liveProofs).some((entry) => isAbout(entry, path)),
    );

    expect(both.map(({ path }) => path)).toEqual([]);
  });

  it.each(Object.entries(liveProofs))('%s: has the test that is named for it', (entry, [file, title]) => {
    const isOption = entry.startsWith('features.') || settings.some(({ path }) => isAbout(entry, path));

    expect(isOption).toBe(true);
    expect(existsSync(join(root, file))).toBe(true);
    expect(readFileSync(join(root, file), 'utf8')).toContain(`'${title}'`);
  });
});
