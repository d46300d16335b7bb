import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Type } from 'class-transformer';
import { IsArray, IsInt, IsOptional, IsString, Max, ValidateNested } from 'class-validator';
import { afterEach, describe, expect, it } from 'vitest';
import { NeedsRestart, Secret } from '../core/index.js';
import { type ConfigChanged, type ConfigFailed, configChangeChannel, configFailureChannel } from './config.channels.js';
import { ConfigError } from './config.errors.js';
import { ConfigStore } from './config-store.js';
import type { ConfigLayer } from './layer.js';
import { yamlLayer } from './yaml-layer.js';

class UserOptions {
  @IsString() readonly name!: string;
  @IsOptional() @IsString() readonly password?: string;
}

class AOptions {
  @IsInt() @Max(1_000_000) readonly n: number = 0;
  @NeedsRestart() @IsInt() readonly port: number = 1;
  @NeedsRestart() @IsArray() readonly hosts: string[] = [];
  @Secret() @IsString() readonly pin: string = 'hunter2';
  @IsArray() @ValidateNested({ each: true }) @Type(() => UserOptions) readonly users: UserOptions[] = [];
}

class BOptions {
  @IsInt() readonly n: number = 0;
}

class COptions {
  @IsInt() readonly sum: number = 0;
}

function remote(name: string, yaml: string): ConfigLayer {
  return yamlLayer(yaml, { name, kind: 'remote', origin: name });
}

function bound() {
  const store = new ConfigStore('test', []);
  const [a, b, c] = store.bindAll([
    ['a', AOptions],
    ['b', BOptions],
    ['c', COptions],
  ]);
  return { store, a, b, c };
}

function messageOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return (error as Error).message;
  }
  return 'nothing thrown';
}

const leave: (() => void)[] = [];
afterEach(() => {
  for (const each of leave.splice(0)) each();
});

