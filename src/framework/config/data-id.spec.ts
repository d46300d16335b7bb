import { describe, expect, it } from 'vitest';
import { dataIdsOf, namespaceOf } from './data-id.js';
import type { ConfigError } from './config.errors.js';
import { ConfigStore } from './config-store.js';
import { NacosConfigOptions } from './nacos-config.options.js';
import { environmentLayer } from './text-layers.js';
import { yamlLayer } from './yaml-layer.js';

const read = (yaml: string, environment: Record<string, string> = {}): NacosConfigOptions =>
  new ConfigStore('test', [
    yamlLayer(yaml, { name: 'f', kind: 'file', origin: 'f.yaml' }),
    environmentLayer(environment),
  ]).of(NacosConfigOptions).value;

describe('the data ids of the settings', () => {
  it('are called as the files are where none is named', () => {
    expect(dataIdsOf(read('nacos: { group: g }'), 'prod')).toEqual([
      { group: 'g', dataId: 'application.yaml', format: undefined },
      { group: 'g', dataId: 'application-prod.yaml', format: undefined },
    ]);
  });

  it('may have a group and a format of their own, in the order given', () => {
    const expected = [
      { group: 'DEFAULT_GROUP', dataId: 'a.yaml', format: undefined },
      { group: 'shared', dataId: 'b', format: 'properties' },
    ];

    expect(dataIdsOf(read('nacos: { dataIds: [a.yaml, shared/b#properties] }'), 'x')).toEqual(expected);
    expect(dataIdsOf(read('nacos: { dataIds: "a.yaml, shared/b#properties" }'), 'x')).toEqual(expected);
    expect(dataIdsOf(read('{}', { ROOKERY_NACOS__DATA_IDS: 'a.yaml,shared/b#properties' }), 'x')).toEqual(expected);
  });

  it.each(['a/b/c', 'a b', 'a#xml', '', '/a', 'ä'])('are refused as %j', (dataId) => {
    const attempt = (): unknown => read(`nacos: { dataIds: [${JSON.stringify(dataId)}] }`);

    expect(attempt).toThrow('nacos.dataIds');
  });

  it('tell snapshots apart, with servers and namespace, in whatever order the servers are named', () => {
    const of = (yaml: string): string => {
      const options = read(`nacos: ${yaml}`);
      return namespaceOf(options, dataIdsOf(options, 'test'));
    };

    expect(of('{ address: "a:1, b:1" }')).toBe(of('{ address: [b:1, a:1] }'));
    expect(of('{ address: a:1, transport: http }')).toBe(of('{ address: a:1, password: p, username: u }'));
    const all = [
      '{ address: a:1 }',
      '{ address: a:2 }',
      '{ namespace: n, address: a:1 }',
      '{ dataIds: [x], address: a:1 }',
    ];
    expect(new Set(all.map(of)).size).toBe(all.length);
  });
});

describe('the settings of Nacos', () => {
  it('repeat no password', () => {
    const wrong = (): unknown => read('nacos: { password: [hunter2], username: u, namespace: "a b" }');

    let message = '';
    try {
      wrong();
    } catch (error) {
      message = (error as ConfigError).message;
    }
    expect(message).toContain('nacos.password: ***');
    expect(message).toContain('nacos.namespace: "a b"');
    expect(message).not.toContain('hunter2');
  });
});
