import 'reflect-metadata';
import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Type } from 'class-transformer';
import {
  IsInt,
  IsString,
  Validate,
  ValidateNested,
  type ValidationArguments,
  ValidatorConstraint,
} from 'class-validator';
import { configFailureChannel, ConfigPrefix, type ConfigStore, sectionOf } from 'rookery/config';
import type { Live } from 'rookery/core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CentredApp, type Centred } from '../support/centred-app.js';
import { eventually } from '../support/eventually.js';
import { keyOf, NacosPublisher, someDataId, testGroup } from '../support/nacos-publisher.js';
import { nacosTimeoutMs, startNacos, type TestNacos, type TestNacosOptions } from '../support/nacos-server.js';
import { isSkipped } from '../support/peers.js';

@ConfigPrefix('trial')
class TrialConfig {
  @IsInt()
  readonly number: number = 0;

  @IsString()
  readonly filling: string = '';
}

/** What one of three data ids says; each carries its own checksum. */
class Part {
  @IsInt()
  readonly sequence: number = 0;

  @IsString()
  readonly noise: string = '';

  @IsInt()
  readonly checksum: number = 0;
}

@ValidatorConstraint({ name: 'agreement' })
class Agreement {
  validate(_value: unknown, { object }: ValidationArguments): boolean {
    return isWhole(object as Whole);
  }

  defaultMessage(): string {
    return '$property must belong to the same change as the others';
  }
}

/** Three data ids that are good together only: what the centre cannot know, the class can. */
@ConfigPrefix('whole')
class Whole {
  @ValidateNested()
  @Type(() => Part)
  readonly first: Part = new Part();

  @ValidateNested()
  @Type(() => Part)
  readonly second: Part = new Part();

  @ValidateNested()
  @Type(() => Part)
  @Validate(Agreement)
  readonly third: Part = new Part();
}

@ConfigPrefix('first')
class First extends Part {}

@ConfigPrefix('second')
class Second extends Part {}

@ConfigPrefix('third')
class Third extends Part {}

const partNames = ['first', 'second', 'third'] as const;

function checksumOf(sequence: number, noise: string): number {
  let sum = sequence;
  for (let index = 0; index < noise.length; index += 1) sum = (Math.imul(sum, 31) + noise.charCodeAt(index)) | 0;
  return sum;
}

const isSound = ({ sequence, noise, checksum }: Part): boolean =>
  sequence === 0 || checksum === checksumOf(sequence, noise);

function isWhole({ first, second, third }: Whole): boolean {
  const agree = first.sequence === second.sequence && second.sequence === third.sequence;
  return agree && isSound(first) && isSound(second) && isSound(third);
}

function partOf(name: string, sequence: number): string {
  const noise = `${name}-${(sequence * 2_654_435_761) % 1_000_003}`;
  const part = { sequence, noise, checksum: checksumOf(sequence, noise) };
  return JSON.stringify({ whole: { [name]: part }, [name]: part });
}

function bindParts(store: ConfigStore): { readonly whole: Live<Whole>; readonly parts: readonly Live<Part>[] } {
  const [whole, ...parts] = store.bindAll([sectionOf(Whole), sectionOf(First), sectionOf(Second), sectionOf(Third)]);
  return { whole, parts };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function percentile(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.ceil(values.length * share) - 1] ?? Number.NaN;
}

// The runner's own workers have no `gc`.
function heapInUse(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}

const say = (line: string): void => void process.stderr.write(`rookery: ${line}\n`);

/** Holds everything up. */
function block(forMs: number): void {
  const until = performance.now() + forMs;
  while (performance.now() < until);
}

// The whole measure on the newer one; on the other enough to see that it holds there too.
const servers: (TestNacosOptions & { readonly wholeChanges: number; readonly burst: number })[] = [
  { version: '3.1', hasAuth: true, isCompatible: false, wholeChanges: 1000, burst: 1000 },
  { version: '2.3', hasAuth: true, wholeChanges: 200, burst: 300 },
];
// Requests that wait for the server at once: a slow one is to be slow, not to run out of time.
const mostUnderWay = 16;