describe('ConfigStore.apply', () => {
  it('applies several layers as one version', () => {
    const { store, a, b } = bound();
    const seen: number[][] = [];
    a.subscribe((value) => seen.push([value.n, b.value.n]));
    b.subscribe((value) => seen.push([a.value.n, value.n]));

    const version = store.apply([remote('one', 'a: { n: 1 }'), remote('two', 'b: { n: 2 }')], { source: 'centre' });

    expect(version).toBe(2);
    expect(seen).toEqual([
      [1, 2],
      [1, 2],
    ]);
  });

  it('applies none of them when one is wrong, and says so until the source succeeds', () => {
    const { store, a } = bound();

    expect(() =>
      store.apply([remote('one', 'a: { n: 1 }'), remote('two', 'b: { n: x }')], { source: 'centre' }),
    ).toThrow(ConfigError);
    expect(a.value.n).toBe(0);
    expect(store.version).toBe(1);
    expect(store.failures).toMatchObject([
      { source: 'centre', message: 'b.n: a text (expected: integer number; from two:1)' },
    ]);

    store.apply([remote('one', 'a: { n: 1 }'), remote('two', 'b: { n: 2 }')], { source: 'centre' });
    expect(store.failures).toEqual([]);
  });

  it('gives subscribers the new value, the previous one and the changed paths', () => {
    const { store, a } = bound();
    const seen: unknown[] = [];
    a.subscribe((current, previous, paths) => seen.push([current.n, previous.n, paths]));

    store.apply([remote('one', 'a: { n: 3, users: [{ name: x }] }')], { source: 'centre' });

    expect(seen).toEqual([[3, 0, ['a.n', 'a.users[0].name']]]);
  });

  it('asks every subscriber before it changes anything, and one refusal is enough', () => {
    const { store, a, b } = bound();
    const calls: string[] = [];
    a.subscribe({ prepare: (next) => calls.push(`a? ${next.n} ${a.value.n}`), commit: () => calls.push('a!') });
    b.subscribe({
      prepare: (next, previous, paths) => {
        calls.push(`b? ${next.n} ${previous.n} ${paths.join()}`);
        if (next.n === 2) throw new Error('two is taken');
      },
      commit: () => calls.push('b!'),
    });

    const result = messageOf(() => store.apply([remote('one', 'a: { n: 1 }\nb: { n: 2 }')], { source: 'centre' }));

    expect(result).toBe('the configuration is not valid:\n  b: refused: two is taken');
    expect(calls).toEqual(['a? 1 0', 'b? 2 0 b.n']);
    expect([a.value.n, b.value.n, store.version]).toEqual([0, 0, 1]);

    store.apply([remote('one', 'a: { n: 1 }\nb: { n: 3 }')], { source: 'centre' });
    expect(calls.slice(2)).toEqual(['a? 1 0', 'b? 3 0 b.n', 'a!', 'b!']);
  });

  it('refuses a change that a subscriber would have to wait for', () => {
    const { store, a } = bound();
    a.subscribe({ prepare: () => Promise.resolve() as unknown as undefined });

    expect(messageOf(() => store.replace(remote('one', 'a: { n: 1 }')))).toContain('prepare returned a promise');
  });

  it('tells the others when one throws, rejects or blocks, each with the whole change', async () => {
    const { store, a, b } = bound();
    const warnings: string[] = [];
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const onWarning = (warning: Error): void => {
      warnings.push(warning.message);
      if (warnings.length === 2) resolve(undefined);
    };
    process.on('warning', onWarning);
    leave.push(() => process.off('warning', onWarning));
    const told: number[] = [];
    a.subscribe(() => {
      throw new Error('thrown');
    });
    const reject: () => unknown = () => Promise.reject(new Error('rejected'));
    a.subscribe(reject);
    a.subscribe(() => {
      const end = performance.now() + 20;
      while (performance.now() < end);
    });
    b.subscribe((value) => told.push(value.n, a.value.n));

    store.replace(remote('one', 'a: { n: 1 }\nb: { n: 2 }'));
    await promise;

    expect(told).toEqual([2, 1]);
    expect(warnings.toSorted()).toEqual(['rejected', 'thrown']);
    expect(store.history.at(-1)?.tellMs).toBeGreaterThanOrEqual(20);
  });

  it('lets a subscriber subscribe and leave within its callback; both count from the next change on', () => {
    const { store, a } = bound();
    const told: string[] = [];
    const leaveSecond: (() => void)[] = [];
    const leaveFirst = a.subscribe(({ n }) => {
      told.push(`first ${n}`);
      a.subscribe((value) => told.push(`inner ${value.n}`));
      leaveFirst();
      leaveSecond[0]?.();
    });
    leaveSecond.push(a.subscribe(({ n }) => told.push(`second ${n}`)));

    store.replace(remote('one', 'a: { n: 1 }'));
    expect(told).toEqual(['first 1']);
    store.replace(remote('one', 'a: { n: 2 }'));

    expect(told).toEqual(['first 1', 'inner 2']);
  });

  it('refuses a change from within a change, and goes on afterwards', async () => {
    const { store, a } = bound();
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
    a.subscribe(() => store.replace(remote('two', 'b: { n: 9 }')));

    store.replace(remote('one', 'a: { n: 1 }'));

    expect((await warned).message).toBe('a subscriber changed the configuration (expected: after the change)');
    expect(store.replace(remote('two', 'b: { n: 9 }'))).toBe(3);
  });

  it('binds nothing while subscribers are asked, for it would miss the change', () => {
    const { store, a } = bound();
    a.subscribe({ prepare: () => store.bind('late', BOptions) });

    expect(messageOf(() => store.replace(remote('one', 'a: { n: 1 }')))).toContain('bound while a change is prepared');
  });

  it('says nothing new where a layer only repeats what holds already', () => {
    const { store } = bound();

    expect(store.replace(remote('one', 'a: { n: 0, port: 1 }'))).toBe(1);
    expect(store.sourceOf('a.n')).toBe('one:1');
  });
});

