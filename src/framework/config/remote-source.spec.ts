import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { IsArray, IsInt, IsString, Max } from 'class-validator';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { temporaryFolder, type TemporaryFolder } from '../../../test/support/temporary-folder.js';
import type { Live } from '../core/index.js';
import { configFailureChannel } from './config.channels.js';
import type { ConfigDriver, ConfigDriverEvents, RemoteContent } from './config.driver.js';
import type { ConfigError } from './config.errors.js';
import type { ConfigStore } from './config-store.js';
import type { ConfigLayer } from './layer.js';
import { NacosConfigOptions } from './nacos-config.options.js';
import { RemoteSource } from './remote-source.js';
import { SnapshotStore } from './snapshot-store.js';
import { environmentLayer } from './text-layers.js';
import { storeWith } from './with-centre.js';
import { yamlLayer } from './yaml-layer.js';

class Paging {
  @IsInt()
  @Max(1000)
  readonly size: number = 10;

  @IsString()
  readonly greeting: string = 'hello';

  @IsArray()
  readonly list: readonly string[] = [];
}

const dataIds = ['a.yaml', 'b.yaml'];
type Texts = Readonly<Record<string, string | undefined>>;

/** A centre in the test's hand. */
class FakeDriver implements ConfigDriver {
  readonly name = 'nacos';
  readonly namespace = 'space';
  readonly endpoints = [];
  texts: Texts | undefined;
  closed = 0;
  events: ConfigDriverEvents | undefined;

  constructor(texts?: Texts) {
    this.texts = texts;
  }

  read(signal: AbortSignal): Promise<readonly RemoteContent[]> {
    if (this.texts !== undefined) return Promise.resolve(contentsOf(this.texts));
    const { promise, reject } = Promise.withResolvers<never>();
    signal.addEventListener('abort', () => reject(new Error('nacos: nobody there')));
    return promise;
  }

  watch(events: ConfigDriverEvents): void {
    this.events = events;
  }

  change(texts: Texts): void {
    this.events?.onContents(contentsOf(texts));
  }

  close(): Promise<void> {
    this.closed += 1;
    return Promise.resolve();
  }
}

function contentsOf(texts: Texts): RemoteContent[] {
  return Object.entries({ ...Object.fromEntries(dataIds.map((id) => [id, undefined])), ...texts }).map(
    ([dataId, content]) => ({ dataId, group: 'G', content }),
  );
}

let folder: TemporaryFolder;
let lines: string[] = [];
const open: ConfigStore[] = [];

beforeEach(async () => {
  folder = await temporaryFolder();
  lines = [];
});

afterEach(async () => {
  vi.useRealTimers();
  for (const store of open.splice(0)) await store.close();
  await folder.remove();
});

const file = (): string => join(folder.path, 'nacos.snapshot');
const snapshots = (namespace = 'space'): SnapshotStore => new SnapshotStore({ file: file(), namespace });
const say = (line: string): void => void lines.push(line);
const soonest = { connectTimeoutMs: 10, answerTimeoutMs: 100 };

interface Setting {
  readonly required?: boolean;
  readonly layers?: readonly ConfigLayer[];
  readonly isFollowed?: boolean;
}

async function load(driver: FakeDriver, { required = true, layers = [], isFollowed = true }: Setting = {}) {
  const options: NacosConfigOptions = {
    ...new NacosConfigOptions(),
    required,
    startTimeoutMs: 100,
    fallBack: soonest,
    snapshot: { enabled: true, directory: folder.path },
  };
  const store = await storeWith(driver, options, { env: 'test', layers, environment: {}, isFollowed });
  open.push(store);
  return store;
}

function sourceOf(store: ConfigStore): RemoteSource {
  const source = RemoteSource.of(store);
  if (source === undefined) throw new Error('no source');
  return source;
}

/** A store that follows its centre, with the values of `paging`. */
async function following(texts: Texts, setting?: Setting) {
  const driver = new FakeDriver(texts);
  const store = await load(driver, setting);
  const paging: Live<Paging> = store.bind('paging', Paging);
  sourceOf(store).watch({ info: say, warn: say });
  return { driver, store, paging };
}

const messages = (store: ConfigStore): string[] => store.failures.map(({ message }) => message);
/** What is wrong has been told, which takes a moment. */
const told = (store: ConfigStore): Promise<void> => vi.waitFor(() => expect(store.failures).toHaveLength(1));
const snapshotOf = async (): Promise<unknown[]> =>
  (await snapshots().read())?.contents.map(({ content }) => content) ?? [];
