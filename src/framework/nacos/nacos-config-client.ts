import { setTimeout as delay } from 'node:timers/promises';
import { createHash } from 'node:crypto';
import { ConfigListening } from './config-listening.js';
import { NacosCasError, NacosOptionError, NacosRequestError } from './nacos.errors.js';
import type { NacosConnection, NacosRequestOptions } from './nacos-connection.js';

const defaultGroup = 'DEFAULT_GROUP';
const notThere = 300;

// A server that is about to write a configuration down refuses to read it, by the number of a bad request; the next 100 ms
// bring it: "requested file is being modified, please try later."
const beingWritten = /being modified/;
const mostAttempts = 20;
const betweenAttemptsMs = 50;

/** Which configuration; the namespace is the connection's. */
export interface NacosConfigKey {
  readonly dataId: string;
  /** Default `DEFAULT_GROUP`. */
  readonly group?: string;
}

/** A configuration as the server has it. */
export interface NacosConfigValue {
  readonly content: string;
  /** Of the content as it is stored, in hexadecimal; empty contents have one too. */
  readonly md5: string;
  /** `yaml`, `json`, `properties`, `text`, …; absent where nobody said. */
  readonly contentType: string | undefined;
  /** In ms since 1970, by the server's clock; absent where it does not tell. */
  readonly lastModified: number | undefined;
  /** For encrypted data ids (`cipher-…`): the data key, itself encrypted. */
  readonly encryptedDataKey: string | undefined;
}

/** How to publish. */
export interface NacosPublishOptions extends Pick<NacosRequestOptions, 'timeoutMs' | 'signal'> {
  /** Write only where the content still has this md5. */
  readonly casMd5?: string;
  /** Such as `yaml`. */
  readonly type?: string;
  readonly encryptedDataKey?: string;
}

/** What is told to a listener: the new value, or `undefined` when the configuration is not there any more. */
export type NacosConfigListener = (value: NacosConfigValue | undefined) => void;

/** How to listen. */
export interface NacosListenOptions {
  /** What the listener already has; empty (the default) is nothing. The listener is called when the server's differs. */
  readonly md5?: string;
}

/** Options of the client as a whole. */
export interface NacosConfigClientOptions {
  /** Hears of what failed in the background (a query after a push, an exception of a listener) and is tried again. */
  readonly onProblem?: (error: unknown) => void;
  /** All that is listened to is compared again so often, in ms, should a push have been lost: 1000 to 3 600 000. Default 300 000. */
  readonly compareEveryMs?: number;
}

/** Reads, writes and watches configurations over a connection, which it does not own. */
export class NacosConfigClient {
  readonly #connection: NacosConnection;
  readonly #listening: ConfigListening<NacosConfigValue>;

  /** One per connection. */
  constructor(connection: NacosConnection, options: NacosConfigClientOptions = {}) {
    this.#connection = connection;
    this.#listening = new ConfigListening(connection, (key) => this.get(key, { timeoutMs: 10_000 }), options);
  }

