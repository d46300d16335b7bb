import 'reflect-metadata';
import { IsIn, IsString } from 'class-validator';
import { describe, expect, it } from 'vitest';
import { ConfigPrefix, type Exposure, ExposureOption, exposures, LocalDefault } from '../core/index.js';
import { ConfigError } from './config.errors.js';
import { ConfigStore } from './config-store.js';
import type { ConfigLayer, ConfigTree } from './layer.js';
import { environmentLayer } from './text-layers.js';

@ConfigPrefix('gate')
class GateOptions {
  @LocalDefault('127.0.0.1')
  @IsString()
  readonly host: string = '0.0.0.0';

  @ExposureOption()
  @IsIn(exposures)
  readonly docs: Exposure = 'token';
}

function storeOf(env: string, gate: ConfigTree = {}, more: readonly ConfigLayer[] = []): ConfigStore {
  return new ConfigStore(env, [
    { name: 'file', kind: 'file', tree: 'host' in gate || 'docs' in gate ? { gate } : {}, sources: new Map() },
    ...more,
  ]);
}

const read = (...args: Parameters<typeof storeOf>): GateOptions => storeOf(...args).of(GateOptions).value;

describe('defaults of the environment', () => {
  it.each(['development', 'test'])('are relaxed in %s', (env) => {
    expect(read(env)).toEqual({ host: '127.0.0.1', docs: 'open' });
  });

  it.each(['production', 'prod', 'Development', 'Test', 'dev', 'developmentx', 'staging'])(
    'are those of production in %s',
    (env) => {
      expect(read(env)).toEqual({ host: '0.0.0.0', docs: 'token' });
    },
  );

  it('give way to every layer', () => {
    expect(read('development', { host: '::', docs: 'off' })).toEqual({ host: '::', docs: 'off' });
    expect(read('production', { docs: 'open' })).toEqual({ host: '0.0.0.0', docs: 'open' });
    expect(read('test', {}, [environmentLayer({ ROOKERY_GATE__DOCS: 'token' })])).toEqual({
      host: '127.0.0.1',
      docs: 'token',
    });
  });

  it('are shown with the environment that they come from', () => {
    const shown = (env: string): unknown => {
      const store = storeOf(env);
      store.of(GateOptions);
      return store.effective();
    };

    expect(shown('development')).toEqual([
      { path: 'gate.docs', value: '"open"', source: 'default of development' },
      { path: 'gate.host', value: '"127.0.0.1"', source: 'default of development' },
    ]);
    expect(shown('production')).toEqual([
      { path: 'gate.docs', value: '"token"', source: 'default' },
      { path: 'gate.host', value: '"0.0.0.0"', source: 'default' },
    ]);
  });

  it.each([
    [true, 'token'],
    [false, 'off'],
  ])('%s is another word for an exposure', (word, inProduction) => {
    expect(read('production', { docs: word }).docs).toBe(inProduction);
    expect(read('development', { docs: word }).docs).toBe(word ? 'open' : 'off');
    for (const text of word ? ['true', 'YES', 'on', '1'] : ['false', 'no', 'OFF', '0']) {
      const layer = environmentLayer({ ROOKERY_GATE__DOCS: text });
      expect(read('production', {}, [layer]).docs.toLowerCase()).toBe(inProduction);
    }
  });

  it('refuses what is no exposure', () => {
    expect(() => read('development', { docs: 'public' })).toThrow(ConfigError);
    expect(() => read('production', { docs: ['open'] })).toThrow(ConfigError);
  });

  it('hold after a change, too', () => {
    const store = storeOf('development', { host: '::1' });
    const live = store.of(GateOptions);

    store.replace({ name: 'file', kind: 'file', tree: { gate: { docs: 'token' } }, sources: new Map() });

    expect(live.value).toEqual({ host: '127.0.0.1', docs: 'token' });
  });
});
