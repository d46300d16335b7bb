import type { NacosConfigClient } from '../../nacos/index.js';
import type { ConfigAccess } from '../config.driver.js';

/** Documents by the connection of the driver. */
export function nacosGrpcAccess(client: NacosConfigClient): ConfigAccess {
  return {
    async get(key, signal) {
      const value = await client.get(key, signal === undefined ? {} : { signal });
      if (value === undefined) return undefined;
      const { content, md5, contentType: type, encryptedDataKey } = value;
      return {
        ...{ content, md5 },
        ...(type !== undefined && { type }),
        ...(encryptedDataKey !== undefined && { encryptedDataKey }),
      };
    },
    publish: (key, content, options) => client.publish(key, content, options),
    remove: (key, signal) => client.remove(key, signal === undefined ? {} : { signal }),
  };
}