const failure = (work: Promise<unknown>): Promise<string[]> =>
  work.then(
    () => [],
    (error: unknown) => (error as ConfigError).problems.map(({ message }) => message),
  );

describe('a start with a centre', () => {
  it('puts data ids over files, in their order, and under the environment', async () => {
    const driver = new FakeDriver({ 'a.yaml': 'x: { a: 1, b: 1, c: 1 }', 'b.yaml': 'x: { b: 2, c: 2 }' });
    const store = await load(driver, {
      layers: [
        yamlLayer('x: { a: 0, d: 0 }', { name: 'application', kind: 'file', origin: 'f.yaml' }),
        environmentLayer({ ROOKERY_X__C: '3' }),
      ],
    });

    expect(store.tree()).toEqual({ x: { a: 1, b: 2, c: '3', d: 0 } });
    expect(['a', 'b', 'c', 'd'].map((key) => store.sourceOf(`x.${key}`))).toEqual([
      'nacos:G/a.yaml:1',
      'nacos:G/b.yaml:1',
      'ROOKERY_X__C',
      'f.yaml:1',
    ]);
    expect(sourceOf(store).state).toMatchObject({ isReachable: true, serving: 'centre' });
  });

  it('reads JSON and properties by extension, and references in lists', async () => {
    const driver = new FakeDriver({
      'a.yaml': 'host: h\npaging: { list: ["${host}:1", "${host}:2", "${none:x}"] }',
      'b.json': '{"paging": {"size": 7}}',
      'c.properties': 'paging.greeting = ${host} there',
    });
    const store = await load(driver);

    expect(store.bind('paging', Paging).value).toEqual({ size: 7, greeting: 'h there', list: ['h:1', 'h:2', 'x'] });
  });

  it('serves the snapshot while nobody answers, says so, and takes over what comes', async () => {
    await snapshots().write(contentsOf({ 'a.yaml': 'paging: { size: 5 }' }));
    const driver = new FakeDriver();
    const store = await load(driver);
    const paging = store.bind('paging', Paging);
    const at = sourceOf(store).state.snapshotAt;

    expect(paging.value.size).toBe(5);
    expect(at).toBeInstanceOf(Date);
    expect(messages(store)).toEqual([`nacos: nobody there; the snapshot of ${at?.toISOString()} serves`]);
    expect(sourceOf(store).state).toMatchObject({ isReachable: false, serving: 'snapshot' });

    sourceOf(store).watch({ info: say, warn: say });
    driver.change({ 'a.yaml': 'paging: { size: 6 }' });

    expect(paging.value.size).toBe(6);
    expect(messages(store)).toEqual([]);
    expect(sourceOf(store).state).toMatchObject({ isReachable: true, serving: 'centre', snapshotAt: undefined });
  });

  it('fails in one line where the centre is required and there is no snapshot', async () => {
    expect(await failure(load(new FakeDriver()))).toEqual([
      'nacos: nobody there; there is no snapshot (expected: one of both, or nacos.required: false)',
    ]);
  });

  it('begins with the files where it is not required, says so, and takes over what comes', async () => {
    const driver = new FakeDriver();
    const store = await load(driver, { required: false });
    const paging = store.bind('paging', Paging);

    expect(messages(store)).toEqual(['nacos: nobody there; files and environment alone serve']);
    expect(sourceOf(store).state).toMatchObject({ isReachable: false, serving: 'nothing' });
    sourceOf(store).watch({ info: say, warn: say });
    driver.change({ 'a.yaml': 'paging: { size: 6 }' });

    expect(paging.value.size).toBe(6);
    expect(store.history.at(-1)).toMatchObject({ version: 2, source: 'nacos:G/a.yaml', centre: 'nacos' });
    expect(messages(store)).toEqual([]);
  });

  it.each([
    ['damaged', () => writeFile(file(), '{"format":'), 'the snapshot is damaged'],
    ['of another namespace', () => snapshots('other').write([]), 'the snapshot is from another namespace'],
    [
      'no longer readable as configuration',
      () => snapshots().write(contentsOf({ 'a.yaml': 'a: [' })),
      'wrong indentation, or a bracket that is not closed',
    ],
  ])('does without a snapshot that is %s, and says so', async (_, damage, message) => {
    await damage();
    expect(await failure(load(new FakeDriver()))).toEqual([expect.stringContaining(message)]);

    const { store } = await following({ 'a.yaml': 'paging: { size: 6 }' });

    expect(lines[0]).toContain(message);
    await store.close();
    expect(await snapshotOf()).toEqual(['paging: { size: 6 }', undefined]);
  });

  it('serves the snapshot where the centre has something that cannot be read', async () => {
    await snapshots().write(contentsOf({ 'a.yaml': 'paging: { size: 5 }' }));
    const { store, paging } = await following({ 'a.yaml': 'paging: { size: [' });

    expect(paging.value.size).toBe(5);
    expect(messages(store)).toEqual([expect.stringMatching(/nacos:G\/a.yaml:1: .* the snapshot of .* serves$/s)]);
    expect(sourceOf(store).state).toMatchObject({ isReachable: true, serving: 'snapshot' });
    expect(await failure(load(new FakeDriver({ 'b.yaml': '[' }), { required: false }))).toEqual([]);
  });

  it('takes a data id that was there before, and is not, for an accident', async () => {
    await snapshots().write(contentsOf({ 'a.yaml': 'paging: { size: 5 }' }));
    const { store, paging } = await following({});

    expect(paging.value.size).toBe(5);
    expect(messages(store)).toEqual([expect.stringContaining('nacos:G/a.yaml: is gone (expected: its content again')]);
  });

  it('puts the snapshot in the place of values that a class refuses', async () => {
    await snapshots().write(contentsOf({ 'a.yaml': 'paging: { size: 5 }' }));
    const store = await load(new FakeDriver({ 'a.yaml': 'paging: { size: 5000 }' }));
    const wrong = await failure((async () => store.bind('paging', Paging))());

    expect(wrong).toEqual(['paging.size: a number (expected: not greater than 1000; from nacos:G/a.yaml:1)']);
    expect(sourceOf(store).fallBack(new Error('size'))).toBe(true);
    expect(store.bind('paging', Paging).value.size).toBe(5);
    expect(messages(store)).toEqual([expect.stringMatching(/^size; the snapshot of .* serves$/)]);
    expect(sourceOf(store).fallBack(new Error('again'))).toBe(false);
  });

  it('serves the snapshot where a reference of the centre leads nowhere, and takes it over when it leads somewhere', async () => {
    await snapshots().write(contentsOf({ 'a.yaml': 'paging: { size: 7 }' }));

    const { store, paging } = await following({ 'a.yaml': 'paging: { size: "${base.size}" }' });

    expect(paging.value.size).toBe(7);
    expect(messages(store)).toEqual([
      expect.stringMatching(/base\.size.* leads nowhere .*; the snapshot of .* serves$/s),
    ]);
    store.replace(yamlLayer('base: { size: 9 }', { name: 'application', kind: 'file', origin: 'a.yaml' }));
    await vi.waitFor(() => expect(paging.value.size).toBe(9));
    expect(messages(store)).toEqual([]);
  });

  it('begins without the centre where a reference of it leads nowhere and it is not required', async () => {
    const store = await load(new FakeDriver({ 'a.yaml': 'paging: { size: "${base.size}" }' }), { required: false });

    expect(messages(store)).toEqual([expect.stringMatching(/base\.size.* leads nowhere /)]);
    expect(await failure(load(new FakeDriver({ 'a.yaml': 'x: "${base.size}"' })))).toEqual([
      expect.stringMatching(/^x: .* leads nowhere /),
    ]);
  });

  it('has nothing to put in their place without a snapshot', async () => {
    const store = await load(new FakeDriver({ 'a.yaml': 'paging: { size: 5000 }' }));

    expect(sourceOf(store).fallBack(new Error('size'))).toBe(false);
  });

  it('refuses settings of the centre itself in a data id', async () => {
    expect(await failure(load(new FakeDriver({ 'a.yaml': 'x: 1\nnacos: { group: g }' })))).toEqual([
      'nacos:G/a.yaml:2: nacos: not in a data id (expected: in files, environment or --set)',
    ]);
  });

  it('only looks, where it is told to: nothing is required, nothing written', async () => {
    const store = await load(new FakeDriver(), { isFollowed: false });
    await store.close();

    expect(messages(store)).toHaveLength(1);
    await expect(readFile(file())).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('a change in the centre', () => {
  it('is one version, however many data ids it has, with their names', async () => {
    const { driver, store, paging } = await following({ 'a.yaml': 'paging: { size: 1 }', 'b.yaml': 'paging: {}' });

    driver.change({ 'a.yaml': 'paging: { size: 2 }', 'b.yaml': 'paging: { greeting: hi }' });
    driver.change({ 'a.yaml': 'paging: { size: 3 }', 'b.yaml': 'paging: { greeting: hi }' });

    expect(paging.value).toEqual({ size: 3, greeting: 'hi', list: [] });
    expect(store.history.map(({ version, source }) => [version, source])).toEqual([
      [1, 'start'],
      [2, 'nacos:G/a.yaml, nacos:G/b.yaml'],
      [3, 'nacos:G/a.yaml'],
    ]);
  });

  it.each([
    ['cannot be read', 'paging: { size: [', /^nacos:G\/a.yaml:1: wrong indentation/],
    ['has the wrong shape', '- secret-1', /^nacos:G\/a.yaml:1: not a mapping/],
    ['is out of range', 'paging: { size: 5000 }', /^paging.size: a number .*from nacos:G\/a.yaml:1\)$/],
    ['is too large', `a: ${'x'.repeat(1_048_576)}`, /^nacos:G\/a.yaml: 1048579 bytes \(expected: at most 1048576\)$/],
    ['is gone', undefined, /^nacos:G\/a.yaml: is gone/],
    ['is empty', ' \n', /^nacos:G\/a.yaml: is empty/],
  ])('is kept out where it %s, until it is right again', async (_, bad, message) => {
    const good = 'paging: { size: 1 }';
    const { driver, store, paging } = await following({ 'a.yaml': good });

    driver.change({ 'a.yaml': bad });
    await told(store);

    expect(paging.value.size).toBe(1);
    expect(messages(store)).toEqual([expect.stringMatching(message)]);
    expect(messages(store).join()).not.toContain('secret-1');
    driver.change({ 'a.yaml': good });
    expect([messages(store), store.version]).toEqual([[], 1]);
    await store.close();
    expect(await snapshotOf()).toEqual([good, undefined]);
  });

  it('that comes in parts is one version, and no failure is told in between', async () => {
    const { driver, store, paging } = await following({ 'a.yaml': 'paging: { size: 1 }', 'b.yaml': 'half: 1' });
    paging.subscribe({
      prepare: ({ greeting }) => {
        if (greeting === 'half') throw new Error('half of it');
      },
    });
    const failures: string[] = [];
    const leave = configFailureChannel.subscribe(({ failure: { message } }) => failures.push(message));

    driver.change({ 'a.yaml': 'paging: { size: 2, greeting: half }', 'b.yaml': 'half: 1' });
    expect([paging.value.size, store.failures]).toEqual([1, []]);
    driver.change({ 'a.yaml': 'paging: { size: 2, greeting: half }', 'b.yaml': 'paging: { greeting: whole }' });
    leave();

    expect(paging.value).toMatchObject({ size: 2, greeting: 'whole' });
    expect([store.version, failures]).toEqual([2, []]);
  });

  it('may empty a data id by saying so', async () => {
    const { driver, store, paging } = await following({ 'a.yaml': 'paging: { size: 1 }' });

    driver.change({ 'a.yaml': '{}' });
    driver.change({});

    expect([paging.value.size, messages(store)]).toEqual([10, []]);
  });

  it('that a subscriber refused is tried again after a while', async () => {
    vi.useFakeTimers();
    const { driver, store, paging } = await following({ 'a.yaml': 'paging: { size: 1 }' });
    let isBusy = true;
    paging.subscribe({
      prepare: () => {
        if (isBusy) throw new Error('busy');
      },
    });

    driver.change({ 'a.yaml': 'paging: { size: 2 }' });
    await vi.advanceTimersByTimeAsync(3000);
    expect([paging.value.size, messages(store)]).toEqual([1, ['paging: refused: busy (change of nacos:G/a.yaml)']]);
    isBusy = false;
    await vi.advanceTimersByTimeAsync(4000);

    expect([paging.value.size, messages(store)]).toEqual([2, []]);
  });

  it('that was kept out is tried again when another source changes', async () => {
    const { driver, store, paging } = await following({ 'a.yaml': 'paging: { size: 1 }' });
    driver.change({ 'a.yaml': 'paging: { size: "${limit}" }' });
    await told(store);
    expect(messages(store)).toEqual([expect.stringContaining('${limit} leads nowhere')]);

    store.apply([yamlLayer('limit: 9', { name: 'application', kind: 'file', origin: 'f' })], { source: 'files' });
    await vi.waitFor(() => expect(paging.value.size).toBe(9));

    expect(messages(store)).toEqual([]);
  });
});

describe('an outage', () => {
  it('is told, and when it is over', async () => {
    const { driver, store } = await following({ 'a.yaml': 'paging: { size: 1 }' });

    driver.events?.onFailure(new Error('nacos: gone away'));
    expect(messages(store)).toEqual(['nacos: gone away']);
    expect(sourceOf(store).state.isReachable).toBe(false);
    driver.events?.onRecovery();

    expect([messages(store), lines.at(-1)]).toEqual([[], 'nacos can be reached again']);
    expect(sourceOf(store).state.isReachable).toBe(true);
  });

  it('neither hides nor heals what is wrong with the contents', async () => {
    const { driver, store } = await following({ 'a.yaml': 'paging: { size: 1 }' });
    driver.change({ 'a.yaml': 'paging: { size: 5000 }' });
    await told(store);
    const wrong = messages(store);

    driver.events?.onFailure(new Error('nacos: gone away'));
    expect([messages(store), lines.at(-1)]).toEqual([wrong, 'nacos cannot be reached: nacos: gone away']);
    driver.events?.onRecovery();

    expect(messages(store)).toEqual(wrong);
  });
});

describe('the snapshot', () => {
  it('has the values of the start, then those of each good change, the last one at the end', async () => {
    const { driver, store } = await following({ 'a.yaml': 'paging: { size: 1 }' });
    await vi.waitFor(async () => expect(await snapshotOf()).toEqual(['paging: { size: 1 }', undefined]));

    for (let size = 2; size <= 50; size += 1) driver.change({ 'a.yaml': `paging: { size: ${size} }` });
    await vi.waitFor(async () => expect(await snapshotOf()).toEqual(['paging: { size: 50 }', undefined]), 4000);

    expect(sourceOf(store).state.snapshotFailures).toBe(0);
  });

  it('of another namespace is not given up for a centre that has nothing, which is warned of', async () => {
    await snapshots('other space').write(contentsOf({ 'a.yaml': 'paging: { size: 1 }' }));
    const driver = new FakeDriver({});
    const store = await load(driver);
    const warnings: string[] = [];

    sourceOf(store).watch({ info: say, warn: (line) => warnings.push(line) });
    await store.close();

    expect(warnings).toContainEqual(expect.stringMatching(/^no data id is there; not there: /));
    expect((await snapshots('other space').read())?.contents[0]?.content).toBe('paging: { size: 1 }');
  });

  it('has what was put back after a change that did not stand its probation', async () => {
    const { driver, store } = await following({ 'a.yaml': 'paging: { size: 1 }' });
    const proven = store.checkpoint();
    driver.change({ 'a.yaml': 'paging: { size: 2 }' });
    await vi.waitFor(async () => expect(await snapshotOf()).toEqual(['paging: { size: 2 }', undefined]));

    store.restore(proven, { source: 'probation' });

    await vi.waitFor(async () => expect(await snapshotOf()).toEqual(['paging: { size: 1 }', undefined]));

    driver.change({ 'a.yaml': 'paging: { size: 2 }', 'b.yaml': 'free: 1' });
    await vi.waitFor(async () => expect(await snapshotOf()).toEqual(['paging: { size: 1 }', 'free: 1']));
    expect([store.get('paging.size'), store.get('free')]).toEqual([1, 1]);
  });

  it('is written to the end when the process closes', async () => {
    const write = vi.spyOn(SnapshotStore.prototype, 'write');
    const { driver, store } = await following({ 'a.yaml': 'paging: { size: 1 }' });
    driver.change({ 'a.yaml': 'paging: { size: 2 }' });
    driver.change({ 'a.yaml': 'paging: { size: 3 }' });

    await store.close();
    driver.change({ 'a.yaml': 'paging: { size: 4 }' });

    expect(write.mock.calls.map(([contents]) => contents[0]?.content)).toEqual([
      'paging: { size: 1 }',
      'paging: { size: 3 }',
    ]);
  });

  it('that cannot be written is told once, and changes nothing else', async () => {
    await writeFile(join(folder.path, 'file'), '');
    const driver = new FakeDriver({ 'a.yaml': 'paging: { size: 1 }' });
    const options: NacosConfigOptions = {
      ...new NacosConfigOptions(),
      snapshot: { enabled: true, directory: join(folder.path, 'file') },
    };
    const store = await storeWith(driver, options, { env: 'test', layers: [], environment: {}, isFollowed: true });
    const paging = store.bind('paging', Paging);
    sourceOf(store).watch({ info: say, warn: say });
    await vi.waitFor(() => expect(sourceOf(store).state.snapshotFailures).toBe(1));

    driver.change({ 'a.yaml': 'paging: { size: 2 }' });
    await vi.waitFor(() => expect(sourceOf(store).state.snapshotFailures).toBe(2));

    expect(paging.value.size).toBe(2);
    expect(lines.filter((line) => line.includes('the snapshot cannot be written'))).toHaveLength(1);
    await store.close();
    expect(driver.closed).toBe(1);
  });
});
