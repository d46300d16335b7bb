import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { FakeNacos } from '../../../test/support/fake-nacos.js';
import { ConfigError } from './config.errors.js';
import type { ConfigStore } from './config-store.js';
import { loadConfig } from './load-config.js';
import { SnapshotStore } from './snapshot-store.js';

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

  describe('with Nacos', () => {
    const stores: ConfigStore[] = [];
    let fake: FakeNacos | undefined;

    afterEach(async () => {
      for (const store of stores.splice(0)) await store.close();
      await fake?.close();
    });

    async function load(environment: Record<string, string>, yaml = ''): Promise<ConfigStore> {
      const directory = await folder({ 'application.yaml': yaml });
      const nacos = { ROOKERY_NACOS__SNAPSHOT__DIRECTORY: join(directory, 'snapshot'), ...environment };
      const store = await loadConfig({ directory, environment: nacos, argv: [] });
      stores.push(store);
      return store;
    }

    it('asks the servers that files, environment and their references name, for the rest of the values', async () => {
      fake = await FakeNacos.start();
      fake.contents.set('orders.yaml', 'database: { host: db-7 }');
      const store = await load(
        { ROOKERY_NACOS__GRPC_PORT: String(fake.grpcPort), NACOS: fake.server.address },
        'url: "x://${database.host}"\nnacos: { address: "${NACOS}", dataIds: orders.yaml }',
      );

      expect([store.get('url'), store.sourceOf('database.host')]).toEqual([
        'x://db-7',
        'nacos:DEFAULT_GROUP/orders.yaml:1',
      ]);
    });

    it.each([
      ['user without password', { ROOKERY_NACOS__USERNAME: 'u' }, 'username, password: one of them is missing'],
      ['an address with a scheme', { ROOKERY_NACOS__ADDRESS: 'http://u:hunter2@n' }, 'an address cannot be read'],
      ['a file that is not there', { ROOKERY_NACOS__TLS__CA_FILE: '/nope' }, 'nacos.tls.caFile: "/nope" (expected'],
      ['a setting that does not exist', { ROOKERY_NACOS__ADRESS: 'n' }, 'unknown key (did you mean "address"?'],
    ])('refuses %s', async (_, environment, message) => {
      const tls = 'ROOKERY_NACOS__TLS__CA_FILE' in environment ? { ROOKERY_NACOS__TLS__ENABLED: 'true' } : {};
      const problems = await complaints(load({ ROOKERY_NACOS__ADDRESS: 'n:1', ...tls, ...environment }));

      expect(problems).toEqual([expect.stringContaining(message)]);
      expect(problems.join()).not.toContain('hunter2');
    });

    it('says that user and password are refused, without saying them', async () => {
      fake = await FakeNacos.start();
      fake.login = () => ({ status: 403 });

      const problems = await complaints(
        load({
          ROOKERY_NACOS__ADDRESS: fake.server.address,
          ROOKERY_NACOS__GRPC_PORT: String(fake.grpcPort),
          ROOKERY_NACOS__USERNAME: 'nobody',
          ROOKERY_NACOS__PASSWORD: 'hunter2',
          ROOKERY_NACOS__START_TIMEOUT_MS: '1000',
        }),
      );

      expect(problems).toEqual([
        expect.stringMatching(
          /^nacos: no login at .*403; wrong username or password\?\); there is no snapshot \(expected/,
        ),
      ]);
      expect(problems.join()).not.toMatch(/hunter2|\n/);
    });

    it('waits for nobody who takes no connection where there is a snapshot', async () => {
      // For documentation (RFC 5737): no route leads there, or packets for it vanish.
      const address = '192.0.2.1:8848';
      const directory = await folder({});
      const contents = [{ dataId: 'a.yaml', group: 'DEFAULT_GROUP', content: 'a: 1' }];
      const namespace = JSON.stringify(['nacos', [address], '', ['DEFAULT_GROUP/a.yaml']]);
      await new SnapshotStore({ file: join(directory, 'nacos.snapshot'), namespace }).write(contents);
      const startedAt = performance.now();

      const store = await load({
        ROOKERY_NACOS__ADDRESS: address,
        ROOKERY_NACOS__DATA_IDS: 'a.yaml',
        ROOKERY_NACOS__SNAPSHOT__DIRECTORY: directory,
        ROOKERY_NACOS__FALL_BACK__ANSWER_TIMEOUT_MS: '60000',
        ROOKERY_NACOS__START_TIMEOUT_MS: '60000',
      });

      // 0.1 s by the settings, and a busy machine.
      expect(performance.now() - startedAt).toBeLessThan(1500);
      expect([store.get('a'), store.failures.length]).toEqual([1, 1]);
    });
  });
});
