import { Injectable, Logger, Module } from '@nestjs/common';
import { ConfigModule, ConfigService, registerAs } from '@nestjs/config';
import { Test } from '@nestjs/testing';
import { IsInt, IsString } from 'class-validator';
import { describe, expect, it, vi } from 'vitest';
import { ConfigPrefix, type Live } from '../core/index.js';
import { Config } from './config.decorator.js';
import { RookeryConfigModule } from './config.module.js';
import { ConfigStore } from './config-store.js';
import { environmentLayer } from './text-layers.js';
import { yamlLayer } from './yaml-layer.js';

@ConfigPrefix('paging')
class PagingConfig {
  @IsInt()
  readonly maxPageSize: number = 100;
}

@ConfigPrefix('late')
class LateConfig {
  @IsString()
  readonly greeting: string = 'hello';
}

@Injectable()
class Pager {
  constructor(
    @Config(PagingConfig) readonly paging: Live<PagingConfig>,
    readonly config: ConfigService,
  ) {}
}

@Module({ providers: [Pager], exports: [Pager] })
class PagingModule {}

const remote = (yaml: string) => yamlLayer(yaml, { name: 'remote', kind: 'remote', origin: 'data-id' });

function newStore(): ConfigStore {
  return new ConfigStore('test', [
    yamlLayer('paging: {}\nother: { list: [1] }', { name: 'application', kind: 'file', origin: 'a.yaml' }),
    environmentLayer({ ROOKERY_PAGING__MAX_PAGE_SIZE: '50' }),
  ]);
}

