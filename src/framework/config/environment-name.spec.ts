import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { temporaryFolder, type TemporaryFolder } from '../../../test/support/temporary-folder.js';
import { environmentNameOf, environmentNotices } from './environment-name.js';

let folder: TemporaryFolder;

beforeEach(async () => {
  folder = await temporaryFolder();
});

afterEach(() => folder.remove());

describe('environmentNameOf', () => {
  it.each([
    [{}, 'development'],
    [{ ROOKERY_ENV: '' }, 'development'],
    [{ NODE_ENV: 'development' }, 'development'],
    [{ NODE_ENV: 'test' }, 'development'],
    [{ NODE_ENV: '' }, 'development'],
    [{ NODE_ENV: 'production' }, 'production'],
    [{ NODE_ENV: ' Production ' }, 'production'],
    [{ NODE_ENV: 'staging' }, 'production'],
    [{ NODE_ENV: 'production', ROOKERY_ENV: '' }, 'production'],
    [{ NODE_ENV: 'production', ROOKERY_ENV: 'development' }, 'development'],
    [{ ROOKERY_ENV: 'prod' }, 'prod'],
  ])('makes of %j %s', (environment, name) => {
    expect(environmentNameOf(environment)).toBe(name);
  });

  it.each(['../x', '..', 'a/b', 'a\\b', ' ', ' production', 'production\n', 'dev\u0000', '-x', 'ä'])(
    'refuses %j',
    (name) => {
      expect(() => environmentNameOf({ ROOKERY_ENV: name })).toThrow(
        `ROOKERY_ENV: ${JSON.stringify(name)} (expected: letters, digits, - and _)`,
      );
    },
  );
});

describe('environmentNotices', () => {
  it.each([
    [{}],
    [{ ROOKERY_ENV: 'development' }],
    [{ ROOKERY_ENV: 'test' }],
    [{ ROOKERY_ENV: 'production' }],
    [{ ROOKERY_ENV: 'production', NODE_ENV: 'production' }],
    [{ NODE_ENV: 'test' }],
  ])('has nothing to say of %j', async (environment) => {
    expect(await environmentNotices(environment, folder.path)).toEqual([]);
  });

  it.each([
    ['prod', '; did you mean production?'],
    ['Production', '; did you mean production?'],
    ['develpoment', '; did you mean development?'],
    ['Test', '; did you mean test?'],
    ['staging', ''],
  ])('names %s, the file that is missing, and the rules that apply', async (env, hint) => {
    expect(await environmentNotices({ ROOKERY_ENV: env }, folder.path)).toEqual([
      `ROOKERY_ENV: environment ${env} has no ${folder.path}/application-${env}.yaml, the rules of production apply${hint}`,
    ]);
  });

  it('takes an environment with a file of its own for one that is meant', async () => {
    await writeFile(join(folder.path, 'application-staging.yaml'), '');

    expect(await environmentNotices({ ROOKERY_ENV: 'staging' }, folder.path)).toEqual([]);
  });

  it.each(['production', 'staging'])('tells that NODE_ENV=%s decided', async (name) => {
    expect(await environmentNotices({ NODE_ENV: name }, folder.path)).toEqual([
      `ROOKERY_ENV is not set and NODE_ENV is "${name}": the environment is production`,
    ]);
  });
});
