import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startTestService } from 'rookery/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AppModule } from '../../src/service/app.module.js';
import { CentredProcess, type CentredProcessInit } from '../support/centred-process.js';
import { eventually } from '../support/eventually.js';
import { FakeNacos } from '../support/fake-nacos.js';
import { BlackHole } from '../support/tcp-proxy.js';
import { temporaryFolder, type TemporaryFolder } from '../support/temporary-folder.js';

const dataId = 'trial.yaml';
const secret = 'a-w0rd-that-nobody-prints';
const content = (number: number): string => `needed: { word: ${secret} }\ntrial: { number: ${number} }`;
// More than a file may be where the disk is full.
const long = (number: number): string => `${content(number)}\nfilling: "${'x'.repeat(20_000)}"`;

let folder: TemporaryFolder;
let fake: FakeNacos;
const open: { dispose(): Promise<void> }[] = [];

beforeEach(async () => {
  folder = await temporaryFolder();
  fake = await FakeNacos.start();
  fake.contents.set(dataId, content(1));
});

afterEach(async () => {
  for (const one of open.splice(0)) await one.dispose();
  await fake.close();
  await folder.remove();
});

function init(more: Partial<CentredProcessInit> = {}): CentredProcessInit {
  const { set = {}, ...others } = more;
  return {
    nacos: { address: `127.0.0.1:${fake.port}`, user: undefined },
    dataIds: [dataId],
    folder: folder.path,
    set: { 'nacos.grpcPort': fake.grpcPort, 'nacos.group': 'DEFAULT_GROUP', 'nacos.startTimeoutMs': 2000, ...set },
    ...others,
  };
}

async function launch(more: Partial<CentredProcessInit> = {}): Promise<CentredProcess> {
  const one = await CentredProcess.launch(init(more));
  open.push(one);
  return one;
}

async function start(more: Partial<CentredProcessInit> = {}): Promise<CentredProcess> {
  const one = await launch(more);
  await one.service.line('listening');
  return one;
}

const file = (): string => join(folder.path, 'snapshot', 'nacos.snapshot');
const files = async (): Promise<string[]> => (await readdir(folder.path, { recursive: true })).toSorted();

/** A start with Nacos there, which leaves a snapshot, and Nacos is gone. */
async function snapshotOf(text: string, more: Partial<CentredProcessInit> = {}): Promise<void> {
  fake.contents.set(dataId, text);
  const service = await start(more);
  await eventually('there is a snapshot', async () => (await files()).includes('snapshot/nacos.snapshot'));
  service.service.kill('SIGTERM');
  expect((await service.service.exit).code).toBe(0);
}

describe('a snapshot', { timeout: 90_000 }, () => {
  const whole = async (): Promise<string> => readFile(file(), 'utf8');
  const spoilt: readonly (readonly [string, () => Promise<void>, RegExp])[] = [
    ['is cut off', async () => writeFile(file(), (await whole()).slice(0, -20)), /the snapshot is damaged/],
    ['is empty', async () => writeFile(file(), ''), /the snapshot is damaged/],
    [
      'has another byte',
      async () => writeFile(file(), (await whole()).replace('number: 1', 'number: 2')),
      /is damaged/,
    ],
    [
      'cannot be read',
      () => rm(file()).then(() => mkdir(file())),
      /the snapshot is a folder \(expected: a regular file\)/,
    ],
  ];

  it.each(spoilt)('that %s does not serve: the start ends with 1 and one line', async (_what, spoil, message) => {
    await snapshotOf(content(1));
    await fake.close();
    await spoil();
    const service = await launch();
    const { code } = await service.service.exit;

    expect(code).toBe(1);
    expect(service.service.stderr.trimEnd().split('\n')).toEqual([expect.stringMatching(message)]);
    expect(service.service.stderr).toContain('nacos.snapshot');
    expect(service.output).not.toContain(secret);
  });

  it('that is from another namespace does not serve either, nor is it written over while Nacos is down', async () => {
    await snapshotOf(content(1), { set: { 'nacos.namespace': 'other' } });
    const before = await whole();
    await fake.close();
    const service = await launch();
    const { code } = await service.service.exit;

    expect(code).toBe(1);
    expect(service.service.stderr).toMatch(/^cannot start: nacos: .*the snapshot is from another namespace.*\n$/);
    expect(await whole()).toBe(before);
  });

  it.each(spoilt.slice(0, 1))('that %s is told of and replaced where Nacos is there', async (_what, spoil, message) => {
    await snapshotOf(content(1));
    await spoil();
    const service = await start();

    await service.says(message);
    expect((await service.values()).number).toBe(1);
    service.service.kill('SIGTERM');
    await service.service.exit;
    await fake.close();
    const again = await start();

    expect((await again.values()).number).toBe(1);
    expect(again.output).not.toContain(secret);
  });

  it('that does not fit on the disk is told of, the service goes on, and the one before stays whole', async () => {
    await snapshotOf(content(1));
    const before = await whole();
    fake.contents.set(dataId, long(2));
    // Files of 8 blocks at most: writing more fails as on a full disk, with another code.
    const service = await start({ shell: 'ulimit -f 8' });

    await service.says(/nacos\.snapshot: the snapshot cannot be written \(EFBIG\)/);
    expect((await service.values()).number).toBe(2);
    expect(await service.metric('rookery_config_snapshot_failures_total')).toBeGreaterThan(0);
    fake.change(dataId, content(3));
    await service.shows(3);
    await eventually('the next one fits', async () => (await whole()).includes('number: 3'));
    fake.change(dataId, long(4));
    await service.shows(4);
    service.service.kill('SIGTERM');
    expect((await service.service.exit).code).toBe(0);
    await fake.close();
    const again = await start();

    expect(before).toContain('number: 1');
    expect((await again.values()).number).toBe(3);
    expect(await readdir(join(folder.path, 'snapshot'))).toEqual(['nacos.snapshot']);
    expect(service.output + again.output).not.toContain(secret);
  });
});

