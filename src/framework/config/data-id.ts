import type { RemoteContent } from './config.driver.js';
import type { NacosConfigOptions } from './nacos-config.options.js';
import type { ConfigFormat } from './text-formats.js';

/** One data id that is read. */
export interface DataId {
  readonly group: string;
  readonly dataId: string;
  /** The format that the setting states, which counts more than what Nacos says. */
  readonly format: ConfigFormat | undefined;
}

/** The data ids of the setting, or those that are called as the files are; the weakest first. */
export function dataIdsOf({ dataIds, group }: NacosConfigOptions, env: string): readonly DataId[] {
  const named = dataIds.length > 0 ? dataIds : ['application.yaml', `application-${env}.yaml`];
  return named.map((text) => {
    const [path = '', format] = text.split('#');
    const [dataId = '', own] = path.split('/').toReversed();
    return { group: own ?? group, dataId, format: format as ConfigFormat | undefined };
  });
}

/** How a data id is called in messages, provenance and history: `nacos:DEFAULT_GROUP/orders.yaml`. */
export function nameOfContent(driver: string, { group, dataId }: Pick<RemoteContent, 'group' | 'dataId'>): string {
  return `${driver}:${group}/${dataId}`;
}

/** What a snapshot of these settings belongs to; the same for every way to talk to the servers. */
export function namespaceOf({ address, namespace }: NacosConfigOptions, dataIds: readonly DataId[]): string {
  const names = dataIds.map(({ group, dataId }) => `${group}/${dataId}`);
  return JSON.stringify(['nacos', address.toSorted(), namespace, names]);
}
