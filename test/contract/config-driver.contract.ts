import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { ConfigDriver, ConfigDriverEvents, RemoteContent } from '../../src/framework/config/config.driver.js';
import type { NacosConfigClient } from '../../src/framework/nacos/index.js';
import { eventually } from '../support/eventually.js';

/** What a driver is opened with, besides its data ids. */
export interface DriverChanges {
  readonly namespace?: string;
  readonly address?: readonly string[];
  readonly grpcPort?: number;
  readonly password?: string;
}

/** The centre of a suite, and the driver under test. */
export interface ConfigDriverBench {
  /** @param dataIds `group/dataId`, the weakest first */
  open(dataIds: readonly string[], changes?: DriverChanges): Promise<ConfigDriver>;
  /** Who writes to the centre, by other means than the driver. */
  admin(namespace?: string): NacosConfigClient;
  /** `host:port` of the centre. */
  address(): string;
  /** Whether the centre asks who comes. */
  readonly hasAuth: boolean;
}

/** What a driver has told. */
export interface Told extends ConfigDriverEvents {
  readonly contents: (string | undefined)[][];
  readonly failures: string[];
  recoveries: number;
}

export function told(): Told {
  return {
    contents: [],
    failures: [],
    recoveries: 0,
    onContents(contents) {
      this.contents.push(contents.map(({ content }) => content));
    },
    onFailure({ message }) {
      this.failures.push(message);
    },
    onRecovery() {
      this.recoveries += 1;
    },
  };
}

export const soon = (): AbortSignal => AbortSignal.timeout(10_000);
const closeWithinMs = 1000;
const group = `rookery-${randomUUID()}`;

