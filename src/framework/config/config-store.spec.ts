import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  IsArray,
  IsBoolean,
  IsDefined,
  IsIn,
  IsInt,
  IsNumber,
  IsOptional,
  IsString,
  Max,
  Min,
  ValidateBy,
  ValidateNested,
} from 'class-validator';
import { describe, expect, it } from 'vitest';
import { ConfigPrefix, Secret } from '../core/index.js';
import { ConfigError } from './config.errors.js';
import { ConfigStore } from './config-store.js';
import { argumentsLayer, type Environment, environmentLayer } from './text-layers.js';
import { yamlLayer } from './yaml-layer.js';

class TlsOptions {
  @IsString()
  readonly certFile!: string;
}

class PeerOptions {
  @IsString()
  readonly name!: string;

  @IsOptional()
  @IsInt()
  readonly weight?: number;
}

class ServerOptions {
  @IsInt()
  @Min(0)
  @Max(65_535)
  readonly port: number = 8080;

  @IsString()
  readonly host: string = '0.0.0.0';

  @IsBoolean()
  readonly proxy: boolean = false;

  @IsIn(['fast', 'safe'])
  readonly mode: 'fast' | 'safe' = 'safe';

  @IsArray()
  @IsString({ each: true })
  readonly origins: readonly string[] = [];

  @IsOptional()
  @IsInt({ each: true })
  readonly ports?: number[];

  @IsOptional()
  @ValidateNested()
  @Type(() => TlsOptions)
  readonly tls?: TlsOptions;

  @ArrayMaxSize(2)
  @ValidateNested({ each: true })
  @Type(() => PeerOptions)
  readonly peers: PeerOptions[] = [];

  @IsOptional()
  readonly labels?: Record<string, string>;
}

class LimitOptions {
  @IsInt()
  @Min(1)
  readonly maxBodyBytes: number = 1024;

  @IsNumber()
  readonly ratio: number = 0.5;
}

function SpellsItsValue(): PropertyDecorator {
  return ValidateBy({
    name: 'spells',
    validator: { validate: () => false, defaultMessage: () => '$property must not be $value' },
  });
}

class VaultOptions {
  @IsDefined()
  @IsString()
  readonly address!: string;

  @Secret()
  @IsOptional()
  @IsInt()
  readonly pin?: number;

  @Secret()
  @IsOptional()
  @SpellsItsValue()
  readonly code?: string;

  @IsOptional()
  @IsInt()
  readonly apiPassword?: string;
}

function store(yaml: string, environment: Environment = {}, argv: string[] = []): ConfigStore {
  return new ConfigStore('test', [
    yamlLayer(yaml, { name: 'application', kind: 'file', origin: 'a.yaml' }),
    environmentLayer(environment),
    argumentsLayer(argv),
  ]);
}

function complaints(work: () => unknown): string[] {
  try {
    work();
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(({ message }) => message);
    throw error;
  }
  return [];
}

