import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../../test/support/eventually.js';
import { FakeNacos, md5Of } from '../../../test/support/fake-nacos.js';
import {
  NacosConfigClient,
  type NacosConfigClientOptions,
  type NacosConfigValue,
  NacosConnection,
  type NacosOptions,
} from './index.js';

let fake: FakeNacos;
let connection: NacosConnection;
const open: { close(): unknown }[] = [];

beforeEach(async () => {
  fake = await FakeNacos.start();
  open.push(fake);
});

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

function client(options: NacosConfigClientOptions = {}, changes: Partial<NacosOptions> = {}): NacosConfigClient {
  connection = new NacosConnection({ servers: [fake.server], minBackoffMs: 5, ...changes });
  const configs = new NacosConfigClient(connection, options);
  open.push(connection, configs);
  return configs;
}

/** Listens, and keeps the contents that it is told. */
function listen(
  configs: NacosConfigClient,
  dataId: string,
  md5 = '',
): { told: (string | undefined)[]; stop: () => void } {
  const told: (string | undefined)[] = [];
  const stop = configs.listen({ dataId }, (value: NacosConfigValue | undefined) => void told.push(value?.content), {
    md5,
  });
  return { told, stop };
}

const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'no failure',
    (error: unknown) => error,
  );

/** Resolves when the server was last told to listen with this md5: then the client has nothing more to do. */
const settled = (dataId: string, content: string | undefined): Promise<void> =>
  eventually(`listening for ${dataId}`, () => {
    const listened = fake.taken
      .filter(({ type, body }) => type === 'ConfigBatchListenRequest' && body['listen'] === true)
      .flatMap(({ body }) => body['configListenContexts'] as { dataId: string; md5: string }[]);
    const last = listened.findLast((key) => key.dataId === dataId);
    return last?.md5 === (content === undefined ? '' : md5Of(content));
  });

describe('reading and writing', () => {
  it('reads what is there', async () => {
    fake.contents.set('a.yaml', 'a: 1');

    expect(await client().get({ dataId: 'a.yaml', group: 'g' })).toEqual({
      content: 'a: 1',
      md5: md5Of('a: 1'),
      contentType: 'yaml',
      lastModified: 1,
      encryptedDataKey: undefined,
    });
    expect(fake.taken.at(-1)?.body).toEqual({ dataId: 'a.yaml', group: 'g', tenant: '' });
  });

  it('reads nothing where nothing is', async () => {
    expect(await client().get({ dataId: 'a.yaml' })).toBeUndefined();
  });

  it('writes, compares before it writes, and removes', async () => {
    const configs = client();

    const md5 = await configs.publish({ dataId: 'a' }, 'a: 1', { type: 'yaml' });
    const refused = await failure(configs.publish({ dataId: 'a' }, 'a: 2', { casMd5: md5Of('other') }));
    await configs.publish({ dataId: 'a' }, 'a: 3', { casMd5: md5 });

    expect(refused).toMatchObject({ reason: 'NACOS_CAS_CONFLICT' });
    expect(fake.contents.get('a')).toBe('a: 3');
    await configs.remove({ dataId: 'a' });
    expect(fake.contents.has('a')).toBe(false);
  });

  it('refuses contents and names that servers do not take', async () => {
    const configs = client({}, { maxMessageBytes: 1024 });

    expect(await failure(configs.publish({ dataId: 'a' }, 'ü'.repeat(513)))).toMatchObject({
      message: 'content of a: 1026 bytes (expected: 1 to 1024)',
    });
    expect(await failure(configs.publish({ dataId: 'a' }, ''))).toMatchObject({ reason: 'NACOS_OPTION_INVALID' });
    expect(await failure(configs.get({ dataId: 'a b' }))).toMatchObject({ reason: 'NACOS_OPTION_INVALID' });
  });
});

