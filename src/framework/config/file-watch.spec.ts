import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, symlinkSync, writeFileSync, writeSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { IsInt } from 'class-validator';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { configFailureChannel } from './config.channels.js';
import type { ConfigStore } from './config-store.js';
import { FileWatch } from './file-watch.js';
import { loadConfig } from './load-config.js';

class SOptions {
  @IsInt() readonly n: number = 0;
  @IsInt() readonly m: number = 0;
}

const waiting = { timeout: 4000, interval: 5 };

describe('FileWatch', () => {
  let directory = '';
  let watch: FileWatch | undefined;
  const leave: (() => void)[] = [];

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'watch-'));
  });
  afterEach(async () => {
    for (const each of leave.splice(0)) each();
    await watch?.close();
    await rm(directory, { recursive: true, force: true });
  });

  const file = (name = 'application') => join(directory, `${name}.yaml`);

  // Polls are far away, so what is seen was seen by an event, unless a test says otherwise.
  async function started(timing: { settleMs?: number; maxSettleMs?: number; pollMs?: number } = {}) {
    const store = await loadConfig({ directory, environment: { ROOKERY_ENV: 'test' }, argv: [] });
    const live = store.bind('s', SOptions);
    const seen: number[][] = [];
    live.subscribe(({ n, m }) => seen.push([n, m]));
    watch = new FileWatch(store, { directory, settleMs: 20, maxSettleMs: 60_000, pollMs: 60_000, ...timing });
    await settled(store, live);
    return { store, live, seen };
  }

  // The first look is over, and the watch stands, when it has found what is written here.
  async function settled(store: ConfigStore, live: { readonly value: SOptions }): Promise<void> {
    await writeFile(file('application-test'), 's: { m: 1 }');
    await vi.waitFor(() => expect(live.value.m).toBe(1), waiting);
    expect(store.failures).toEqual([]);
  }

  it('takes over an edit of either file, and a file that comes later, in their order', async () => {
    await writeFile(file(), 's: { n: 1 }');
    const { store, live } = await started();

    await writeFile(file(), 's: { n: 2, m: 9 }');
    await vi.waitFor(() => expect(live.value.n).toBe(2), waiting);

    expect(live.value.m).toBe(1);
    expect(store.history.at(-1)?.source).toBe('files');
    expect(store.sourceOf('s.m')).toBe(`${file('application-test')}:1`);
  });

  it('takes over a file that is renamed over the other', async () => {
    await writeFile(file(), 's: { n: 1 }');
    const { live } = await started();
    for (const n of [2, 3]) {
      await writeFile(join(directory, '.new'), `s: { n: ${n} }`);
      await rename(join(directory, '.new'), file());
      await vi.waitFor(() => expect(live.value.n).toBe(n), waiting);
    }
  });

  it("takes over the swap of Kubernetes' ..data link, both files as one change", async () => {
    const version = async (n: number): Promise<void> => {
      const folder = join(directory, `..v${n}`);
      await mkdir(folder);
      await writeFile(join(folder, 'application.yaml'), `s: { n: ${n} }`);
      await writeFile(join(folder, 'application-test.yaml'), `s: { m: ${n} }`);
      await symlink(`..v${n}`, join(directory, '..data_tmp'));
      await rename(join(directory, '..data_tmp'), join(directory, '..data'));
    };
    await version(1);
    for (const name of ['application', 'application-test']) await symlink(`..data/${name}.yaml`, file(name));
    const { live, seen } = await started();

    await version(2);
    await vi.waitFor(() => expect(live.value.n).toBe(2), waiting);
    await rm(join(directory, '..v1'), { recursive: true });
    await version(3);
    await vi.waitFor(() => expect(live.value.n).toBe(3), waiting);

    expect(seen.filter(([n]) => n !== 1)).toEqual([
      [2, 2],
      [3, 3],
    ]);
  });

  // Every state of the file is valid YAML.
  async function writeSlowly(path: string, parts: readonly string[], everyMs: number): Promise<void> {
    const descriptor = openSync(path, 'w');
    for (const part of parts) {
      writeSync(descriptor, part);
      await new Promise<void>((resolve) => {
        setTimeout(resolve, everyMs);
      });
    }
    closeSync(descriptor);
  }
  const slowParts = ['s:\n', '  n: 7', '0', '0', '0', '0', '0', '0\n', '  m: 5\n'];

  // Rewrites the file at every call of `make`, until the test ends.
  function neverResting(path: string, make: () => string): void {
    const timer = setInterval(() => writeFileSync(path, make()), 5);
    leave.push(() => clearInterval(timer));
  }

  it('reads files that are never left alone, after the longest wait', async () => {
    await writeFile(file(), 's: { n: 1 }');
    const { store, live, seen } = await started({ settleMs: 100, maxSettleMs: 400 });
    let n = 1;

    const beganAtMs = performance.now();
    neverResting(file(), () => `s: { n: ${(n += 1)} }`);
    await vi.waitFor(() => expect(live.value.n).toBeGreaterThan(1), waiting);
    expect(performance.now() - beganAtMs).toBeGreaterThanOrEqual(350);
    const first = live.value.n;
    await vi.waitFor(() => expect(live.value.n).toBeGreaterThan(first), waiting);

    expect(store.failures).toEqual([]);
    expect(seen.every(([value]) => Number(value) >= 1)).toBe(true);
  });

  it('reads what is changed beside another file that is never left alone', async () => {
    await writeFile(file(), 's: { n: 1 }');
    const { live } = await started({ settleMs: 100, maxSettleMs: 400 });
    let other = 0;

    neverResting(file('application-test'), () => `s: { m: ${(other += 1)} }`);
    await writeFile(file(), 's: { n: 2 }');

    await vi.waitFor(() => expect(live.value.n).toBe(2), waiting);
  });

  it('is not held up by other files of the folder', async () => {
    await writeFile(file(), 's: { n: 1 }');
    const { live } = await started({ settleMs: 100, maxSettleMs: 60_000 });
    let other = 0;

    neverResting(join(directory, 'service.log'), () => String((other += 1)));
    await writeFile(file(), 's: { n: 2 }');

    await vi.waitFor(() => expect(live.value.n).toBe(2), waiting);
  });

  it.each([
    ['a FIFO', (path: string) => execFileSync('mkfifo', [path])],
    ['a device', (path: string) => symlinkSync('/dev/zero', path)],
    ['a folder', (path: string) => mkdirSync(path)],
    ['1048577 bytes', (path: string) => writeFileSync(path, `# ${'x'.repeat(1_048_575)}`)],
  ])('tells of a file that turns into %s, and keeps the values', async (what, make) => {
    await writeFile(file(), 's: { n: 1 }');
    const { store, live } = await started();

    await rm(file());
    make(file());
    await vi.waitFor(() => expect(store.failures).toHaveLength(1), waiting);

    expect(store.failures[0]?.message).toContain(`${file()}: `);
    expect(store.failures[0]?.message).toContain(what === '1048577 bytes' ? 'at most 1048576' : `is ${what}`);
    expect(live.value.n).toBe(1);
    await rm(file(), { recursive: true });
    await writeFile(file(), 's: { n: 2 }');
    await vi.waitFor(() => expect(live.value.n).toBe(2), waiting);
    expect(store.failures).toEqual([]);
  });

  it('takes over an edit in place behind symbolic links, and a link on the way that leads elsewhere', async () => {
    const elsewhere = await mkdtemp(join(tmpdir(), 'watch-target-'));
    leave.push(() => rmSync(elsewhere, { recursive: true }));
    for (const n of [1, 2]) {
      await mkdir(join(elsewhere, `v${n}`));
      await writeFile(join(elsewhere, `v${n}`, 'settings.yaml'), `s: { n: ${n} }`);
    }
    await symlink('v1', join(elsewhere, 'current'));
    await symlink(join(elsewhere, 'current/settings.yaml'), join(elsewhere, 'link.yaml'));
    await symlink(join(elsewhere, 'link.yaml'), file());
    const { live } = await started();
    expect(live.value.n).toBe(1);

    await writeFile(join(elsewhere, 'v1/settings.yaml'), 's: { n: 10 }');
    await vi.waitFor(() => expect(live.value.n).toBe(10), waiting);
    await symlink('v2', join(elsewhere, 'next'));
    await rename(join(elsewhere, 'next'), join(elsewhere, 'current'));
    await vi.waitFor(() => expect(live.value.n).toBe(2), waiting);
    await writeFile(join(elsewhere, 'v2/settings.yaml'), 's: { n: 20 }');
    await vi.waitFor(() => expect(live.value.n).toBe(20), waiting);
  });

  it('applies nothing half-written that events tell of', async () => {
    await writeFile(file(), 's: { n: 1 }');
    const { live, seen } = await started({ settleMs: 100 });
    seen.splice(0);

    await writeSlowly(file(), slowParts, 15);
    await vi.waitFor(() => expect(live.value.n).toBe(7_000_000), waiting);

    expect(seen).toEqual([[7_000_000, 1]]);
  });

  it('applies nothing half-written that only the poll sees', async () => {
    const elsewhere = await mkdtemp(join(tmpdir(), 'elsewhere-'));
    leave.push(() => void rm(elsewhere, { recursive: true, force: true }));
    await writeFile(join(elsewhere, 'a.yaml'), 's: { n: 1 }');
    await symlink(join(elsewhere, 'a.yaml'), file());
    const { live, seen } = await started({ settleMs: 100, pollMs: 10 });
    seen.splice(0);

    await writeSlowly(join(elsewhere, 'a.yaml'), slowParts, 15);
    await vi.waitFor(() => expect(live.value.n).toBe(7_000_000), waiting);

    expect(seen).toEqual([[7_000_000, 1]]);
  });

  it('takes a file that was emptied for one that is about to be filled, for a while', async () => {
    await writeFile(file(), 's: { n: 1 }');
    const { live, seen } = await started({ settleMs: 150 });
    seen.splice(0);

    await writeSlowly(file(), ['', 's: { n: 2 }'], 450);
    await vi.waitFor(() => expect(live.value.n).toBe(2), waiting);

    expect(seen).toEqual([[2, 1]]);
  });

  it('keeps the effective values when an edit is wrong, says so once, and goes on with the next', async () => {
    await writeFile(file(), 's: { n: 1 }');
    const { store, live } = await started({ pollMs: 100 });
    const messages: string[] = [];
    leave.push(configFailureChannel.subscribe(({ failure }) => messages.push(failure.message)));

    await writeFile(file(), 's: { n: hunter }');
    await vi.waitFor(() => expect(store.failures).toHaveLength(1), waiting);
    await writeFile(file(), 's: {\n');
    await vi.waitFor(() => expect(messages).toHaveLength(2), waiting);
    expect(live.value.n).toBe(1);
    await writeFile(file(), 's: { n: 2 }');
    await vi.waitFor(() => expect(live.value.n).toBe(2), waiting);

    expect(messages).toEqual([
      `s.n: a text (expected: integer number; from ${file()}:1)`,
      expect.stringMatching(new RegExp(`^${file()}:\\d: wrong indentation`)),
    ]);
    expect(store.failures).toEqual([]);
  });

  it('tries again what a subscriber refused', async () => {
    await writeFile(file(), 's: { n: 1 }');
    const { store, live } = await started({ pollMs: 50 });
    let isBusy = true;
    live.subscribe({
      prepare: () => {
        if (isBusy) throw new Error('busy');
      },
    });

    await writeFile(file(), 's: { n: 2 }');
    await vi.waitFor(() => expect(store.failures[0]?.message).toBe('s: refused: busy'), waiting);
    isBusy = false;
    await vi.waitFor(() => expect(live.value.n).toBe(2), waiting);

    expect(store.failures).toEqual([]);
  });

  it('goes on as before when the folder goes away, and finds it again by its poll', async () => {
    await writeFile(file(), 's: { n: 1 }');
    const { store, live } = await started({ pollMs: 50, settleMs: 10 });

    await rename(directory, `${directory}-away`);
    await vi.waitFor(() => expect(store.failures).toMatchObject([{ source: 'files' }]), waiting);
    expect(store.failures[0]?.message).toBe(`${directory}: is gone (expected: the folder of the configuration)`);
    expect(live.value.n).toBe(1);
    await rename(`${directory}-away`, directory);
    await vi.waitFor(() => expect(store.failures).toEqual([]), waiting);
    await writeFile(file(), 's: { n: 2 }');

    await vi.waitFor(() => expect(live.value.n).toBe(2), waiting);
  });

  it('goes back to what is below when a file is removed', async () => {
    await writeFile(file(), 's: { n: 1 }');
    const { live } = await started();

    await rm(file('application-test'));

    await vi.waitFor(() => expect(live.value.m).toBe(0), waiting);
    expect(live.value.n).toBe(1);
  });

  it('ends at the last of many quick edits', async () => {
    const { live } = await started();
    for (let n = 1; n <= 200; n += 1) await writeFile(file(), `s: { n: ${n} }`);

    await vi.waitFor(() => expect(live.value.n).toBe(200), waiting);
  });

  it('looks no more when it is closed, twice if one likes', async () => {
    await writeFile(file(), 's: { n: 1 }');
    const { store } = await started({ pollMs: 20, settleMs: 10 });
    const applied = vi.spyOn(store, 'apply');

    await watch?.close();
    await watch?.close();
    await writeFile(file(), 's: { n: 2 }');
    const other = new FileWatch(store, { directory, settleMs: 10, maxSettleMs: 60_000, pollMs: 60_000 });
    await vi.waitFor(() => expect(applied).toHaveBeenCalledOnce(), waiting);
    await other.close();

    expect(process.getActiveResourcesInfo()).not.toContain('FSEventWrap');
  });
});
