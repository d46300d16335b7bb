/**
 * Where settings come from: `config/application.yaml`, `config/application-<env>.yaml`, the environment and the command
 * line, merged into one tree, read section by section into validated classes, and injected as `Live` values.
 *
 * @example
 * @ConfigPrefix('paging')
 * export class PagingConfig {
 *   @IsInt() @Min(1) @Max(1000) readonly maxPageSize: number = 100;
 * }
 *
 * constructor(@Config(PagingConfig) private readonly paging: Live<PagingConfig>) {}
 */
export { ConfigPrefix, NeedsRestart, Secret } from '../core/index.js';
export { Config, configToken, injectedConfigs } from './config.decorator.js';
export { ConfigError, type ConfigProblem } from './config.errors.js';
export { RookeryConfigModule } from './config.module.js';
export type { PrintableChange } from './config-diff.js';
export type { EffectiveValue } from './effective-values.js';
export type { ConfigFailure, ConfigVersion } from './config-history.js';
export type { ConfigCheckpoint } from './candidate.js';
export { type ChangeListener, ConfigStore } from './config-store.js';
export type {
  ConfigAccess,
  ConfigDocument,
  ConfigDriver,
  ConfigDriverEvents,
  ConfigEndpoint,
  ConfigKey,
  ConfigWriteOptions,
  RemoteContent,
} from './config.driver.js';
export {
  NacosConfigOptions,
  NacosFallBackOptions,
  NacosSnapshotOptions,
  NacosTlsOptions,
} from './nacos-config.options.js';
export { NacosGrpcDriver, type NacosGrpcDriverInit } from './drivers/nacos-grpc.js';
export type { DataId } from './data-id.js';
export { ConfigOptions, ProbationOptions } from './config.options.js';
export { type ConfigChanged, configChangeChannel, type ConfigFailed, configFailureChannel } from './config.channels.js';
export { AesConfigCipher, type AesConfigCipherOptions } from './aes-config-cipher.js';
export {
  type ConfigCipher,
  ConfigCipherError,
  type ConfigDecryptor,
  type EncryptedDocument,
  type Sealed,
} from './config-cipher.js';
export {
  NacosConfig,
  type NacosDocument,
  type NacosDocumentOptions,
  type NacosPublishOptions,
} from './nacos-config.js';
export { NacosCasError, NacosError } from '../nacos/index.js';
export { type LiveOf, type Section, sectionOf } from './section.js';
export type { ConfigLayer, ConfigTree, LayerKind } from './layer.js';
export { reloadConfigFiles } from './file-reload.js';
export { FileWatch, type FileWatchOptions } from './file-watch.js';
export { defaultConfigDirectory, type LoadConfigInit, loadConfig } from './load-config.js';
export { environmentNotices } from './environment-name.js';
export { RemoteSource, type RemoteState } from './remote-source.js';
export type { RemoteServing } from './remote-start.js';
export { ProbationWatch } from './probation-watch.js';
export { type Snapshot, SnapshotStore, type SnapshotStoreOptions } from './snapshot-store.js';
export { argumentsLayer, type Environment, environmentLayer, shortVariables, variableOf } from './text-layers.js';
export { type ConfigFormat, documentLayer, formatOf, jsonLayer } from './text-formats.js';
export { propertiesLayer } from './properties-layer.js';
export { referenceLimits } from './references.js';
export { yamlLayer, yamlLimits, type YamlSource } from './yaml-layer.js';
