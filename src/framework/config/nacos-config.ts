import type { ConfigAccess, ConfigDocument, ConfigWriteOptions } from './config.driver.js';
import { ConfigError } from './config.errors.js';
import type { ConfigStore } from './config-store.js';
import { formatOf } from './text-formats.js';
import { RemoteSource } from './remote-source.js';

/** Which document, besides its data id. */
export interface NacosDocumentOptions {
  /** The one of `nacos.group` by default. */
  readonly group?: string;
  /** Ends the wait; the request has a limit of its own, `nacos.requestTimeoutMs`. */
  readonly signal?: AbortSignal;
}

/** How to publish. */
export interface NacosPublishOptions extends NacosDocumentOptions {
  /** Write only where the content still has this md5, which `get()` and `publish()` tell; over gRPC only. */
  readonly casMd5?: string;
  /** `yaml`, `json`, `properties` or `text`; by default what the extension of the data id says, if it says something. */
  readonly type?: string;
}

/** A document of Nacos. */
export interface NacosDocument {
  /** Plain text, also of encrypted ones. */
  readonly content: string;
  /** Of the content as Nacos has it. */
  readonly md5: string;
  readonly type?: string;
}

const extensions = /[.](?:ya?ml|json|properties)$/;
const defaultGroup = 'DEFAULT_GROUP';

/**
 * Reads and writes documents of the Nacos that `nacos.address` names, in its namespace: for tools and tests. Injectable where
 * `RookeryConfigModule` is; elsewhere made of a store. It uses the store's connection, and needs no closing of its own.
 *
 * Data ids that begin with `cipher-` are encrypted and decrypted on the way, if `loadConfig()` got a `ConfigCipher`.
 *
 * @example
 * const { content, md5 } = await nacosConfig.get('orders.yaml') ?? raise(new Error('no orders.yaml'));
 * await nacosConfig.publish('orders.yaml', content.replace('limit: 10', 'limit: 20'), { casMd5: md5 });
 */
export class NacosConfig {
  readonly #store: ConfigStore;

  constructor(store: ConfigStore) {
    this.#store = store;
  }

  /**
   * The document as it is now; `undefined` when there is none.
   *
   * @throws ConfigError no Nacos is configured
   * @throws NacosError it cannot be reached or refuses
   * @throws ConfigCipherError it is encrypted, and cannot be decrypted
   */
  async get(dataId: string, { group, signal }: NacosDocumentOptions = {}): Promise<NacosDocument | undefined> {
    const document: ConfigDocument | undefined = await this.#access().get(this.#key(dataId, group), signal);
    if (document === undefined) return undefined;
    const { content, md5, type } = document;
    return { content, md5, ...(type !== undefined && { type }) };
  }

  /**
   * Writes the document, whether it is there or not. Services hear of it within some 100 ms, and so long a `get()` may still
   * bring the one before.
   *
   * @param content up to 10 MiB, not empty: Nacos has no empty documents
   * @returns the md5 of what was written, for the next `casMd5`
   * @throws NacosCasError the content is not the one of `casMd5`; nothing was written
   * @throws ConfigError no Nacos is configured
   * @throws NacosError it cannot be reached or refuses; after a timeout it is not known whether it was written
   * @throws ConfigCipherError the data id begins with `cipher-`, and nothing can encrypt it
   */
  async publish(dataId: string, content: string, options: NacosPublishOptions = {}): Promise<string> {
    const { group, type = typeOf(dataId), casMd5, signal } = options;
    const write: ConfigWriteOptions = {
      ...(type !== undefined && { type }),
      ...(casMd5 !== undefined && { casMd5 }),
      ...(signal !== undefined && { signal }),
    };
    return this.#access().publish(this.#key(dataId, group), content, write);
  }

  /** Removes the document; one that is not there is no error. Throws as `get()` does. */
  async remove(dataId: string, { group, signal }: NacosDocumentOptions = {}): Promise<void> {
    await this.#access().remove(this.#key(dataId, group), signal);
  }

  #access(): ConfigAccess {
    const access = RemoteSource.of(this.#store)?.access;
    if (access !== undefined) return access;
    throw ConfigError.of('nacos.address', 'no server (expected: one or more, to read or write documents)');
  }

  #key(dataId: string, group: string | undefined): { dataId: string; group: string } {
    const configured = this.#store.get('nacos.group');
    return { dataId, group: group ?? (typeof configured === 'string' ? configured : defaultGroup) };
  }
}

function typeOf(dataId: string): string | undefined {
  return extensions.test(dataId) ? formatOf(dataId, undefined) : undefined;
}