describe('ConfigStore.history', () => {
  it('keeps time, source and masked differences of the last 20 versions', () => {
    const { store } = bound();
    for (let n = 1; n <= 24; n += 1) store.apply([remote('one', `a: { n: ${n} }`)], { source: `s${n}` });
    store.apply(
      [
        remote(
          'one',
          'a: { n: 25, pin: hunter3, port: 2, users: [{ name: x, password: hunter4 }] }\nfree: { url: "redis://u:hunter5@h", token: hunter6, list: [] }',
        ),
      ],
      { source: 'last' },
    );

    expect(store.history).toHaveLength(20);
    expect(store.history.map(({ version }) => version)).toEqual(Array.from({ length: 20 }, (_, index) => index + 7));
    const last = store.history.at(-1);
    expect(last?.source).toBe('last');
    expect(last?.needsRestart).toEqual(['a.port']);
    expect(last?.changes).toEqual([
      { path: 'free.url', before: 'missing', after: '"redis://u:***@h"' },
      { path: 'free.token', before: 'missing', after: '***' },
      { path: 'free.list', before: 'missing', after: '[]' },
      { path: 'a.n', before: '24', after: '25' },
      { path: 'a.port', before: '1', after: '2' },
      { path: 'a.pin', before: '***', after: '***' },
      { path: 'a.users[0].name', before: 'missing', after: '"x"' },
      { path: 'a.users[0].password', before: 'missing', after: '***' },
    ]);
    expect(JSON.stringify(store.history)).not.toContain('hunter');
  });

  it('has nothing wait for the next start that is back at what the process runs with', () => {
    const { store } = bound();
    const waiting = (yaml: string, isStart = false): readonly string[] | undefined => {
      store.apply([remote('one', yaml)], { source: 'one', isStart });
      return store.history.at(-1)?.needsRestart;
    };

    expect(waiting('a: { port: 2, hosts: [x, y] }')).toEqual(['a.port', 'a.hosts[0]', 'a.hosts[1]']);
    expect(waiting('a: { port: 3, hosts: [x] }')).toEqual(['a.port']);
    expect(waiting('a: { port: 1, hosts: [y] }')).toEqual(['a.hosts[0]']);
    expect(waiting('a: { n: 1 }')).toEqual([]);
    expect(waiting('a: { n: 1, port: 2 }', true)).toEqual([]);
    expect(waiting('a: { n: 1 }')).toEqual(['a.port']);
    expect(waiting('a: { n: 1, port: 2 }')).toEqual([]);
  });

  it('keeps at most 100 differences of a version and counts the rest', () => {
    const { store } = bound();

    store.replace(remote('one', Array.from({ length: 130 }, (_, index) => `k${index}: 1`).join('\n')));

    expect(store.history.at(-1)).toMatchObject({ omitted: 30 });
    expect(store.history.at(-1)?.changes).toHaveLength(100);
  });

  it('goes out on the channel, failures once for as long as they are the same', () => {
    const { store } = bound();
    const changed: ConfigChanged[] = [];
    const failed: ConfigFailed[] = [];
    leave.push(configChangeChannel.subscribe((message) => changed.push(message)));
    leave.push(configFailureChannel.subscribe((message) => failed.push(message)));

    store.replace(remote('one', 'a: { n: 1 }'));
    expect(() => store.replace(remote('one', 'a: { n: x }'))).toThrow('integer number');
    expect(() => store.replace(remote('one', 'a: { n: x }'))).toThrow('integer number');
    expect(() => store.replace(remote('one', 'a: { n: 1.5 }'))).toThrow('integer number');

    expect(changed.map(({ store: from, version }) => [from === store, version.version])).toEqual([[true, 2]]);
    expect(failed.map(({ failure }) => failure.message)).toEqual([
      'a.n: a text (expected: integer number; from one:1)',
      'a.n: a number (expected: integer number; from one:1)',
    ]);
  });
});

describe('ConfigStore.restore', () => {
  it('puts an earlier state back as a new version, layers that were added included', () => {
    const { store, a, b } = bound();
    store.replace(remote('one', 'a: { n: 1 }'));
    const checkpoint = store.checkpoint();
    store.replace(remote('one', 'a: { n: 2 }'));
    store.replace(remote('two', 'b: { n: 2 }'));

    expect(store.restore(checkpoint, { source: 'probation' })).toBe(5);

    expect([a.value.n, b.value.n]).toEqual([1, 0]);
    expect(store.history.at(-1)?.source).toBe('probation');
  });
});

describe('ConfigStore under load', () => {
  const whole = (n: number) => [
    remote('one', `a: { n: ${n} }`),
    remote('two', `b: { n: ${n * 7} }`),
    remote('three', `c: { sum: ${n * 8} }`),
  ];

  it('shows whole versions only to 1 000 000 reads during 1000 changes', { timeout: 20_000 }, () => {
    const { store, a, b, c } = bound();
    let reads = 0;
    let torn = 0;
    const read = (times: number): void => {
      for (let index = 0; index < times; index += 1) {
        reads += 1;
        if (a.value.n + b.value.n !== c.value.sum) torn += 1;
      }
    };
    // Reads from inside of the change: while the others are asked, and while they are told.
    a.subscribe({ prepare: () => read(200), commit: () => read(200) });
    b.subscribe(() => read(200));
    c.subscribe({ prepare: () => read(100), commit: () => read(200) });
    store.onChange(() => read(100));

    for (let n = 1; n <= 1000; n += 1) store.apply(whole(n), { source: 'load' });

    expect(reads).toBe(1_000_000);
    expect(torn).toBe(0);
    expect(store.version).toBe(1001);
  });

  it('ends at the last of 1000 changes, and keeps nothing of the others', { timeout: 20_000 }, async () => {
    const { store, a } = bound();
    const former: WeakRef<object>[] = [];
    let told = 0;
    a.subscribe((_current, previous) => {
      told += 1;
      former.push(new WeakRef(previous));
    });
    const begin = performance.now();

    for (let n = 1; n <= 1000; n += 1) store.apply(whole(n), { source: 'load' });

    expect(performance.now() - begin).toBeLessThan(10_000);
    expect(a.value.n).toBe(1000);
    expect(told).toBe(1000);
    expect(store.history).toHaveLength(20);
    setFlagsFromString('--expose-gc');
    // A reference is held until the turn that asked for it is over.
    await setImmediate();
    (runInNewContext('gc') as () => void)();
    expect(former.filter((each) => each.deref() !== undefined).length).toBeLessThan(10);
  });
});
