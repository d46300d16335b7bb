import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type DynamicModule, Module, type Type } from '@nestjs/common';
import { type ConfigStore, type ConfigVersion, RemoteSource } from 'rookery/config';
import { openResources, type Resources, startTestService, type TestService, untilReleased } from 'rookery/testing';
import { expect } from 'vitest';
import { eventually } from './eventually.js';
import type { TestNacos } from './nacos-server.js';
import { testGroup } from './nacos-publisher.js';
import { temporaryFolder, type TemporaryFolder } from './temporary-folder.js';

@Module({})
class EmptyModule {}

/** What a service follows. */
export interface Centred {
  readonly nacos: Pick<TestNacos, 'address' | 'user'>;
  readonly dataIds: readonly string[];
  readonly application?: Type | DynamicModule;
  readonly set?: Readonly<Record<string, unknown>>;
}

/** A service in this process that follows data ids of a real Nacos and has no other configuration. */
export class CentredApp {
  readonly test: TestService;
  readonly #before: Resources;
  readonly #folder: TemporaryFolder;

  private constructor(test: TestService, folder: TemporaryFolder, before: Resources) {
    this.test = test;
    this.#folder = folder;
    this.#before = before;
  }

  static async start({ nacos, dataIds, application = EmptyModule, set = {} }: Centred): Promise<CentredApp> {
    const before = openResources();
    const folder = await temporaryFolder();
    await mkdir(join(folder.path, 'config'));
    const test = await startTestService(application, {
      configDirectory: join(folder.path, 'config'),
      set: { ...centreSettings({ nacos, dataIds, directory: join(folder.path, 'snapshot') }), ...set },
    });
    return new CentredApp(test, folder, before);
  }

  get store(): ConfigStore {
    return this.test.service.config;
  }

  get remote(): RemoteSource {
    const source = RemoteSource.of(this.store);
    if (source === undefined) throw new Error('the service follows no centre');
    return source;
  }

  /** Resolves with the version in which `holds` is true, now or later. */
  async until(what: string, holds: () => boolean, timeoutMs?: number): Promise<ConfigVersion | undefined> {
    await eventually(what, holds, timeoutMs);
    return this.store.history.at(-1);
  }

  /** Stops within a second, and asserts that nothing stays open. */
  async close(): Promise<void> {
    const startedAt = performance.now();
    expect(await this.test.close()).toBe(0);
    const tookMs = performance.now() - startedAt;
    await this.#folder.remove();
    await untilReleased(this.#before);
    expect(tookMs).toBeLessThan(1000);
  }
}

/** Settings by path of a service that follows these data ids. */
export function centreSettings({
  nacos,
  dataIds,
  directory,
}: Pick<Centred, 'nacos' | 'dataIds'> & { readonly directory: string }): Record<string, unknown> {
  return {
    'nacos.address': nacos.address,
    'nacos.group': testGroup,
    'nacos.dataIds': dataIds.join(','),
    'nacos.snapshot.directory': directory,
    ...(nacos.user !== undefined && {
      'nacos.username': nacos.user.username,
      'nacos.password': nacos.user.password,
    }),
  };
}