describe('ConfigStore.bind', () => {
  it('takes a class without properties, which knows no key', () => {
    class Empty {}

    expect(store('').bind('empty', Empty).value).toBeInstanceOf(Empty);
    expect(() => store('empty: { key: 1 }').bind('empty', Empty)).toThrow('empty.key');
  });

  it('gives an instance with defaults where nothing is set', () => {
    const { value } = store('').bind('server', ServerOptions);

    expect(value).toBeInstanceOf(ServerOptions);
    expect(value.port).toBe(8080);
  });

  it('reads files as they are and texts as what the class declares', () => {
    const environment = {
      PORT: '9',
      ROOKERY_SERVER__PROXY: 'Yes',
      ROOKERY_SERVER__ORIGINS: ' https://a , https://b,',
      ROOKERY_SERVER__PORTS: '1,2',
      ROOKERY_SERVER__TLS__CERT_FILE: '123',
    };

    const { value } = store('server: { host: h, labels: { any: thing } }', environment, [
      '--set',
      'server.mode=fast',
    ]).bind('server', ServerOptions);

    expect(value).toMatchObject({
      port: 9,
      host: 'h',
      proxy: true,
      mode: 'fast',
      origins: ['https://a', 'https://b'],
      ports: [1, 2],
      tls: { certFile: '123' },
      labels: { any: 'thing' },
    });
    expect(value.tls).toBeInstanceOf(TlsOptions);
  });

  it('reads lists of nested classes from JSON in the environment, unknown keys refused there too', () => {
    const peers = (json: string) =>
      store('', { ROOKERY_SERVER__PEERS: json }).bind('server', ServerOptions).value.peers;

    expect(peers('[{"name":"a","weight":2}]')).toEqual([{ name: 'a', weight: 2 }]);
    expect(peers('[{"name":"a"}]')[0]).toBeInstanceOf(PeerOptions);
    expect(complaints(() => peers('[{"nam":"a"}]'))).toEqual([
      'server.peers[0].nam: unknown key (did you mean "name"?; from ROOKERY_SERVER__PEERS)',
      'server.peers[0].name: missing (expected: string; from ROOKERY_SERVER__PEERS)',
    ]);
  });

  it('does not read a text in a file as a number', () => {
    expect(complaints(() => store('server:\n  port: "80"').bind('server', ServerOptions))).toEqual([
      'server.port: "80" (expected: integer number; from a.yaml:2)',
    ]);
  });

  it('names path, value, expectation and place of every problem, all at once', () => {
    const yaml =
      'server:\n  host: 7\n  mode: slow\n  peers:\n    - name: a\n    - weight: x\n  origins: [a, 1]\nlimits:\n  ratio: .nan';

    expect(
      complaints(() =>
        store(yaml, { PORT: 'abc' }).bindAll([
          ['server', ServerOptions],
          ['limits', LimitOptions],
        ]),
      ),
    ).toEqual([
      'server.port: "abc" (expected: integer number; from PORT)',
      'server.host: 7 (expected: string; from a.yaml:2)',
      'server.mode: "slow" (expected: one of fast, safe; from a.yaml:3)',
      'server.origins[1]: 1 (expected: string; from a.yaml:7)',
      'server.peers[1].name: missing (expected: string; from a.yaml:6)',
      'server.peers[1].weight: "x" (expected: integer number; from a.yaml:6)',
      'limits.ratio: NaN (expected: number conforming to the specified constraints; from a.yaml:9)',
    ]);
  });

  it('names the wrong items of a list, ten of them, and what is wrong with the list itself', () => {
    class ListOptions {
      @IsArray()
      @ArrayMaxSize(2)
      @Min(2, { each: true })
      @IsInt({ each: true })
      readonly sizes: readonly number[] = [];

      @Secret()
      @IsString({ each: true })
      readonly pins: readonly string[] = [];
    }
    const complaintsOf = (yaml: string, environment: Environment = {}): readonly string[] =>
      complaints(() => store(yaml, environment).bind('list', ListOptions));

    expect(complaintsOf('list:\n  sizes: [2, 1, x]\n  pins: [a, 4711]')).toEqual([
      'list.sizes[1]: 1 (expected: not less than 2; from a.yaml:2)',
      'list.sizes[2]: "x" (expected: integer number; from a.yaml:2)',
      'list.sizes: a list (expected: contain no more than 2 elements; from a.yaml:2)',
      'list.pins[1]: *** (expected: string; from a.yaml:3)',
    ]);
    expect(complaintsOf('', { ROOKERY_LIST__SIZES: '2,1' })).toEqual([
      'list.sizes[1]: 1 (expected: not less than 2; from ROOKERY_LIST__SIZES)',
    ]);
    expect(complaintsOf(`list: { pins: [${'1,'.repeat(13)}] }`).slice(9)).toEqual([
      'list.pins[9]: *** (expected: string; from a.yaml:1)',
      'list.pins: 3 more wrong items (the first: list.pins[0]; from a.yaml:1)',
    ]);
    expect(complaintsOf('list: { sizes: 7 }')).toEqual(['list.sizes: 7 (expected: array; from a.yaml:1)']);
  });

  it('names the bound that a value breaks', () => {
    expect(complaints(() => store('', { PORT: '70000' }).bind('server', ServerOptions))).toEqual([
      'server.port: 70000 (expected: not greater than 65535; from PORT)',
    ]);
    expect(complaints(() => store('server: { port: -1 }').bind('server', ServerOptions))).toEqual([
      'server.port: -1 (expected: not less than 0; from a.yaml:1)',
    ]);
  });

  it.each([['1e3'], ['0x10'], ['1_000'], ['Infinity'], [' '], ['80 80']])(
    'reads the text %j only if it is decimal',
    (text) => {
      const result = complaints(() => store('', { PORT: text }).bind('server', ServerOptions));

      expect(result).toEqual(
        text === '1e3' ? [] : [`server.port: ${JSON.stringify(text)} (expected: integer number; from PORT)`],
      );
    },
  );

  it('refuses unknown keys with a suggestion, else with what it knows, at any depth', () => {
    const yaml = 'server:\n  prot: 1\n  zzz: hunter2\n  tls:\n    certfile: x\n    certFile: y';

    expect(complaints(() => store(yaml).bind('server', ServerOptions))).toEqual([
      'server.prot: unknown key (did you mean "port"?; from a.yaml:2)',
      'server.zzz: unknown key (known: host, labels, mode, origins, peers, port, ports, proxy, tls; from a.yaml:3)',
      'server.tls.certfile: unknown key (did you mean "certFile"?; from a.yaml:5)',
    ]);
  });

  it('leaves inner sections to their own classes, in whatever order they are bound', () => {
    const yaml = 'server:\n  port: 1\n  limits: { maxBodyBytes: 5 }';

    const together = store(yaml).bindAll([
      ['server', ServerOptions],
      ['server.limits', LimitOptions],
    ]);
    const innerFirst = store(yaml);
    innerFirst.bind('server.limits', LimitOptions);

    expect(together[1].value.maxBodyBytes).toBe(5);
    expect(innerFirst.bind('server', ServerOptions).value.port).toBe(1);
    expect(complaints(() => store(yaml).bind('server', ServerOptions))[0]).toMatch(/^server\.limits: unknown key/);
  });

  it('names inner sections among what could have been meant', () => {
    const complaintsOf = (yaml: string): unknown =>
      complaints(() =>
        store(yaml).bindAll([
          ['server', ServerOptions],
          ['server.limits', LimitOptions],
        ]),
      );

    expect(complaintsOf('server: { limit: {} }')).toEqual([
      'server.limit: unknown key (did you mean "limits"?; from a.yaml:1)',
    ]);
    expect(complaintsOf('server: { zzz: 1 }')).toEqual([
      'server.zzz: unknown key (known: host, labels, limits, mode, origins, peers, port, ports, proxy, tls; from a.yaml:1)',
    ]);
  });

  it('leaves inner sections to classes that state them by @ConfigPrefix, bound or not', () => {
    @ConfigPrefix('outer.inner')
    class InnerConfig {
      @IsInt() readonly x: number = 1;
    }
    class OuterConfig {
      @IsInt() readonly y: number = 1;
    }
    const present = store('outer: { y: 2, inner: { x: 3 } }');

    expect(present.bind('outer', OuterConfig).value.y).toBe(2);
    expect(present.of(InnerConfig).value.x).toBe(3);
    expect(() => present.of(OuterConfig)).toThrow('OuterConfig has no @ConfigPrefix');
  });

  it.each([['server: 5'], ['server: [1]'], ['server: text']])('refuses a section that is no mapping: %s', (yaml) => {
    expect(complaints(() => store(yaml).bind('server', ServerOptions))).toEqual([
      'server: not a mapping (expected: keys below it; from a.yaml:1)',
    ]);
  });

  it('refuses a scalar where a nested class is, and the contrary', () => {
    expect(complaints(() => store('server: { tls: on }').bind('server', ServerOptions))).toEqual([
      'server.tls: "on" (expected: a mapping; from a.yaml:1)',
    ]);
    expect(complaints(() => store('', { ROOKERY_SERVER__HOST__X: '1' }).bind('server', ServerOptions))).toEqual([
      'server.host: a mapping (expected: string; from environment)',
    ]);
  });

  it('prints no secret: marked, named like one, or quoted by a rule', () => {
    const environment = {
      ROOKERY_VAULT__PIN: 'hunter2',
      ROOKERY_VAULT__CODE: 'hunter3',
      ROOKERY_VAULT__API_PASSWORD: 'hunter4',
    };

    const result = complaints(() => store('', environment).bind('vault', VaultOptions));

    expect(result).toEqual([
      'vault.address: missing (expected: string; from environment)',
      'vault.pin: *** (expected: integer number; from ROOKERY_VAULT__PIN)',
      'vault.code: *** (expected: not ***; from ROOKERY_VAULT__CODE)',
      'vault.apiPassword: *** (expected: integer number; from ROOKERY_VAULT__API_PASSWORD)',
    ]);
  });

  it('masks the password within a URL', () => {
    expect(
      complaints(() => store('server: { mode: "redis://me:hunter2@host" }').bind('server', ServerOptions)),
    ).toEqual(['server.mode: "redis://me:***@host" (expected: one of fast, safe; from a.yaml:1)']);
  });

  it('gives the same Live for the same section, and values nobody can change', () => {
    const present = store('server: { origins: [a] }');

    const live = present.bind('server', ServerOptions);

    expect(present.bind('server', ServerOptions)).toBe(live);
    expect(() => (live.value.origins as string[]).push('b')).toThrow(TypeError);
    expect(() => Object.assign(live.value, { port: 1 })).toThrow(TypeError);
  });

  it('binds nothing when one of several sections is wrong', () => {
    const present = store('server: { port: x }');

    expect(() =>
      present.bindAll([
        ['limits', LimitOptions],
        ['server', ServerOptions],
      ]),
    ).toThrow(ConfigError);

    expect(present.get('limits')).toBeUndefined();
  });
});

