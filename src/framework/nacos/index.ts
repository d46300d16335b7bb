/**
 * A client of Nacos 2.0 and later over gRPC: a connection that heals itself, and configurations over it. Knows neither Nest
 * nor the framework; `config/` and `discovery/` share it.
 *
 * ```ts
 * const connection = new NacosConnection({ servers: ['nacos-0:8848', 'nacos-1:8848'], username, password });
 * const configs = new NacosConfigClient(connection);
 * const value = await configs.get({ dataId: 'orders.yaml' });
 * configs.listen({ dataId: 'orders.yaml' }, (changed) => apply(changed?.content), { md5: value?.md5 ?? '' });
 * …
 * configs.close();
 * await connection.close();
 * ```
 */
export {
  NacosCasError,
  NacosClosedError,
  NacosDeniedError,
  NacosError,
  NacosOptionError,
  NacosOverloadedError,
  NacosProtocolError,
  NacosRequestError,
  NacosTimeoutError,
  NacosUnavailableError,
} from './nacos.errors.js';
export { type NacosOptions, type NacosSettings, type NacosTls, nacosSettings } from './nacos.options.js';
export { backoffMs, pause } from './backoff.js';
export { askHttp, type HttpAnswer, type HttpQuestion } from './http-request.js';
export { NacosAuth } from './nacos-auth.js';
export { unlessAborted } from './unless-aborted.js';
export {
  NacosConfigClient,
  type NacosConfigClientOptions,
  type NacosConfigKey,
  type NacosConfigListener,
  type NacosConfigValue,
  type NacosListenOptions,
  type NacosPublishOptions,
} from './nacos-config-client.js';
export { NacosConnection, type NacosRequestOptions, type NacosState } from './nacos-connection.js';
export {
  addressOf,
  type NacosServer,
  type NacosServerOptions,
  parseServer as parseNacosServer,
} from './server-list.js';
