import { randomBytes, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import {
  AesConfigCipher,
  type ConfigDecryptor,
  type ConfigStore,
  loadConfig,
  NacosConfig,
  RemoteSource,
} from '../../src/framework/config/index.js';
import type { NacosConfigClient } from '../../src/framework/nacos/index.js';
import { eventually } from '../support/eventually.js';
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js';

/** The centre of a suite. */
export interface NacosConfigBench {
  readonly transport: 'grpc' | 'http';
  address(): string;
  user(): { readonly username: string; readonly password: string } | undefined;
  /** Who looks at the centre by other means. */
  admin(): NacosConfigClient;
}

const group = `rookery-${randomUUID()}`;

/** What `NacosConfig` and encrypted data ids do, over either transport. */
export function nacosConfigContract({ transport, address, user, admin }: NacosConfigBench): void {
  const stores: ConfigStore[] = [];
  const folders: TemporaryFolder[] = [];

  afterEach(async () => {
    for (const store of stores.splice(0)) await store.close();
    for (const folder of folders.splice(0)) await folder.remove();
  });

  /** A configuration with no files, which follows these data ids. */
  async function load(dataIds: readonly string[], decryptor?: ConfigDecryptor) {
    const folder = await temporaryFolder();
    folders.push(folder);
    const { username = '', password = '' } = user() ?? {};
    const sets = {
      'nacos.address': address(),
      'nacos.transport': transport,
      'nacos.group': group,
      'nacos.dataIds': dataIds.join(','),
      'nacos.snapshot.directory': folder.path,
      // On a machine that has other things to do.
      'nacos.startTimeoutMs': '30000',
      'nacos.requestTimeoutMs': '15000',
      ...(username !== '' && { 'nacos.username': username, 'nacos.password': password }),
    };
    const store = await loadConfig({
      directory: folder.path,
      environment: { ROOKERY_ENV: 'test' },
      argv: Object.entries(sets).flatMap(([path, value]) => ['--set', `${path}=${value}`]),
      ...(decryptor !== undefined && { decryptor }),
    });
    stores.push(store);
    return { store, nacos: new NacosConfig(store), folder };
  }

  /** Follows the centre, as the module does when the application has started. */
  function follow(store: ConfigStore): string[] {
    const lines: string[] = [];
    const keep = (line: string): void => void lines.push(line);
    RemoteSource.of(store)?.watch({ info: keep, warn: keep });
    return lines;
  }

  const soon = (what: string, content: () => Promise<string | undefined>, expected: string | undefined) =>
    eventually(what, async () => (await content()) === expected);

  describe('NacosConfig', () => {
    it('brings, writes and removes documents', async () => {
      const { nacos } = await load(['other.yaml']);
      const dataId = `test-${randomUUID()}.json`;
      const content = '{"greeting": "grüße 🐦 a+b=c&d%20"}';

      expect(await nacos.get(dataId)).toBeUndefined();
      const md5 = await nacos.publish(dataId, content);
      await soon('the document', async () => (await nacos.get(dataId))?.content, content);
      expect(await nacos.get(dataId)).toEqual({ content, md5, type: 'json' });
      expect(await admin().get({ dataId, group })).toMatchObject({ content, md5, contentType: 'json' });

      await nacos.remove(dataId);
      await soon('the removal', async () => (await nacos.get(dataId))?.content, undefined);
      await nacos.remove(dataId);
    });

    it('writes into the group that is asked for', async () => {
      const { nacos } = await load(['other.yaml']);
      const dataId = `test-${randomUUID()}.yaml`;

      await nacos.publish(dataId, 'a: 1', { group: `${group}.b`, type: 'yaml' });
      await soon('the document', async () => (await nacos.get(dataId, { group: `${group}.b` }))?.content, 'a: 1');

      expect(await nacos.get(dataId)).toBeUndefined();
    });

    it.runIf(transport === 'grpc')('refuses to write over what another has written', async () => {
      const { nacos } = await load(['other.yaml']);
      const dataId = `test-${randomUUID()}.yaml`;
      const first = await nacos.publish(dataId, 'a: 1');

      await nacos.publish(dataId, 'a: 2', { casMd5: first });

      await expect(nacos.publish(dataId, 'a: 3', { casMd5: first })).rejects.toMatchObject({
        reason: 'NACOS_CAS_CONFLICT',
      });
    });

    it.runIf(transport === 'http')('says that it cannot compare before it writes, and does not write', async () => {
      const { nacos } = await load(['other.yaml']);
      const dataId = `test-${randomUUID()}.yaml`;

      await expect(nacos.publish(dataId, 'a: 1', { casMd5: '0'.repeat(32) })).rejects.toThrow(
        'casMd5: not over HTTP (expected: nacos.transport: grpc)',
      );
      expect(await nacos.get(dataId)).toBeUndefined();
    });

    it.each([
      ['an empty content', 'a.yaml', ''],
      ['a data id that Nacos does not have', 'a b.yaml', 'a: 1'],
    ])('refuses %s', async (_what, dataId, content) => {
      const { nacos } = await load(['other.yaml']);

      await expect(nacos.publish(dataId, content)).rejects.toMatchObject({ reason: 'NACOS_OPTION_INVALID' });
    });
  });

  describe('an encrypted data id', () => {
    const newCipher = () => new AesConfigCipher({ keys: [randomBytes(32).toString('base64')] });
    const newId = () => `cipher-gcm-${randomUUID()}.yaml`;

    it('is published encrypted, read and followed as plain text, and on disk encrypted', async () => {
      const cipher = newCipher();
      const dataId = newId();
      const { nacos } = await load(['other.yaml'], cipher);
      await nacos.publish(dataId, 'orders: {secretWord: violet}');
      await soon('the document', async () => (await nacos.get(dataId))?.content, 'orders: {secretWord: violet}');

      const { store, folder } = await load([dataId], cipher);
      const lines = follow(store);
      expect(store.get('orders.secretWord')).toBe('violet');

      await nacos.publish(dataId, 'orders: {secretWord: indigo}');
      await eventually('the change', () => store.get('orders.secretWord') === 'indigo');
      await store.close();

      const stored = await admin().get({ dataId, group });
      const snapshot = await readFile(join(folder.path, 'nacos.snapshot'), 'utf8');
      expect(stored?.encryptedDataKey).toMatch(/^[\w+/=]{60,}$/);
      expect(snapshot).toContain(stored?.content);
      expect(`${stored?.content}${snapshot}${lines.join()}`).not.toMatch(/secretWord|violet|indigo/);
    });

    it('is an error that names it where nothing decrypts', async () => {
      const dataId = newId();
      const { nacos } = await load(['other.yaml'], newCipher());
      await nacos.publish(dataId, 'a: 1');
      await eventually('the document', async () => (await admin().get({ dataId, group })) !== undefined);

      await expect(load([dataId])).rejects.toThrow(
        `nacos:${group}/${dataId}: is encrypted (expected: a decryptor, by loadConfig({ decryptor }))`,
      );
    });

    it('keeps the last good values where it cannot be decrypted, and says neither key nor content', async () => {
      const [cipher, other] = [newCipher(), newCipher()];
      const dataId = newId();
      const { nacos } = await load(['other.yaml'], cipher);
      await nacos.publish(dataId, 'orders: {secretWord: violet}');
      await eventually('the document', async () => (await admin().get({ dataId, group })) !== undefined);
      const { store } = await load([dataId], cipher);
      const lines = follow(store);

      const { nacos: stranger } = await load(['other.yaml'], other);
      await stranger.publish(dataId, 'orders: {secretWord: indigo}');
      await eventually('the failure', () => store.failures.length > 0);

      expect(store.get('orders.secretWord')).toBe('violet');
      expect(store.failures.map(({ message }) => message).join()).toContain(
        `nacos:${group}/${dataId}: cannot be decrypted (not encrypted by any of the keys for this data id, or changed since)`,
      );
      const stored = await admin().get({ dataId, group });
      const said = [...lines, ...store.failures.map(({ message }) => message)].join();
      expect(said).not.toMatch(/secretWord|violet|indigo/);
      expect(said).not.toContain(stored?.content);
      expect(said).not.toContain(stored?.encryptedDataKey);
    });
  });
}