describe('RookeryConfigModule', () => {
  it('injects a config class without any further registration', async () => {
    const module = await Test.createTestingModule({
      imports: [RookeryConfigModule.forRoot(newStore()), PagingModule],
    }).compile();

    const { paging } = module.get(Pager);

    expect(paging.value).toBeInstanceOf(PagingConfig);
    expect(paging.value.maxPageSize).toBe(50);
  });

  it('shows the same values in ConfigService, defaults included, and leaves process.env alone', async () => {
    const before = { ...process.env };
    const store = newStore();
    const module = await Test.createTestingModule({
      imports: [RookeryConfigModule.forRoot(store), PagingModule],
    }).compile();
    const { config } = module.get(Pager);

    expect(config.get('paging.maxPageSize')).toBe(50);
    expect(config.get('other')).toEqual({ list: [1] });
    expect(config.getOrThrow('other.list')).toEqual([1]);
    expect(() => {
      config.getOrThrow('paging.absent');
    }).toThrow(TypeError);
    expect(process.env).toEqual(before);
  });

  it('shows changes in ConfigService: new, changed and removed', async () => {
    const store = newStore();
    const before = { ...process.env };
    const module = await Test.createTestingModule({
      imports: [RookeryConfigModule.forRoot(store), PagingModule],
    }).compile();
    const { config } = module.get(Pager);
    const changed: unknown[] = [];
    config.changes$.subscribe(({ path }: { path: unknown }) => changed.push(path));

    store.replace(remote('other: { list: [2] }\nfresh: { x: 1 }'));
    expect(config.get('other.list')).toEqual([2]);
    expect(config.get('fresh.x')).toBe(1);
    store.replace(remote('other: null'));
    expect(config.get('other')).toBeUndefined();
    expect(config.get('fresh.x')).toBeUndefined();

    expect(changed).toEqual([['other'], ['fresh'], ['other'], ['fresh']]);
    expect(process.env).toEqual(before);
  });

  it('works beside ConfigModule.forFeature', async () => {
    @Module({ imports: [ConfigModule.forFeature(registerAs('mine', () => ({ x: 1 })))], providers: [Pager] })
    class FeatureModule {}
    const store = newStore();
    const module = await Test.createTestingModule({
      imports: [RookeryConfigModule.forRoot(store), FeatureModule],
    }).compile();
    const { config } = module.get(Pager);

    store.replace(remote('other: { list: [3] }'));

    expect(config.get('mine.x')).toBe(1);
    expect(config.get('other.list')).toEqual([3]);
  });

  it('shows live values over those of ConfigModule.forFeature, in the injected object too', async () => {
    const mine = registerAs('mine', () => ({ x: 1, inner: { a: 1, b: 2 }, list: [1] }));
    @Module({ imports: [ConfigModule.forFeature(mine)], providers: [Pager] })
    class FeatureModule {}
    const store = newStore();
    store.replace(remote('mine: { inner: { b: 3 } }'));
    const module = await Test.createTestingModule({
      imports: [RookeryConfigModule.forRoot(store), FeatureModule],
    }).compile();
    await module.init();
    const { config } = module.get(Pager);
    const injected = module.get<ReturnType<typeof mine>>(mine.KEY);

    expect(config.get('mine')).toEqual({ x: 1, inner: { a: 1, b: 3 }, list: [1] });
    store.replace(remote('mine: { x: 2, list: [], inner: { b: 3 } }\nother: { list: [3] }'));
    expect(config.get('mine.x')).toBe(2);
    expect(injected).toEqual({ x: 2, inner: { a: 1, b: 3 }, list: [] });
    store.replace(remote('{}'));
    expect(config.get('mine')).toEqual({ x: 1, inner: { a: 1, b: 2 }, list: [1] });
    expect(injected.x).toBe(1);
    await module.close();
  });

  it('reads texts as what ConfigModule.forFeature has, and warns of nothing that it reads', async () => {
    const mine = registerAs('mine', () => ({ port: 25, isOn: false, name: 'x', at: undefined as unknown }));
    @Module({ imports: [ConfigModule.forFeature(mine)], providers: [Pager] })
    class FeatureModule {}
    const store = new ConfigStore('test', [
      yamlLayer('other: 1', { name: 'application', kind: 'file', origin: 'a.yaml' }),
      environmentLayer({
        ROOKERY_MINE__PORT: '2525',
        ROOKERY_MINE__IS_ON: 'true',
        ROOKERY_MINE__NAME: '7',
        ROOKERY_MINE__AT: '9',
      }),
    ]);
    const warn = vi.spyOn(Logger.prototype, 'warn').mockReturnValue(undefined);
    const module = await Test.createTestingModule({
      imports: [RookeryConfigModule.forRoot(store), FeatureModule],
    }).compile();
    await module.init();

    expect(module.get<ReturnType<typeof mine>>(mine.KEY)).toEqual({ port: 2525, isOn: true, name: '7', at: '9' });
    expect(warn.mock.calls.map(([line]) => String(line))).toEqual(['other: no class reads it (from a.yaml:1)']);
    await module.close();
    warn.mockRestore();
  });

  it('warns of a misspelt section once for as long as a change has it, with a hint, as at start', async () => {
    const store = newStore();
    const warn = vi.spyOn(Logger.prototype, 'warn').mockReturnValue(undefined);
    const module = await Test.createTestingModule({
      imports: [RookeryConfigModule.forRoot(store), PagingModule],
    }).compile();
    await module.init();
    const warned = (): string[] => warn.mock.calls.splice(0).map(([line]) => String(line));
    const atStart = warned();

    store.replace(remote('pagin: { maxPageSize: 2 }'));
    const first = warned();
    store.replace(remote('\npagin: { maxPageSize: 3 }'));
    const still = warned();
    store.replace(remote('paging: { maxPageSize: 3 }'));
    store.replace(remote('pagin: { maxPageSize: 3 }'));
    const again = warned();

    expect(atStart).toEqual(['other: no class reads it (from a.yaml:2)']);
    expect(first).toEqual(['pagin: no class reads it (did you mean "paging"?; from data-id:1)']);
    expect(still).toEqual([]);
    expect(again).toEqual(first);
    await module.close();
  });

  it('provides later classes by forFeature', async () => {
    const { token } = await import('./config.decorator.js').then(({ configToken }) => ({
      token: configToken(LateConfig),
    }));
    const module = await Test.createTestingModule({
      imports: [RookeryConfigModule.forRoot(newStore()), RookeryConfigModule.forFeature([LateConfig])],
    }).compile();

    expect(module.get<Live<LateConfig>>(token, { strict: false }).value.greeting).toBe('hello');
  });

  it('stops listening with the application', async () => {
    const store = newStore();
    const module = await Test.createTestingModule({
      imports: [RookeryConfigModule.forRoot(store), PagingModule],
    }).compile();
    const { config } = module.get(Pager);

    await module.close();
    store.replace(remote('other: { list: [2] }'));

    expect(config.get('other.list')).toEqual([1]);
  });

  it('refuses a class without a prefix where it is written', () => {
    class Plain {}

    expect(() => Config(Plain)).toThrow('Plain has no @ConfigPrefix');
  });
});
