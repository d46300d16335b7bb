import { join } from 'node:path';
import { startTestService, type TestService } from 'rookery/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { NacosConfigClient, NacosConnection } from '../../src/framework/nacos/index.js';
import { AppModule } from '../../src/service/app.module.js';
import { PagingConfig } from '../../src/service/paging/index.js';
import { eventually } from '../support/eventually.js';
import { nacosTimeoutMs, startNacos, type TestNacos, type TestNacosOptions } from '../support/nacos-server.js';
import { isSkipped } from '../support/peers.js';
import { temporaryFolder, type TemporaryFolder } from '../support/temporary-folder.js';

const servers: TestNacosOptions[] = [
  { version: '3.1', hasAuth: true, isCompatible: false },
  { version: '2.3', hasAuth: true },
];
const emptyUser = { username: '', password: '' };
const waiting = { timeout: 30_000, interval: 20 };

describe.skipIf(isSkipped('nacos')).each(servers)('a service with Nacos $version', (options) => {
  let nacos: TestNacos;
  let folder: TemporaryFolder;
  const services: TestService[] = [];
  const clients: (() => Promise<void>)[] = [];
  let number = 0;

  beforeAll(async () => {
    folder = await temporaryFolder();
    nacos = await startNacos(options);
  }, nacosTimeoutMs);

  afterEach(async () => {
    for (const service of services.splice(0)) await service.close();
    for (const close of clients.splice(0)) await close();
  });

  afterAll(async () => {
    await nacos?.close();
    await folder?.remove();
  }, 30_000);

  function client(): NacosConfigClient {
    const connection = new NacosConnection({ servers: [nacos.address], requestTimeoutMs: 20_000, ...nacos.user });
    const configs = new NacosConfigClient(connection);
    clients.push(() => {
      configs.close();
      return connection.close();
    });
    return configs;
  }

  /** Data ids that no other test has. */
  const ids = (...names: string[]): string[] => {
    number += 1;
    return names.map((name) => `test-${number}-${name}`);
  };

  async function start(
    dataIds: string[],
    set: Record<string, unknown> = {},
    user: TestNacos['user'] = nacos.user,
  ): Promise<TestService> {
    const service = await startTestService(AppModule, {
      set: {
        'nacos.address': nacos.address,
        'nacos.dataIds': dataIds,
        'nacos.snapshot.directory': join(folder.path, dataIds.join()),
        'files.directory': join(folder.path, 'files'),
        ...set,
      },
      env: {
        ROOKERY_NACOS__USERNAME: user?.username ?? '',
        ROOKERY_NACOS__PASSWORD: user?.password ?? '',
      },
    });
    services.push(service);
    return service;
  }

  async function publish(dataId: string, content: string, type?: string): Promise<void> {
    const configs = client();
    await configs.publish({ dataId }, content, type === undefined ? {} : { type });
    await eventually(`${dataId} is there`, async () => (await configs.get({ dataId }))?.content === content);
  }

  async function usersOnPage({ url, token }: TestService): Promise<number> {
    const response = await fetch(`${url}/api/v1/users?pageSize=3`, { headers: { authorization: `Bearer ${token()}` } });
    const { data } = (await response.json()) as { data: { users: unknown[] } };
    return data.users.length;
  }

  it('shows a change to controllers and subscribers, of each format that a data id may have', async () => {
    const [yaml = '', json = '', properties = '', untyped = ''] = ids('a.yaml', 'b.json', 'c.properties', 'd');
    await publish(yaml, 'paging: { maxPageSize: 2 }\nprobeMs: 1500', 'yaml');
    await publish(json, '{"health": {"probeTimeoutMs": "${probeMs}"}}', 'json');
    await publish(properties, 'health.refreshMs=4000', 'properties');
    await publish(untyped, 'http.cors.origins=https://a.example,https://b.example');
    const service = await start([yaml, json, properties, `DEFAULT_GROUP/${untyped}#properties`]);
    const { config } = service.service;
    const paging = config.of(PagingConfig);
    const told: unknown[] = [];
    paging.subscribe((current, previous, paths) => told.push([current.maxPageSize, previous.maxPageSize, paths]));

    expect(await usersOnPage(service)).toBe(2);
    expect(['health.probeTimeoutMs', 'health.refreshMs', 'http.cors.origins'].map((path) => config.get(path))).toEqual([
      1500,
      4000,
      ['https://a.example', 'https://b.example'],
    ]);
    await publish(yaml, 'paging: { maxPageSize: 3 }\nprobeMs: 1600', 'yaml');
    await vi.waitFor(async () => expect(await usersOnPage(service)).toBe(3), waiting);

    expect(told).toEqual([[3, 2, ['paging.maxPageSize']]]);
    expect(config.get('health.probeTimeoutMs')).toBe(1600);
    expect(config.history.map(({ version, source }) => [version, source])).toEqual([
      [1, 'start'],
      [2, `nacos:DEFAULT_GROUP/${yaml}`],
    ]);
  });

  it('makes one version of data ids that change at the same moment', async () => {
    const names = ids('a.yaml', 'b.yaml', 'c.yaml');
    const text = (round: number): string => `paging: { maxPageSize: ${round + 1} }\nround: ${round}`;
    for (const name of names) await publish(name, text(0));
    const service = await start(names);
    const { config } = service.service;
    const configs = client();

    for (let round = 1; round <= 10; round += 1) {
      await Promise.all(names.map((dataId) => configs.publish({ dataId }, text(round))));
      await eventually(
        `round ${round}`,
        () => names.every((name) => config.tree()['round'] === round && name !== '') && !config.failures.length,
      );
    }

    process.stderr.write(`rookery: Nacos ${options.version}: 10 × 3 data ids: ${config.version - 1} versions\n`);
    expect(config.get('round')).toBe(10);
  });

  it('shows a value hardly later than the driver below it is told', async () => {
    const [dataId = ''] = ids('a.yaml');
    await publish(dataId, 'paging: { maxPageSize: 1 }');
    const service = await start([dataId]);
    const paging = service.service.config.of(PagingConfig);
    const configs = client();
    let told: (content: string | undefined) => void = () => {};
    configs.listen({ dataId }, (value) => told(value?.content));
    const times: { told: number[]; seen: number[] } = { told: [], seen: [] };

    for (let size = 2; size < 33; size += 1) {
      const content = `paging: { maxPageSize: ${size} }`;
      const pushed = Promise.withResolvers<number>();
      const seen = Promise.withResolvers<number>();
      told = (now) => now === content && pushed.resolve(performance.now());
      const leave = paging.subscribe((value) => value.maxPageSize === size && seen.resolve(performance.now()));
      const startedAt = performance.now();
      await configs.publish({ dataId }, content);
      times.told.push((await pushed.promise) - startedAt);
      times.seen.push((await seen.promise) - startedAt);
      leave();
    }
    const at = (all: number[], part: number): number =>
      all.toSorted((a, b) => a - b)[Math.floor(all.length * part)] ?? Number.NaN;
    const ratio = at(times.seen, 0.5) / at(times.told, 0.5);
    process.stderr.write(
      `rookery: Nacos ${options.version}: published → value visible, median ${at(times.seen, 0.5).toFixed(0)} ms, p97 ${at(times.seen, 0.97).toFixed(0)} ms; driver ${at(times.told, 0.5).toFixed(0)} ms (ratio ${ratio.toFixed(2)})\n`,
    );

    expect(ratio).toBeLessThan(1.2);
  });

  it('closes within a second and leaves no socket', async () => {
    const [dataId = ''] = ids('a.yaml');
    await publish(dataId, 'paging: { maxPageSize: 1 }');
    for (const close of clients.splice(0)) await close();
    const sockets = (): number => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
    const before = sockets();
    const service = await start([dataId]);
    const startedAt = performance.now();

    await service.service.config.close();
    const closedMs = performance.now() - startedAt;
    await service.close();
    await eventually('no socket is left', () => sockets() <= before, 1000);

    expect(closedMs).toBeLessThan(1000);
  });

  // The last one: the server is another one afterwards.
  it('keeps its values while Nacos is away and when it comes back empty, and follows it then', async () => {
    const [dataId = ''] = ids('a.yaml');
    await publish(dataId, 'paging: { maxPageSize: 2 }');
    const service = await start([dataId]);
    const { config } = service.service;
    const { port, version } = { port: nacos.port, version: options.version };

    await nacos.kill('SIGKILL');
    await nacos.close();
    await vi.waitFor(() => expect(config.failures).toHaveLength(1), waiting);
    expect(await usersOnPage(service)).toBe(2);
    // The server that comes back asks for no login, and 3.1 has no user that could.
    const without = await start([dataId], { 'nacos.required': false, 'nacos.snapshot.enabled': false }, emptyUser);
    expect(await usersOnPage(without)).toBe(3);

    nacos = await startNacos({ version, port });
    await vi.waitFor(() => expect(config.failures[0]?.message).toContain(`${dataId}: is gone`), waiting);
    expect(await usersOnPage(service)).toBe(2);
    await publish(dataId, 'paging: { maxPageSize: 1 }');
    await vi.waitFor(async () => expect(await usersOnPage(service)).toBe(1), waiting);
    await vi.waitFor(async () => expect(await usersOnPage(without)).toBe(1), waiting);

    expect(config.failures).toEqual([]);
    expect(without.service.config.failures).toEqual([]);
  }, 240_000);
});
