import { randomUUID } from 'node:crypto';
import { NacosConfigClient, type NacosConfigKey, NacosConnection } from '../../src/framework/nacos/index.js';
import type { TestNacos } from './nacos-server.js';

/** The group of everything that tests publish. */
export const testGroup = 'rookery';

/** A data id that nobody else has. */
export function someDataId(extension = 'yaml'): string {
  return `test-${randomUUID()}.${extension}`;
}

/** Who changes a configuration from outside of the process that follows it; also the bare client that it is measured against. */
export class NacosPublisher {
  readonly connection: NacosConnection;
  readonly configs: NacosConfigClient;

  constructor({ address, user }: Pick<TestNacos, 'address' | 'user'>) {
    // A server that two cores share with everything else may pause.
    this.connection = new NacosConnection({ servers: [address], ...user, requestTimeoutMs: 20_000 });
    this.configs = new NacosConfigClient(this.connection);
  }

  async publish(dataId: string, content: string): Promise<void> {
    await this.configs.publish(keyOf(dataId), content, { timeoutMs: 20_000 });
  }

  async remove(dataId: string): Promise<void> {
    await this.configs.remove(keyOf(dataId), { timeoutMs: 20_000 });
  }

  /** Publishes, and waits until a reader would find it. */
  async settle(dataId: string, content: string): Promise<void> {
    const there = Promise.withResolvers<void>();
    const leave = this.configs.listen(keyOf(dataId), (value) => value?.content === content && there.resolve());
    await this.publish(dataId, content);
    await there.promise;
    leave();
  }

  async close(): Promise<void> {
    this.configs.close();
    await this.connection.close();
  }
}

/** The data id in the group of tests. */
export function keyOf(dataId: string): NacosConfigKey {
  return { dataId, group: testGroup };
}
