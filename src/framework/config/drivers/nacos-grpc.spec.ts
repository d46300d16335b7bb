import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../../../test/support/eventually.js';
import { FakeNacos, md5Of } from '../../../../test/support/fake-nacos.js';
import type { ConfigDriverEvents, RemoteContent } from '../config.driver.js';
import { NacosGrpcDriver } from './nacos-grpc.js';

let fake: FakeNacos;
const drivers: NacosGrpcDriver[] = [];

beforeEach(async () => {
  fake = await FakeNacos.start();
});

afterEach(async () => {
  for (const driver of drivers.splice(0)) await driver.close();
  await fake.close();
});

function newDriver(...dataIds: string[]): NacosGrpcDriver {
  const driver = new NacosGrpcDriver({
    connection: { servers: [fake.server], minBackoffMs: 10, maxBackoffMs: 10 },
    dataIds: dataIds.map((dataId) => ({ group: 'G', dataId, format: undefined })),
    namespace: 'n',
    endpoints: [],
  });
  drivers.push(driver);
  return driver;
}

interface Heard extends ConfigDriverEvents {
  readonly contents: string[][];
  readonly failures: string[];
  recoveries: number;
}

function heard(): Heard {
  return {
    contents: [],
    failures: [],
    recoveries: 0,
    onContents(contents) {
      this.contents.push(texts(contents));
    },
    onFailure({ message }) {
      this.failures.push(message);
    },
    onRecovery() {
      this.recoveries += 1;
    },
  };
}

const texts = (contents: readonly RemoteContent[]): string[] => contents.map(({ content }) => content ?? '(none)');
const soon = (): AbortSignal => AbortSignal.timeout(3000);