describe('a process that follows Nacos', { timeout: 60_000 }, () => {
  it('ends by itself within a second of close(), and leaves no file but the snapshot', async () => {
    const before = ['home', 'work'];
    await Promise.all(before.map((name) => mkdir(join(folder.path, name))));
    const service = await start({ isAlone: true });
    fake.change(dataId, content(2));
    await service.shows(2);

    service.service.send('close');
    const askedAt = performance.now();
    const { code, atMs } = await service.service.exit;

    expect(code).toBe(0);
    expect(atMs - askedAt).toBeLessThan(1000);
    expect(service.service.stderr).toBe('');
    expect(await files()).toEqual([...before, 'snapshot', 'snapshot/nacos.snapshot'].toSorted());
  });

  it('ends as soon where Nacos is away', async () => {
    await snapshotOf(content(1));
    await fake.close();
    const service = await start({ isAlone: true });
    await service.says(/the snapshot of .* serves/);

    service.service.send('close');
    const askedAt = performance.now();
    const { code, atMs } = await service.service.exit;

    expect(code).toBe(0);
    expect(atMs - askedAt).toBeLessThan(1000);
  });
});

describe('a start with a snapshot', () => {
  // In one process and in turn, so that loading the code and what else the machine does come to the same for both.
  const rounds = 9;
  const withinMs = 200;

  it.each(['refuses', 'is a black hole'])(
    `takes ${withinMs} ms more at most where Nacos %s`,
    async (what) => {
      const without = { 'files.directory': join(folder.path, 'files') };
      const settings = {
        ...without,
        'nacos.address': `127.0.0.1:${fake.port}`,
        'nacos.grpcPort': fake.grpcPort,
        'nacos.dataIds': [dataId],
        'nacos.snapshot.directory': join(folder.path, 'snapshot'),
      };
      const timed = async (set: Record<string, unknown>): Promise<{ ms: number; source: string | undefined }> => {
        const startedAt = performance.now();
        const started = await startTestService(AppModule, { set });
        const ms = performance.now() - startedAt;
        const source = started.service.config.sourceOf('paging.maxPageSize');
        await started.close();
        return { ms, source };
      };
      fake.contents.set(dataId, 'paging: { maxPageSize: 2 }');
      await timed(settings);
      await fake.close();
      const hole = what === 'refuses' ? undefined : await BlackHole.open(fake.grpcPort);
      open.push({ dispose: async () => hole?.close() });

      const moreMs: number[] = [];
      for (let round = 0; round < rounds; round += 1) {
        const plain = await timed(without);
        const { ms, source } = await timed(settings);
        moreMs.push(ms - plain.ms);
        expect(source).toBe(`nacos:DEFAULT_GROUP/${dataId}:1`);
      }
      const median = moreMs.toSorted((a, b) => a - b)[rounds >> 1];
      process.stderr.write(
        `rookery: a start from the snapshot where Nacos ${what}: ${moreMs.map((ms) => ms.toFixed(0)).join(', ')} ms more\n`,
      );

      expect(median).toBeLessThanOrEqual(withinMs);
    },
    120_000,
  );
});