describe('listening', () => {
  it('tells what is there at first, where the listener has nothing', async () => {
    fake.contents.set('a', '1');

    const { told } = listen(client(), 'a');
    await settled('a', '1');

    expect(told).toEqual(['1']);
  });

  it('tells nothing at first, where the listener has it', async () => {
    fake.contents.set('a', '1');

    const { told } = listen(client(), 'a', md5Of('1'));
    await settled('a', '1');

    expect(told).toEqual([]);
    expect(fake.count('ConfigQueryRequest')).toBe(0);
  });

  it('acknowledges, queries, tells, and listens again, in this order', async () => {
    const { told } = listen(client(), 'a');
    await settled('a', undefined);
    const before = fake.taken.length;

    fake.change('a', '1');
    await settled('a', '1');

    expect(fake.taken.slice(before).map(({ type }) => type)).toEqual([
      'ConfigChangeNotifyResponse',
      'ConfigQueryRequest',
      'ConfigBatchListenRequest',
    ]);
    expect(told).toEqual(['1']);
  });

  it('tells a removal', async () => {
    fake.contents.set('a', '1');
    const { told } = listen(client(), 'a');
    await settled('a', '1');

    fake.change('a', undefined);
    await settled('a', undefined);

    expect(told).toEqual(['1', undefined]);
  });

  it('tells nothing where the md5 is the same', async () => {
    fake.contents.set('a', '1');
    const { told } = listen(client(), 'a');
    await settled('a', '1');

    fake.change('a', '1');
    await fake.came('ConfigQueryRequest', 2);
    await fake.came('ConfigBatchListenRequest', 3);

    expect(told).toEqual(['1']);
  });

  it('asks again while the server writes the configuration down', async () => {
    fake.contents.set('a', '1');
    const message = 'requested file is being modified, please try later.';
    fake.answerWith = ({ type }, count) =>
      type === 'ConfigQueryRequest' && count <= 2 ? { resultCode: 500, errorCode: 400, message } : undefined;

    expect(await client().get({ dataId: 'a', group: 'DEFAULT_GROUP' })).toMatchObject({ content: '1' });
  });

  it('sees a change that is pushed during a query', async () => {
    const held = Promise.withResolvers<undefined>();
    fake.contents.set('a', '1');
    fake.answerWith = ({ type }, count) => {
      if (type !== 'ConfigQueryRequest' || count !== 1) return undefined;
      return held.promise.then(() => ({ resultCode: 200, content: '1', md5: md5Of('1') }));
    };
    const { told } = listen(client(), 'a');
    await fake.came('ConfigQueryRequest');

    fake.change('a', '2');
    await fake.came('ConfigChangeNotifyResponse');
    held.resolve(undefined);
    await settled('a', '2');

    expect(told).toEqual(['1', '2']);
  });

  it('sees a change between query and listen, of which no push tells', async () => {
    const { told } = listen(client(), 'a');
    await settled('a', undefined);
    fake.answerWith = ({ type }) => {
      if (type === 'ConfigBatchListenRequest' && fake.contents.get('a') === '1') fake.change('a', '2', false);
      return undefined;
    };

    fake.change('a', '1');
    await settled('a', '2');

    expect(told).toEqual(['1', '2']);
  });

  it('sees after a reconnect what it missed, and only that', async () => {
    fake.contents.set('same', 's');
    const configs = client();
    const a = listen(configs, 'a');
    const same = listen(configs, 'same');
    await settled('a', undefined);
    await settled('same', 's');

    fake.change('a', 'missed', false);
    fake.endStreams(0);
    await settled('a', 'missed');

    expect(a.told).toEqual(['missed']);
    expect(same.told).toEqual(['s']);
  });

  it('tells two listeners of one configuration each what it does not have', async () => {
    fake.contents.set('a', '1');
    const configs = client();
    const first = listen(configs, 'a');
    await settled('a', '1');

    const second = listen(configs, 'a');
    await eventually('the second is told', () => second.told.length > 0);

    expect([first.told, second.told]).toEqual([['1'], ['1']]);
  });

  it('goes on after a listener that throws, and reports it', async () => {
    const problems: unknown[] = [];
    const configs = client({ onProblem: (problem) => problems.push(problem) });
    configs.listen({ dataId: 'a' }, () => {
      throw new Error('mine');
    });
    const { told } = listen(configs, 'a');

    fake.change('a', '1');
    await settled('a', '1');
    fake.change('a', '2');
    await settled('a', '2');

    expect(told.at(-1)).toBe('2');
    expect(problems.length).toBeGreaterThan(0);
    expect(problems.every((problem) => (problem as Error).message === 'mine')).toBe(true);
  });

  it('tries again what failed after a push, and reports it', async () => {
    const problems: unknown[] = [];
    const { told } = listen(client({ onProblem: (problem) => problems.push(problem) }), 'a');
    await settled('a', undefined);
    fake.answerWith = ({ type }, count) =>
      type === 'ConfigQueryRequest' && count === 1 ? { resultCode: 500, errorCode: 500, message: 'busy' } : undefined;

    fake.change('a', '1');
    await settled('a', '1');

    expect(told).toEqual(['1']);
    expect(problems).toMatchObject([{ reason: 'NACOS_REQUEST_FAILED' }]);
  });

  it('listens to more than fit into one request', async () => {
    const configs = client();
    const all = Array.from({ length: 1203 }, (_, number) => listen(configs, `a-${number}`));
    await settled('a-1202', undefined);

    fake.change('a-0', 'x');
    fake.change('a-1202', 'y');
    await eventually('both', () => all[0]?.told.length === 1 && all[1202]?.told.length === 1);

    expect(fake.count('ConfigBatchListenRequest')).toBeLessThan(10);
  });

  it('takes its listening back when the last listener has gone', async () => {
    const { told, stop } = listen(client(), 'a');
    await settled('a', undefined);

    stop();
    await fake.came('ConfigBatchListenRequest', 2);
    fake.change('a', '1');

    expect(fake.taken.at(-1)?.body['listen']).toBe(false);
    expect(told).toEqual([]);
  });

  it('takes back a listening that was under way when the last listener went', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    fake.answerWith = async ({ type }) => {
      if (type === 'ConfigBatchListenRequest') await promise;
      return undefined;
    };
    const { stop } = listen(client(), 'a');
    await fake.came('ConfigBatchListenRequest', 1);

    stop();
    resolve();
    await fake.came('ConfigBatchListenRequest', 2);

    expect(fake.taken.at(-1)?.body['listen']).toBe(false);
  });

  it('ends a thousand changes with the last', async () => {
    const { told } = listen(client(), 'a');
    await settled('a', undefined);

    for (let number = 1; number <= 1000; number += 1) fake.change('a', String(number));
    await settled('a', '1000');

    expect(told.at(-1)).toBe('1000');
    expect(told.length).toBeLessThan(1001);
  });
});