  /**
   * The configuration, or `undefined` when there is none (also: no such namespace).
   *
   * @throws what `NacosConnection.request` throws
   */
  async get(
    key: NacosConfigKey,
    options: Pick<NacosRequestOptions, 'timeoutMs' | 'signal'> = {},
  ): Promise<NacosConfigValue | undefined> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const answer = await this.#connection.request('ConfigQueryRequest', this.#wireKey(key), {
          ...options,
          isRepeatable: true,
        });
        return valueIn(answer);
      } catch (error) {
        if (!(error instanceof NacosRequestError)) throw error;
        if (error.errorCode === notThere) return undefined;
        if (attempt === mostAttempts || !beingWritten.test(error.message)) throw error;
      }
      await delay(betweenAttemptsMs, undefined, options.signal === undefined ? {} : { signal: options.signal });
    }
  }

  /**
   * Writes the configuration. Servers publish it a little later: a `get` right after it may still have the old one.
   *
   * @returns the md5 of what was written
   * @throws NacosCasError the content is not the one of `casMd5`
   * @throws NacosOptionError the content is empty, which servers refuse, or larger than a message may be
   */
  async publish(key: NacosConfigKey, content: string, options: NacosPublishOptions = {}): Promise<string> {
    const { casMd5, type, encryptedDataKey, ...limits } = options;
    const bytes = Buffer.byteLength(content);
    if (bytes === 0 || bytes > this.#connection.maxMessageBytes) {
      throw new NacosOptionError(
        `content of ${key.dataId}: ${bytes} bytes (expected: 1 to ${this.#connection.maxMessageBytes})`,
      );
    }
    const additionMap = {
      ...(type !== undefined && { type }),
      ...(encryptedDataKey !== undefined && { encryptedDataKey }),
    };
    const body = { ...this.#wireKey(key), content, additionMap, ...(casMd5 !== undefined && { casMd5 }) };
    try {
      await this.#connection.request('ConfigPublishRequest', body, limits);
    } catch (error) {
      // There is no number of its own for it; 2.3 and 3.1 say "Cas publish fail, server md5 may have changed."
      if (casMd5 !== undefined && error instanceof NacosRequestError && /cas publish fail/i.test(error.message)) {
        throw new NacosCasError(`nacos: ${key.dataId} is no longer what casMd5 names`, { cause: error });
      }
      throw error;
    }
    return md5Of(content);
  }

  /** Removes the configuration; one that is not there is no error. */
  async remove(key: NacosConfigKey, options: Pick<NacosRequestOptions, 'timeoutMs' | 'signal'> = {}): Promise<void> {
    await this.#connection.request('ConfigRemoveRequest', this.#wireKey(key), options);
  }

  /**
   * Calls `listener` each time the server's configuration has another md5 than the listener was last told, in order, until
   * the returned function is called. What changed while the connection was down is told when it is back; of several changes
   * in a row the listener may see only the last. One that throws is reported to `onProblem`, and stays.
   *
   * @throws NacosOptionError more than 10 000 are listened to
   */
  listen(key: NacosConfigKey, listener: NacosConfigListener, { md5 = '' }: NacosListenOptions = {}): () => void {
    return this.#listening.add(this.#wireKey(key), listener, md5);
  }

  /** Whether the server has told of a change that is still being fetched: of several at the same moment, others may follow. */
  get isFetching(): boolean {
    return this.#listening.isFetching;
  }

  /** Ends listening. The connection stays. */
  close(): void {
    this.#listening.close();
  }

  #wireKey({ dataId, group = defaultGroup }: NacosConfigKey): { dataId: string; group: string; tenant: string } {
    for (const [name, value] of Object.entries({ dataId, group })) {
      // The characters that servers allow.
      if (!/^[\w.:-]{1,256}$/.test(value))
        throw new NacosOptionError(`${name}: ${value} (expected: 1 to 256 of A-Z a-z 0-9 _ . : -)`);
    }
    return { dataId, group, tenant: this.#connection.namespace };
  }
}

function valueIn(answer: Readonly<Record<string, unknown>>): NacosConfigValue {
  const { content, md5, contentType, lastModified, encryptedDataKey } = answer;
  const text = typeof content === 'string' ? content : '';
  return {
    content: text,
    md5: typeof md5 === 'string' && md5 !== '' ? md5 : md5Of(text),
    contentType: typeof contentType === 'string' && contentType !== '' ? contentType : undefined,
    lastModified: typeof lastModified === 'number' && lastModified > 0 ? lastModified : undefined,
    encryptedDataKey: typeof encryptedDataKey === 'string' && encryptedDataKey !== '' ? encryptedDataKey : undefined,
  };
}

function md5Of(content: string): string {
  return createHash('md5').update(content).digest('hex');
}
