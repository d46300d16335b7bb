import { createHash } from 'node:crypto';
import { NacosOptionError, unlessAborted } from '../../nacos/index.js';
import type { ConfigAccess } from '../config.driver.js';
import type { NacosHttpClient } from './nacos-http-client.js';

const never = new AbortController().signal;

/** Documents by the requests of the driver. */
export function nacosHttpAccess(loading: Promise<NacosHttpClient>): ConfigAccess {
  return {
    async get({ dataId, group }, signal = never) {
      const client = await loading;
      const document = await unlessAborted(client.get(dataId, group), signal);
      if (document === undefined) return undefined;
      const { content, type, encryptedDataKey } = document;
      return {
        ...{ content, md5: md5Of(content) },
        ...(type !== undefined && { type }),
        ...(encryptedDataKey !== undefined && { encryptedDataKey }),
      };
    },
    async publish({ dataId, group }, content, { casMd5, type, encryptedDataKey, signal = never }) {
      // Servers that do not know it write all the same.
      if (casMd5 !== undefined) throw new NacosOptionError('casMd5: not over HTTP (expected: nacos.transport: grpc)');
      const client = await loading;
      await unlessAborted(client.publish(dataId, group, content, { type, encryptedDataKey }), signal);
      return md5Of(content);
    },
    async remove({ dataId, group }, signal = never) {
      const client = await loading;
      await unlessAborted(client.remove(dataId, group), signal);
    },
  };
}

function md5Of(content: string): string {
  return createHash('md5').update(content).digest('hex');
}