describe.skipIf(isSkipped('nacos')).each(servers)('a service that follows Nacos $version', (options) => {
  let nacos: TestNacos;
  let publisher: NacosPublisher;
  let app: CentredApp | undefined;

  beforeAll(async () => {
    nacos = await startNacos(options);
    publisher = new NacosPublisher(nacos);
  }, nacosTimeoutMs);

  afterEach(async () => {
    await app?.close();
    app = undefined;
  });

  afterAll(async () => {
    await publisher?.close();
    await nacos?.close();
  }, 30_000);

  async function start(dataIds: readonly string[], more: Omit<Centred, 'nacos' | 'dataIds'> = {}): Promise<CentredApp> {
    app = await CentredApp.start({ nacos, dataIds, ...more });
    return app;
  }

  it('has a change almost as soon as the bare client is told of it', async () => {
    const rounds = 100;
    const dataId = someDataId();
    const numbered = (number: number): string => `trial: { number: ${number} }`;
    await publisher.settle(dataId, numbered(-1));
    const bare = new NacosPublisher(nacos);
    const { store } = await start([dataId]);
    const live = store.of(TrialConfig);
    let told: (number: number) => void = () => {};
    let seen: (number: number) => void = () => {};
    bare.configs.listen(keyOf(dataId), (value) => told(Number(/-?\d+/.exec(value?.content ?? '')?.[0])));
    live.subscribe(({ number }) => seen(number));
    const bareMs: number[] = [];
    const liveMs: number[] = [];
    await eventually('the bare client listens', () => bare.connection.state.state === 'connected');

    for (let number = 1; number <= rounds; number += 1) {
      const toldOf = Promise.withResolvers<void>();
      const seenIn = Promise.withResolvers<void>();
      const startedAt = performance.now();
      told = (one) => {
        if (one !== number) return;
        bareMs.push(performance.now() - startedAt);
        toldOf.resolve();
      };
      seen = (one) => {
        if (one !== number || live.value.number !== number) return;
        liveMs.push(performance.now() - startedAt);
        seenIn.resolve();
      };
      await publisher.publish(dataId, numbered(number));
      await Promise.all([toldOf.promise, seenIn.promise]);
    }
    await bare.close();
    const ratio = median(liveMs) / median(bareMs);
    say(
      `Nacos ${options.version}: publish to value, ${rounds} changes: median ${median(liveMs).toFixed(0)} ms, p99 ${percentile(liveMs, 0.99).toFixed(0)} ms; ` +
        `bare client ${median(bareMs).toFixed(0)} ms, p99 ${percentile(bareMs, 0.99).toFixed(0)} ms; ratio of medians ${ratio.toFixed(2)}`,
    );

    expect(ratio).toBeLessThanOrEqual(1.2);
    // 500 ms on a machine that does nothing else.
    expect(percentile(liveMs, 0.99)).toBeLessThan(5000);
  });

  it(`shows whole versions only, in a million reads during ${options.wholeChanges} changes of three data ids`, async () => {
    const changes = options.wholeChanges;
    const leastReads = 1_000_000;
    const dataIds = partNames.map((name) => someDataId(`${name}.json`));
    const publish = (sequence: number): Promise<unknown> =>
      Promise.all(partNames.map((name, index) => publisher.publish(dataIds[index] ?? '', partOf(name, sequence))));
    await publish(1);
    const { store, test } = await start(dataIds);
    const { whole, parts } = bindParts(store);
    let reads = 0;
    let torn = 0;
    let refused = 0;
    const sequences = new Set<number>();
    const read = (): void => {
      const now = whole.value;
      reads += 1;
      const isOne = parts.every(({ value }) => value.sequence === now.first.sequence && isSound(value));
      if (!isOne || !isWhole(now)) torn += 1;
      sequences.add(now.first.sequence);
    };
    // Where half a change would show, if there were one: while others are asked and told.
    whole.subscribe({ prepare: read, commit: read });
    for (const live of parts) live.subscribe({ prepare: read, commit: read });
    store.onChange(read);
    const leave = configFailureChannel.subscribe(({ store: from }) => {
      if (from === store) refused += 1;
    });
    await eventually('the first is effective', () => whole.value.first.sequence === 1);

    let isPublishing = true;
    const publishing = (async () => {
      for (let sequence = 2; sequence <= changes; sequence += 1) {
        await publish(sequence);
      }
      isPublishing = false;
    })();
    while (isPublishing || reads < leastReads) {
      for (let count = 0; count < 200; count += 1) read();
      // Readers at every turn would leave the server nothing of the machine.
      await (reads < leastReads && !isPublishing ? turn() : delay(2));
    }
    await publishing;
    await eventually('the last is effective', () => whole.value.first.sequence === changes);
    read();
    leave();
    say(
      `Nacos ${options.version}: ${reads} reads during ${changes} changes of three data ids: ${torn} torn; ` +
        `${sequences.size} sequences seen, ${refused} halves refused, version ${store.version}`,
    );

    expect(torn).toBe(0);
    expect(reads).toBeGreaterThanOrEqual(leastReads);
    expect(store.failures).toEqual([]);
    expect(test.service.config.version).toBeGreaterThan(1);
  }, 300_000);

  it(`ends at the last of ${options.burst} changes, a hundred a second, and keeps nothing of the others`, async () => {
    const changes = options.burst;
    const dataId = someDataId();
    // Large, so that whatever is kept of a change shows.
    const content = (number: number): string =>
      `trial: { number: ${number}, filling: "${String(number).repeat(8000)}" }`;
    await publisher.settle(dataId, content(-1));
    const { store } = await start([dataId]);
    const live = store.of(TrialConfig);
    const run = async (count: number): Promise<number> => {
      const startedAt = performance.now();
      const underWay = new Set<Promise<void>>();
      for (let number = 1; number < count; number += 1) {
        const one = publisher.publish(dataId, content(number)).finally(() => underWay.delete(one));
        underWay.add(one);
        if (underWay.size >= mostUnderWay) await Promise.race(underWay);
        const aheadMs = number * 10 - (performance.now() - startedAt);
        if (aheadMs > 0) await delay(aheadMs);
      }
      await Promise.all(underWay);
      const tookMs = performance.now() - startedAt;
      // Of those that were under way together the server says which is the last.
      await publisher.publish(dataId, content(count));
      await eventually('the last is effective', () => live.value.number === count);
      return tookMs;
    };
    await run(100);
    await delay(200);
    const before = heapInUse();
    const versionBefore = store.version;

    const tookMs = await run(changes);
    await delay(200);
    const grown = heapInUse() - before;
    say(
      `Nacos ${options.version}: ${changes} changes in ${(tookMs / 1000).toFixed(1)} s: ${store.version - versionBefore} versions, heap ${(grown / 1024).toFixed(0)} KiB more`,
    );

    expect(live.value).toMatchObject({ number: changes, filling: String(changes).repeat(8000) });
    expect(store.history.length).toBeLessThanOrEqual(20);
    // A thousand contents would be 25 MB and more.
    expect(grown).toBeLessThan(4 * 2 ** 20);
  }, 240_000);

  it('goes on with subscribers that throw, block for two seconds, or subscribe while they are told', async () => {
    const dataId = someDataId();
    const numbered = (number: number): string => `trial: { number: ${number} }`;
    await publisher.settle(dataId, numbered(-1));
    const { store, remote } = await start([dataId]);
    const live = store.of(TrialConfig);
    const told: number[] = [];
    const late: number[] = [];
    const warnings: string[] = [];
    const warn = ({ message }: Error): void => void warnings.push(message);
    process.on('warning', warn);
    live.subscribe(() => {
      throw new Error('a subscriber that throws');
    });
    let blocks = 1;
    live.subscribe(() => {
      if (blocks > 0) block(2000);
      blocks -= 1;
    });
    live.subscribe(({ number: since }) => {
      live.subscribe(({ number }) => void late.push(number - since));
    });
    live.subscribe(({ number }) => void told.push(number));

    const published: Promise<void>[] = [];
    for (let number = 1; number <= 10; number += 1) {
      published.push(publisher.publish(dataId, numbered(number)));
      await delay(50);
    }
    await Promise.all(published);
    await publisher.publish(dataId, numbered(11));
    await eventually('the last is effective', () => live.value.number === 11);
    process.off('warning', warn);

    expect(told).toEqual(told.toSorted((a, b) => a - b));
    expect(told.at(-1)).toBe(11);
    expect(warnings.filter((message) => message === 'a subscriber that throws')).toHaveLength(told.length);
    // Told of what came after, not of what they were made in.
    expect(Math.min(...late)).toBeGreaterThan(0);
    expect(Math.max(...store.history.map(({ tellMs }) => tellMs))).toBeGreaterThan(1990);
    expect(store.failures).toEqual([]);
    expect(remote.state).toMatchObject({ isReachable: true, serving: 'centre' });
  });

  it('keeps what was before while a subscriber refuses, and takes over what it refused when it does not any more', async () => {
    const dataId = someDataId();
    await publisher.settle(dataId, 'trial: { number: 1 }');
    const { store } = await start([dataId]);
    const live = store.of(TrialConfig);
    let isRefusing = true;
    live.subscribe({
      prepare: () => {
        if (isRefusing) throw new Error('not now');
      },
    });

    await publisher.publish(dataId, 'trial: { number: 2 }');
    await eventually('the refusal', () => store.failures.length === 1);

    expect(live.value.number).toBe(1);
    expect(store.failures).toMatchObject([
      { source: 'nacos', message: `trial: refused: not now (change of nacos:${testGroup}/${dataId})` },
    ]);

    isRefusing = false;
    await eventually('nobody refuses any more', () => live.value.number === 2);

    expect(store.failures).toEqual([]);
  });
});
