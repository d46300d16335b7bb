import { describe, expect, it } from 'vitest';
import { ConfigError } from './config.errors.js';
import { argumentsLayer, environmentLayer, variableOf } from './text-layers.js';

function complaints(read: () => unknown): string[] {
  try {
    read();
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(({ message }) => message);
    throw error;
  }
  return [];
}

describe('environmentLayer', () => {
  it('reads paths out of names', () => {
    const layer = environmentLayer({
      ROOKERY_CACHE__DEFAULT_TTL_MS: '5',
      ROOKERY_AUTH__JWT__JWKS_URI: 'u',
      PATH: '/bin',
    });

    expect(layer.tree).toEqual({ cache: { defaultTtlMs: '5' }, auth: { jwt: { jwksUri: 'u' } } });
    expect(layer.sources.get('cache.defaultTtlMs')).toBe('ROOKERY_CACHE__DEFAULT_TTL_MS');
  });

  it('knows PORT, HOST and DATABASE_URL, and prefers the long names', () => {
    const environment = { PORT: '1', HOST: '::', DATABASE_URL: 'sqlite:a', ROOKERY_SERVER__PORT: '2' };

    const layer = environmentLayer(environment);

    expect(layer.tree).toEqual({ server: { port: '2', host: '::' }, database: { url: 'sqlite:a' } });
    expect(layer.sources.get('server.host')).toBe('HOST');
    expect(layer.sources.get('server.port')).toBe('ROOKERY_SERVER__PORT');
  });

  it('takes an empty variable as not set, and ROOKERY_ENV as no value', () => {
    expect(environmentLayer({ PORT: '', ROOKERY_LOG__LEVEL: '', ROOKERY_ENV: 'test' }).tree).toEqual({});
  });

  it('refuses names that are no path, and names that contradict each other, all at once', () => {
    const environment = {
      ROOKERY_A____B: '1',
      ROOKERY_CONSTRUCTOR: '1',
      ROOKERY_X: '1',
      ROOKERY_X__Y: '2',
      ROOKERY_: '1',
    };

    expect(complaints(() => environmentLayer(environment))).toEqual([
      'ROOKERY_: not a path of the configuration: ""',
      'ROOKERY_A____B: not a path of the configuration: "a..b"',
      'ROOKERY_CONSTRUCTOR: not a path of the configuration: "constructor"',
      'ROOKERY_X__Y: contradicts ROOKERY_X, which sets a part of its path',
    ]);
    expect(Object.prototype).not.toHaveProperty('b');
  });

  it('is the inverse of variableOf', () => {
    const path = 'server.tls.clientCaFile';

    expect(variableOf(path)).toBe('ROOKERY_SERVER__TLS__CLIENT_CA_FILE');
    expect(environmentLayer({ [variableOf(path)]: 'x' }).tree).toEqual({ server: { tls: { clientCaFile: 'x' } } });
  });
});

describe('argumentsLayer', () => {
  it('reads --set in both spellings, keeps later signs of equality and leaves other arguments alone', () => {
    const layer = argumentsLayer(['serve', '--set', 'a.b=c=d', '--set=server.port=1', '--verbose']);

    expect(layer.tree).toEqual({ a: { b: 'c=d' }, server: { port: '1' } });
    expect(layer.sources.get('a.b')).toBe('--set a.b');
  });

  it('refuses settings that contradict each other, in either order', () => {
    expect(complaints(() => argumentsLayer(['--set', 'a.b=1', '--set', 'a=2']))).toEqual([
      '--set a: contradicts another setting, which sets a value below it',
    ]);
    expect(complaints(() => argumentsLayer(['--set', 'a=2', '--set', 'a.b=1']))).toEqual([
      '--set a.b: contradicts --set a, which sets a part of its path',
    ]);
  });

  it('refuses what is no setting', () => {
    expect(complaints(() => argumentsLayer(['--set', 'a', '--set', '__proto__.x=1', '--set==1', '--set']))).toEqual([
      '--set: "a" (expected: path=value)',
      '--set __proto__.x: not a path of the configuration: "__proto__.x"',
      '--set: "=1" (expected: path=value)',
      '--set: "" (expected: path=value)',
    ]);
  });
});
