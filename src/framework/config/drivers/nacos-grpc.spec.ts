import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../../../test/support/eventually.js';
import { FakeNacos } from '../../../../test/support/fake-nacos.js';
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

  it('says why there is no connection when the time of the start is over', async () => {
    await fake.close();

    await expect(newDriver('a').read(AbortSignal.timeout(200))).rejects.toMatchObject({ reason: 'NACOS_UNAVAILABLE' });
  });
});
