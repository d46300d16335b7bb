import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  NacosConfigClient,
  type NacosConfigKey,
  type NacosConfigValue,
  NacosConnection,
  type NacosOptions,
} from '../../src/framework/nacos/index.js';
import { eventually } from '../support/eventually.js';
import { nacosTimeoutMs, startNacos, type TestNacos, type TestNacosOptions } from '../support/nacos-server.js';
import { isSkipped } from '../support/peers.js';

const servers: TestNacosOptions[] = [
  { version: '3.1', hasAuth: true, isCompatible: false },
  { version: '2.3', hasAuth: true },
];

describe.skipIf(isSkipped('nacos')).each(servers)('Nacos $version', (options) => {
  let nacos: TestNacos;
  const open: { close(): unknown }[] = [];

  beforeAll(async () => {
    nacos = await startNacos(options);
  }, nacosTimeoutMs);

  afterEach(async () => {
    for (const one of open.splice(0).reverse()) await one.close();
  });

  afterAll(() => nacos?.close(), 30_000);

  function client(changes: Partial<NacosOptions> = {}): { connection: NacosConnection; configs: NacosConfigClient } {
    const connection = new NacosConnection({ servers: [nacos.address], ...nacos.user, ...changes });
    const configs = new NacosConfigClient(connection);
    open.push(connection, configs);
    return { connection, configs };
  }

  const someKey = (): NacosConfigKey => ({ dataId: `test-${randomUUID()}.yaml`, group: 'rookery' });

  /** What a listener was told, to be waited for. */
  function heard(): { values: (NacosConfigValue | undefined)[]; tell: (value: NacosConfigValue | undefined) => void } {
    const values: (NacosConfigValue | undefined)[] = [];
    return { values, tell: (value) => void values.push(value) };
  }

  it('has no configuration that nobody published', async () => {
    const { configs } = client();

    expect(await configs.get(someKey())).toBeUndefined();
  });

  it('gives back what was published, with its md5 and type', async () => {
    const { configs } = client();
    const key = someKey();

    const md5 = await configs.publish(key, 'greeting: "grüße 🐦"', { type: 'yaml' });
    await eventually('the publication is there', async () => (await configs.get(key)) !== undefined);

    expect(await configs.get(key)).toMatchObject({ content: 'greeting: "grüße 🐦"', md5, contentType: 'yaml' });
  });

  it('tells a listener of publication, change and removal, in order', async () => {
    const { configs } = client();
    const key = someKey();
    const { values, tell } = heard();
    configs.listen(key, tell);

    for (const content of ['a: 1', 'a: 2']) {
      await configs.publish(key, content);
      await eventually(content, () => values.at(-1)?.content === content);
    }
    await configs.remove(key);
    await eventually('the removal', () => values.length === 3);

    expect(values.map((value) => value?.content)).toEqual(['a: 1', 'a: 2', undefined]);
  });

  it('refuses to write over what another has written', async () => {
    const { configs } = client();
    const key = someKey();
    const md5 = await configs.publish(key, 'a: 1');

    await configs.publish(key, 'a: 2', { casMd5: md5 });

    await expect(configs.publish(key, 'a: 3', { casMd5: md5 })).rejects.toMatchObject({ reason: 'NACOS_CAS_CONFLICT' });
  });

  it('ends a burst of changes with the last one', async () => {
    const { configs } = client();
    const key = someKey();
    const { values, tell } = heard();
    configs.listen(key, tell);

    for (let number = 1; number <= 50; number += 1) await configs.publish(key, `a: ${number}`);

    await eventually('the last', () => values.at(-1)?.content === 'a: 50');

    expect(values.length).toBeLessThanOrEqual(50);
  });

  it('keeps an idle connection, longer than servers keep silent ones', async () => {
    const { connection } = client();
    const states: string[] = [];
    await connection.connected({ timeoutMs: 10_000 });
    connection.onState(({ state }) => states.push(state));

    // The server asks after 20 s and drops after 5 more; there is nothing to wait for but time.
    await new Promise((resolve) => setTimeout(resolve, 28_000));

    expect(states).toEqual([]);
  });

  it('says that user and password are wrong, without saying them', async () => {
    const { connection } = client({ username: 'nacos', password: 'wr0ng-secret' });

    const failure = await connection.connected({ timeoutMs: 5000 }).catch((error: unknown) => error);

    expect(failure).toMatchObject({ reason: 'NACOS_DENIED' });
    expect(String(failure)).not.toContain('wr0ng-secret');
  });

  it('closes within a second and leaves no socket', async () => {
    // Those of others: the test asks the server by HTTP, whose sockets are kept alive for a while.
    const sockets = (): number => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
    const before = sockets();
    const { connection, configs } = client();
    configs.listen(someKey(), () => {});
    await connection.connected({ timeoutMs: 10_000 });
    const startedAt = performance.now();

    configs.close();
    await connection.close();
    const closedMs = performance.now() - startedAt;
    await eventually('no socket is left', () => sockets() <= before, 1000);

    expect(closedMs).toBeLessThan(1000);
  });

  it('tells of a change well within a second', async () => {
    const { configs } = client();
    const key = someKey();
    let told: (value: NacosConfigValue | undefined) => void = () => {};
    configs.listen(key, (value) => told(value));
    const times: number[] = [];
    for (let number = 0; number < 21; number += 1) {
      const { promise, resolve } = Promise.withResolvers<void>();
      told = (value) => value?.content === `a: ${number}` && resolve();
      const startedAt = performance.now();
      await configs.publish(key, `a: ${number}`);
      await promise;
      times.push(performance.now() - startedAt);
    }
    const [median = Number.NaN] = times.toSorted((a, b) => a - b).slice(10);
    process.stderr.write(
      `rookery: Nacos ${options.version}: published → told, median of 21: ${median.toFixed(0)} ms\n`,
    );

    expect(median).toBeLessThan(1000);
  });

  // The last one: the server is another one afterwards.
  it('finds the server again that was killed, and what it has then', async () => {
    const { configs, connection } = client({ requestTimeoutMs: 20_000 });
    const key = someKey();
    const { values, tell } = heard();
    configs.listen(key, tell);
    await configs.publish(key, 'a: 1');
    await eventually('the first', () => values.length === 1);
    const states: string[] = [];
    connection.onState(({ state }) => states.push(state));

    await nacos.kill('SIGKILL');
    await nacos.close();
    nacos = await startNacos({ version: options.version, port: nacos.port });
    await eventually('the loss is told', () => values.length === 2, 30_000);
    await configs.publish(key, 'a: 2');
    await eventually('the second', () => values.length === 3, 30_000);

    expect(states[0]).toBe('disconnected');
    expect(values.map((value) => value?.content)).toEqual(['a: 1', undefined, 'a: 2']);
  }, 240_000);
});
