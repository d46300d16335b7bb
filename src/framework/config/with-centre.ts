import { join } from 'node:path';
import { readSection } from './binding.js';
import type { ConfigDriver } from './config.driver.js';
import type { ConfigDecryptor } from './config-cipher.js';
import { ConfigError } from './config.errors.js';
import { ConfigStore } from './config-store.js';
import { DecryptingDriver } from './decrypting-driver.js';
import { type ConfigLayer, mergeLayers } from './layer.js';
import { NacosConfigOptions } from './nacos-config.options.js';
import { nacosDriver } from './nacos-driver.js';
import { resolveSection } from './references.js';
import { RemoteSource } from './remote-source.js';
import { readRemote, type RemoteStart } from './remote-start.js';
import { SnapshotStore } from './snapshot-store.js';
import type { Environment } from './text-layers.js';

const section = 'nacos';

/** What is there before a centre is asked. */
export interface WithCentreInit {
  readonly env: string;
  /** Files, environment and command line. */
  readonly layers: readonly ConfigLayer[];
  readonly environment: Environment;
  /** Otherwise it is read once, if it can be, and nothing is written. */
  readonly isFollowed: boolean;
  readonly decryptor?: ConfigDecryptor | undefined;
}

/**
 * The store of all layers, those of the centre included, if one is configured.
 *
 * @throws ConfigError the settings of the centre are wrong; it is required and cannot be had
 */
export async function withCentre(init: WithCentreInit): Promise<ConfigStore> {
  const { env, layers, environment } = init;
  const options = centreOptions(layers, environment, env);
  if (options.address.length === 0) return new ConfigStore(env, layers, environment);
  const driver = new DecryptingDriver(await nacosDriver(options, env), init.decryptor);
  try {
    return await storeWith(driver, options, init);
  } catch (error) {
    await driver.close();
    throw error;
  }
}

/** The store with what this driver has. @internal for tests */
export async function storeWith(
  driver: ConfigDriver,
  { required, snapshot: kept, startTimeoutMs, fallBack }: NacosConfigOptions,
  { env, layers, environment, isFollowed }: WithCentreInit,
): Promise<ConfigStore> {
  const file = join(kept.directory, `${driver.name}.snapshot`);
  const snapshot = kept.enabled ? new SnapshotStore({ file, namespace: driver.namespace }) : undefined;
  const start = await readRemote({
    driver,
    snapshot,
    required: required && isFollowed,
    timeoutMs: startTimeoutMs,
    fallBackAfterMs: { connect: fallBack.connectTimeoutMs, answer: fallBack.answerTimeoutMs },
  });
  const build = (from: RemoteStart): ConfigStore => new ConfigStore(env, [...layers, ...from.layers], environment);
  const [store, used] = firstThatBuilds([start, ...insteadOf(start, required && isFollowed)], build);
  RemoteSource.attach({ driver, store, start: used, snapshot: isFollowed ? snapshot : undefined });
  return store;
}

// What can be read may still refer to what is not there, which shows when all layers are together.
function firstThatBuilds(
  starts: readonly RemoteStart[],
  build: (start: RemoteStart) => ConfigStore,
): readonly [ConfigStore, RemoteStart] {
  let failure: Error | undefined;
  for (const start of starts) {
    try {
      return [build(start), failure === undefined ? start : { ...start, failure }];
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      failure ??= error;
    }
  }
  throw failure ?? new Error('nothing to begin with');
}

function insteadOf(start: RemoteStart, required: boolean): readonly RemoteStart[] {
  const { serving, snapshot, contents } = start;
  const refused = serving === 'centre' ? { refused: contents } : {};
  const starts: RemoteStart[] = [];
  if (serving === 'centre' && snapshot !== undefined) {
    starts.push({ ...start, ...refused, serving: 'snapshot', contents: snapshot.contents, layers: snapshot.layers });
  }
  if (serving !== 'nothing' && !required) {
    starts.push({ ...start, ...refused, serving: 'nothing', contents: [], layers: [] });
  }
  return starts;
}

// Before there is a store: what the other sections refer to may be in the centre.
function centreOptions(layers: readonly ConfigLayer[], environment: Environment, env: string): NacosConfigOptions {
  const merged = resolveSection(mergeLayers(layers), section, environment);
  const { value, problems } = readSection(section, NacosConfigOptions, merged, [], env);
  if (problems.length > 0) throw new ConfigError(problems);
  return value;
}