describe('NacosGrpcDriver', () => {
  it('reads all data ids in their order, with what Nacos says of their type, and those that are not there', async () => {
    fake.contents.set('a.yaml', 'a: 1');
    fake.contents.set('b.yaml', 'b: 1');

    expect(await newDriver('b.yaml', 'absent', 'a.yaml').read(soon())).toEqual([
      { dataId: 'b.yaml', group: 'G', type: 'yaml', content: 'b: 1' },
      { dataId: 'absent', group: 'G', content: undefined },
      { dataId: 'a.yaml', group: 'G', type: 'yaml', content: 'a: 1' },
    ]);
  });

  it('tells of a change with all contents, and of what changed between reading and watching', async () => {
    fake.contents.set('a', 'a: 1');
    fake.contents.set('b', 'b: 1');
    const driver = newDriver('a', 'b');
    await driver.read(soon());
    const events = heard();

    fake.change('a', 'a: 2');
    driver.watch(events);
    await eventually('the first', () => events.contents.length === 1);
    await fake.came('ConfigBatchListenRequest', 2);
    fake.change('b', undefined);
    await eventually('the second', () => events.contents.length === 2);

    expect(events).toMatchObject({
      contents: [
        ['a: 2', 'b: 1'],
        ['a: 2', '(none)'],
      ],
      failures: [],
    });
  });

  it('makes one call of what changes at the same moment', async () => {
    const names = ['a', 'b', 'c'];
    for (const name of names) fake.contents.set(name, 'x: 1');
    const driver = newDriver(...names);
    await driver.read(soon());
    const events = heard();
    driver.watch(events);
    await fake.came('ConfigBatchListenRequest');

    for (const name of names) fake.change(name, 'x: 2');
    await eventually('the change', () => events.contents.length > 0);

    expect(events.contents).toEqual([['x: 2', 'x: 2', 'x: 2']]);
  });

  it('tells of the contents as soon as it has them where reading failed, all of them, even if there are none', async () => {
    let isDown = true;
    fake.answerWith = ({ type }) =>
      isDown && type === 'ConfigQueryRequest' ? { resultCode: 500, errorCode: 500 } : undefined;
    const driver = newDriver('a', 'b');
    await expect(driver.read(soon())).rejects.toMatchObject({ reason: 'NACOS_REQUEST_FAILED' });
    const events = heard();
    driver.watch(events);

    isDown = false;
    await eventually('the contents', () => events.contents.length === 1);

    expect(events.contents).toEqual([['(none)', '(none)']]);
  });

  it('reports equal contents once where the reread and the watch both query them', async () => {
    fake.contents.set('a', 'a: 1');
    const late = Promise.withResolvers<Record<string, unknown>>();
    // The first query is the reread's, the second the watch's.
    fake.answerWith = ({ type }, count) => (type === 'ConfigQueryRequest' && count === 2 ? late.promise : undefined);
    const driver = newDriver('a');
    const events = heard();
    driver.watch(events);
    await eventually('the contents', () => events.contents.length === 1);
    await fake.came('ConfigQueryRequest', 2);

    late.resolve({ content: 'a: 1', md5: md5Of('a: 1'), contentType: 'yaml', resultCode: 200 });
    await fake.came('ConfigBatchListenRequest', 2);
    fake.change('a', 'a: 2');
    await eventually('the change', () => events.contents.at(-1)?.[0] === 'a: 2');

    expect(events.contents).toEqual([['a: 1'], ['a: 2']]);
  });

  it('says once that the connection is lost, after a moment, and that it is back, with what was missed', async () => {
    fake.contents.set('a', 'a: 1');
    const driver = newDriver('a');
    await driver.read(soon());
    const events = heard();
    driver.watch(events);
    await fake.came('ConfigBatchListenRequest');

    fake.endStreams(0);
    await eventually('another connection', () => fake.setups === 2);
    expect(events.failures).toEqual([]);
    fake.answerWith = ({ type }) =>
      type === 'ServerCheckRequest' ? { resultCode: 500, errorCode: 300, message: 'starting' } : undefined;
    fake.endStreams(0);
    await eventually('the failure', () => events.failures.length === 1);
    const checks = fake.count('ServerCheckRequest');
    await fake.came('ServerCheckRequest', checks + 5);
    fake.contents.set('a', 'a: 2');
    fake.answerWith = () => undefined;
    await eventually('the change', () => events.contents.length === 1);

    expect(events).toMatchObject({ contents: [['a: 2']], failures: [expect.any(String)], recoveries: 1 });
  });

  it('reads again what could not be read after a push, says so when it fails again, and when it does not', async () => {
    fake.contents.set('a', 'a: 1');
    const driver = newDriver('a');
    await driver.read(soon());
    const events = heard();
    driver.watch(events);
    await fake.came('ConfigBatchListenRequest');
    let refused = 0;
    fake.answerWith = ({ type }) => {
      if (type !== 'ConfigQueryRequest') return undefined;
      refused += 1;
      return { resultCode: 500, errorCode: 403, message: 'no right' };
    };

    fake.change('a', 'a: 2');
    await eventually('the failure', () => events.failures.length > 0);
    expect(refused).toBeGreaterThan(1);
    fake.answerWith = () => undefined;
    await eventually('the recovery', () => events.recoveries === 1);
    await eventually('the change', () => events.contents.length === 1);

    expect(events.contents).toEqual([['a: 2']]);
    expect(events.failures).toEqual([expect.stringContaining('ConfigQueryRequest')]);
  });

  it('ends at the last of many changes, and in fewer calls', async () => {
    fake.contents.set('a', 'a: 0');
    const driver = newDriver('a');
    await driver.read(soon());
    const events = heard();
    driver.watch(events);
    await fake.came('ConfigBatchListenRequest');

    for (let number = 1; number <= 500; number += 1) fake.change('a', `a: ${number}`);
    await eventually('the last', () => events.contents.at(-1)?.[0] === 'a: 500');

    expect(events.contents.length).toBeLessThan(100);
  });

  it('tells nothing after it was closed, which may be done twice and while it reads', async () => {
    fake.answerWith = ({ type }) => (type === 'ConfigQueryRequest' ? 'never' : undefined);
    const driver = newDriver('a');
    const reading = driver.read(soon()).catch((error: unknown) => error);
    await fake.came('ConfigQueryRequest');
    const events = heard();

    await driver.close();
    await driver.close();
    driver.watch(events);

    expect(await reading).toMatchObject({ reason: 'NACOS_CLOSED' });
    expect(events).toMatchObject({ contents: [], failures: [] });
  });

  it('says why there is no connection when the time of the start is over', async () => {
    await fake.close();

    await expect(newDriver('a').read(AbortSignal.timeout(200))).rejects.toMatchObject({ reason: 'NACOS_UNAVAILABLE' });
  });
});