describe('ConfigStore', () => {
  it('shows values as bound, with defaults, and their places', () => {
    const present = store('server: { limits: { ratio: 1 }, host: h }\nother: [1]', { PORT: '9' });
    present.bindAll([
      ['server', ServerOptions],
      ['server.limits', LimitOptions],
    ]);

    expect(present.get('server.port')).toBe(9);
    expect(present.get('server.limits')).toEqual({ ratio: 1, maxBodyBytes: 1024 });
    expect(present.get('other')).toEqual([1]);
    expect(present.get('nothing.at.all')).toBeUndefined();
    expect(present.sourceOf('server.port')).toBe('PORT');
    expect(present.sourceOf('server.mode')).toBeUndefined();
  });

  it('tells what nobody reads', () => {
    const present = store('sever: { port: 1 }\nserver: { port: 1 }\nunrelated: 1');
    present.bind('server', ServerOptions);

    expect(present.unclaimed()).toEqual([
      'sever: no class reads it (did you mean "server"?; from a.yaml:1)',
      'unrelated: no class reads it (from a.yaml:3)',
    ]);
  });
});

describe('ConfigStore.replace', () => {
  const remote = (yaml: string) => yamlLayer(yaml, { name: 'remote', kind: 'remote', origin: 'data-id' });

  it('changes all values before it tells anybody, and tells each once', () => {
    const present = store('server: { port: 1 }\nlimits: { ratio: 1 }');
    const [server, limits] = present.bindAll([
      ['server', ServerOptions],
      ['limits', LimitOptions],
    ]);
    const seen: unknown[] = [];
    server.subscribe((current, previous) => seen.push([previous.port, current.port, limits.value.ratio]));
    limits.subscribe((current, previous) => seen.push([previous.ratio, current.ratio, server.value.port]));
    present.onChange((tree) => seen.push(tree['limits']));

    const version = present.replace(remote('server: { port: 2 }\nlimits: { ratio: 2 }'));

    expect(version).toBe(2);
    expect(seen).toEqual([[1, 2, 2], [1, 2, 2], { ratio: 2, maxBodyBytes: 1024 }]);
  });

  it('stays below the environment', () => {
    const present = store('', { PORT: '9' });
    const server = present.bind('server', ServerOptions);

    present.replace(remote('server: { port: 2, host: h }'));

    expect(server.value).toMatchObject({ port: 9, host: 'h' });
  });

  it('changes nothing at all when any section is wrong', () => {
    const present = store('server: { port: 1 }');
    const [server, limits] = present.bindAll([
      ['server', ServerOptions],
      ['limits', LimitOptions],
    ]);
    const before = [server.value, limits.value];
    let told = 0;
    limits.subscribe(() => (told += 1));

    expect(complaints(() => present.replace(remote('server: { port: no }\nlimits: { ratio: 2 }')))).toEqual([
      'server.port: a text (expected: integer number; from data-id:1)',
    ]);

    expect([server.value, limits.value]).toEqual(before);
    expect(limits.value).toBe(before[1]);
    expect(told).toBe(0);
    expect(present.version).toBe(1);
    expect(present.get('limits.ratio')).toBe(0.5);
  });

  it('keeps the value and the silence of sections that did not change', () => {
    const present = store('');
    const server = present.bind('server', ServerOptions);
    const before = server.value;
    let told = 0;
    server.subscribe(() => (told += 1));

    expect(present.replace(remote('limits: { ratio: 2 }'))).toBe(2);
    expect(present.replace(remote('limits: { ratio: 2 }\n# the same'))).toBe(2);

    expect(server.value).toBe(before);
    expect(told).toBe(0);
  });

  it('goes back to what lower layers say when a key vanishes', () => {
    const present = store('server: { port: 1 }');
    const server = present.bind('server', ServerOptions);
    present.replace(remote('server: { port: 2 }'));

    present.replace(remote(''));

    expect(server.value.port).toBe(1);
  });

  it('is not disturbed by a listener that throws, and forgets one that left', async () => {
    const present = store('');
    const server = present.bind('server', ServerOptions);
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
    let told = 0;
    server.subscribe(() => {
      throw new Error('listener failed');
    });
    const leave = server.subscribe(() => (told += 1));

    present.replace(remote('server: { port: 2 }'));
    leave();
    present.replace(remote('server: { port: 3 }'));

    expect(told).toBe(1);
    expect((await warned).message).toBe('listener failed');
  });
});