/** What every `ConfigDriver` of Nacos does. */
export function configDriverContract({ open, admin, address, hasAuth }: ConfigDriverBench): void {
  const drivers: ConfigDriver[] = [];

  afterEach(async () => {
    for (const driver of drivers.splice(0)) await driver.close();
  });

  async function opened(dataIds: readonly string[], changes?: DriverChanges): Promise<ConfigDriver> {
    const driver = await open(
      dataIds.map((dataId) => `${group}/${dataId}`),
      changes,
    );
    drivers.push(driver);
    return driver;
  }

  const newId = (extension = 'yaml'): string => `test-${randomUUID()}.${extension}`;

  /** Resolves when everybody who asks gets it. */
  async function publish(dataId: string, content: string, { type = 'yaml', namespace = '', to = group } = {}) {
    const configs = admin(namespace);
    await configs.publish({ dataId, group: to }, content, { type });
    await eventually('the publication', async () => (await configs.get({ dataId, group: to }))?.content === content);
  }

  const contentOf = (contents: readonly RemoteContent[]): (string | undefined)[] =>
    contents.map(({ content }) => content);

  describe('read', () => {
    it('brings the data ids in the order they are named in, also those that are not there', async () => {
      const [a, b, absent] = [newId(), newId(), newId()];
      await publish(a, 'a: 1');
      await publish(b, 'b: 1');

      const contents = await (await opened([b, absent, a])).read(soon());

      expect(contents).toEqual([
        { dataId: b, group, type: 'yaml', content: 'b: 1' },
        { dataId: absent, group, content: undefined },
        { dataId: a, group, type: 'yaml', content: 'a: 1' },
      ]);
    });

    it('says what the centre says of the type', async () => {
      const types = ['yaml', 'json', 'properties', 'text'];
      const ids = types.map(() => `test-${randomUUID()}`);
      for (const [index, type] of types.entries()) await publish(ids[index] ?? '', `# ${type}`, { type });

      const contents = await (await opened(ids)).read(soon());

      expect(contents.map(({ type }) => type)).toEqual(types);
    });

    it.each([
      ['nothing but a comment', '# nothing yet'],
      ['text of any script, signs of forms and both line ends', 'greeting: "grüße 🐦 مرحبا a+b=c&d%20;"\r\nnext: 1\n'],
      ['1 MiB', `# ${'x'.repeat(2 ** 20 - 2)}`],
    ])('brings %s byte by byte', async (_what, content) => {
      const id = newId();
      await publish(id, content);

      const [read] = await (await opened([id])).read(soon());

      expect(read?.content === content).toBe(true);
    });

    it('tells namespaces and groups apart', async () => {
      const id = newId();
      const namespace = `ns-${randomUUID()}`;
      await publish(id, 'at: home');
      await publish(id, 'at: away', { namespace });
      await publish(id, 'at: other group', { to: `${group}.b` });

      const home = await open([`${group}/${id}`, `${group}.b/${id}`]);
      const away = await open([`${group}/${id}`, `${group}.b/${id}`], { namespace });
      drivers.push(home, away);

      expect(contentOf(await home.read(soon()))).toEqual(['at: home', 'at: other group']);
      expect(contentOf(await away.read(soon()))).toEqual(['at: away', undefined]);
    });

    it('says why when there is no server, as soon as its time is over', async () => {
      const driver = await opened([newId()], { address: ['127.0.0.1:1'] });
      const startedAt = performance.now();

      const failure = driver.read(AbortSignal.timeout(500));

      await expect(failure).rejects.toMatchObject({ reason: 'NACOS_UNAVAILABLE' });
      expect(performance.now() - startedAt).toBeLessThan(2000);
    });

    it('goes to the next server where one is not there', async () => {
      const id = newId();
      await publish(id, 'a: 1');
      const driver = await opened([id], { address: ['127.0.0.1:1', address()] });

      expect(contentOf(await driver.read(soon()))).toEqual(['a: 1']);
    });

    it.runIf(hasAuth)('does not say user or password when they are wrong', async () => {
      const driver = await opened([newId()], { password: 'wr0ng-secret' });
      const written: unknown[] = [];
      for (const stream of [process.stdout, process.stderr]) {
        vi.spyOn(stream, 'write').mockImplementation((text) => written.push(text) > 0);
      }
      const events = told();

      const failure = await driver.read(AbortSignal.timeout(2000)).catch((error: unknown) => error);
      driver.watch(events);
      await eventually('the failure is told', () => events.failures.length > 0);
      vi.restoreAllMocks();

      expect(failure).toMatchObject({ reason: 'NACOS_DENIED' });
      // The message may ask for the words; what they are is said as in a form, a header or JSON.
      const said = `${inFull(failure)} ${events.failures.join()} ${written.join()}`;
      expect(said).not.toMatch(/wr0ng|(?:username|password)["']?\s*[=:]/);
    });
  });

  describe('watch', () => {
    it('tells of a change with all contents, of a removal, and of nothing else', async () => {
      const [a, b] = [newId(), newId()];
      await publish(a, 'a: 1');
      const driver = await opened([a, b]);
      await driver.read(soon());
      const events = told();
      driver.watch(events);

      await publish(b, 'b: 1');
      await eventually('the first', () => events.contents.length === 1);
      await publish(a, 'a: 2');
      await eventually('the second', () => events.contents.length === 2);
      await admin().remove({ dataId: b, group });
      await eventually('the third', () => events.contents.length === 3);

      expect(events).toMatchObject({
        contents: [
          ['a: 1', 'b: 1'],
          ['a: 2', 'b: 1'],
          ['a: 2', undefined],
        ],
        failures: [],
      });
    });

    it('misses nothing that changed between reading and watching', async () => {
      const [a, b] = [newId(), newId()];
      await publish(a, 'a: 1');
      const driver = await opened([a, b]);
      await driver.read(soon());
      await publish(a, 'a: 2');
      await publish(b, 'b: 1');
      const events = told();

      driver.watch(events);
      await eventually('the change', () => events.contents.length > 0);

      expect(events.contents).toEqual([['a: 2', 'b: 1']]);
    });

    it('brings everything where nothing could be read before', async () => {
      const [a, absent] = [newId(), newId()];
      await publish(a, 'a: 1');
      const driver = await opened([a, absent]);
      const events = told();

      driver.watch(events);
      await eventually('the contents', () => events.contents.length > 0);

      expect(events.contents).toEqual([['a: 1', undefined]]);
    });

    it('makes one call of what is published at the same moment', async () => {
      const ids = [newId(), newId()];
      for (const id of ids) await publish(id, 'x: 0');
      const driver = await opened(ids);
      await driver.read(soon());
      const events = told();
      driver.watch(events);
      const rounds = 7;

      for (let round = 1; round <= rounds; round += 1) {
        const content = `x: ${round}`;
        await Promise.all(ids.map((dataId) => admin().publish({ dataId, group }, content, { type: 'yaml' })));
        await eventually(content, () => events.contents.at(-1)?.every((text) => text === content) === true);
      }

      const halves = events.contents.filter(([first, second]) => first !== second);
      process.stderr.write(`rookery: ${halves.length} of ${rounds} changes of two data ids came in two calls\n`);
      // The server itself shows them one after the other, on a busy machine with a pause; who gathers nothing has two each time.
      expect(halves.length).toBeLessThan(rounds);
    }, 60_000);

    it('ends a burst of changes with the last one', async () => {
      const id = newId();
      const driver = await opened([id]);
      await driver.read(soon());
      const events = told();
      driver.watch(events);

      for (let number = 1; number <= 30; number += 1)
        await admin().publish({ dataId: id, group }, `a: ${number}`, { type: 'yaml' });
      await eventually('the last', () => events.contents.at(-1)?.[0] === 'a: 30');

      expect(events.contents.length).toBeLessThanOrEqual(30);
      expect(events.failures).toEqual([]);
    }, 60_000);

    it('tells within a second', async () => {
      const id = newId();
      await publish(id, 'a: 0');
      const driver = await opened([id]);
      await driver.read(soon());
      let tell: (text: string | undefined) => void = () => {};
      driver.watch({ onContents: ([first]) => tell(first?.content), onFailure: () => {}, onRecovery: () => {} });
      const times: number[] = [];

      for (let number = 1; number <= 21; number += 1) {
        const { promise, resolve } = Promise.withResolvers<void>();
        tell = (text) => text === `a: ${number}` && resolve();
        const startedAt = performance.now();
        await admin().publish({ dataId: id, group }, `a: ${number}`, { type: 'yaml' });
        await promise;
        times.push(performance.now() - startedAt);
      }

      const [median = Number.NaN] = times.toSorted((a, b) => a - b).slice(10);
      process.stderr.write(`rookery: published → told by the driver, median of 21: ${median.toFixed(0)} ms\n`);
      expect(median).toBeLessThan(1000);
    }, 60_000);
  });

  describe('close', () => {
    const whens: [string, (driver: ConfigDriver) => Promise<unknown>][] = [
      ['it was opened', () => Promise.resolve()],
      ['it begins to read', async (driver) => void driver.read(soon()).catch(() => {})],
      ['it has read', (driver) => driver.read(soon())],
      [
        'it begins to watch',
        async (driver) => {
          await driver.read(soon());
          driver.watch(told());
        },
      ],
    ];

    it.each(whens)('ends within a second after %s, and may be called twice', async (_when, before) => {
      const driver = await opened([newId(), newId()]);
      await before(driver);
      const startedAt = performance.now();

      await Promise.all([driver.close(), driver.close()]);

      expect(performance.now() - startedAt).toBeLessThan(closeWithinMs);
    });

    it('ends a read that waits', async () => {
      const driver = await opened([newId()], { address: ['127.0.0.1:1'] });
      const reading = driver.read(AbortSignal.timeout(60_000));

      await driver.close();

      await expect(reading).rejects.toMatchObject({ reason: 'NACOS_CLOSED' });
    });

    it('tells nothing of what changes afterwards', async () => {
      const id = newId();
      const driver = await opened([id]);
      await driver.read(soon());
      const events = told();
      driver.watch(events);
      await publish(id, 'a: 1');
      await eventually('the change', () => events.contents.length === 1);

      const change = admin().publish({ dataId: id, group }, 'a: 2', { type: 'yaml' });
      await driver.close();
      await change;
      await publish(id, 'a: 3');
      const count = events.contents.length;
      await publish(id, 'a: 4');

      expect(events.contents.length).toBe(count);
      expect(events.failures).toEqual([]);
    });
  });
}

/** An error with its causes and properties. */
function inFull(error: unknown): string {
  const parts: string[] = [];
  for (let each = error; each instanceof Error; each = each.cause) {
    parts.push(each.message, each.stack ?? '', JSON.stringify(Object.entries(each)));
  }
  return parts.join('\n');
}
