import type {
  ConfigAccess,
  ConfigDocument,
  ConfigDriver,
  ConfigDriverEvents,
  ConfigEndpoint,
  RemoteContent,
} from './config.driver.js';
import {
  type ConfigCipher,
  ConfigCipherError,
  type ConfigDecryptor,
  isEncrypted,
  type Sealed,
} from './config-cipher.js';
import { Decryption, reasonOf } from './decryption.js';

const firstRetryMs = 1000;
const longestRetryMs = 60_000;

/** A driver whose encrypted documents are decrypted before anybody hears of them; what it tells is still the encrypted form. */
export class DecryptingDriver implements ConfigDriver {
  readonly access?: ConfigAccess;
  readonly #driver: ConfigDriver;
  readonly #decryptor: ConfigDecryptor | undefined;
  readonly #decryption: Decryption;
  readonly #closing = new AbortController();
  #events: ConfigDriverEvents | undefined;
  #newest: readonly RemoteContent[] | undefined;
  #isUntold = false;
  #isOpening = false;
  #retry: NodeJS.Timeout | undefined;
  #retries = 0;

  /** @param decryptor without one, encrypted documents stay as they are, and nobody can use them */
  constructor(driver: ConfigDriver, decryptor: ConfigDecryptor | undefined) {
    this.#driver = driver;
    this.#decryptor = decryptor;
    this.#decryption = new Decryption(decryptor);
    if (driver.access !== undefined) this.access = decryptingAccess(driver.access, decryptor, this.#closing.signal);
  }

  get name(): string {
    return this.#driver.name;
  }

  get namespace(): string {
    return this.#driver.namespace;
  }

  get endpoints(): readonly ConfigEndpoint[] {
    return this.#driver.endpoints;
  }

  async read(signal: AbortSignal): Promise<readonly RemoteContent[]> {
    const contents = await this.#driver.read(signal);
    await this.#decryption.open(contents, AbortSignal.any([signal, this.#closing.signal]));
    return contents;
  }

  async prepare(contents: readonly RemoteContent[]): Promise<void> {
    await this.#decryption.open(contents, this.#closing.signal);
  }

  watch(events: ConfigDriverEvents): void {
    this.#events = events;
    this.#driver.watch({
      onContents: (contents) => this.#take(contents),
      onFailure: (error) => events.onFailure(error),
      onRecovery: () => events.onRecovery(),
    });
  }

  async close(): Promise<void> {
    this.#closing.abort();
    clearTimeout(this.#retry);
    await this.#driver.close();
  }

  #take(contents: readonly RemoteContent[]): void {
    this.#retries = 0;
    // No turn of the event loop for those who have nothing to decrypt.
    if (this.#decryptor === undefined || !contents.some(isEncrypted)) this.#events?.onContents(contents);
    else void this.#open(contents, true);
  }

  /**
   * One after the other, and of those that wait only the newest.
   *
   * @param isNew they are told even if they cannot be decrypted, so that somebody can say so
   */
  async #open(contents: readonly RemoteContent[], isNew: boolean): Promise<void> {
    clearTimeout(this.#retry);
    this.#newest = contents;
    this.#isUntold ||= isNew;
    if (this.#isOpening) return;
    this.#isOpening = true;
    for (let next: readonly RemoteContent[] | undefined = this.#newest; next !== undefined; next = this.#newest) {
      this.#newest = undefined;
      const isOpen = await this.#decryption.open(next, this.#closing.signal);
      if (this.#closing.signal.aborted) return;
      if (this.#newest !== undefined) continue;
      if (isOpen || this.#isUntold) this.#events?.onContents(next);
      this.#isUntold = false;
      if (!isOpen) this.#planRetry(next);
    }
    this.#isOpening = false;
  }

  // Whoever keeps the keys may have been away.
  #planRetry(contents: readonly RemoteContent[]): void {
    const afterMs = Math.min(longestRetryMs, firstRetryMs * 2 ** Math.min(this.#retries, 10));
    this.#retries += 1;
    this.#retry = setTimeout(() => void this.#open(contents, false), afterMs).unref();
  }
}

function decryptingAccess(
  access: ConfigAccess,
  decryptor: ConfigDecryptor | undefined,
  closing: AbortSignal,
): ConfigAccess {
  return {
    async get(key, signal = closing) {
      const document = await access.get(key, signal);
      if (document === undefined || !isEncrypted(key)) return document;
      return { ...document, content: await plain(decryptor, key, document, signal) };
    },
    async publish(key, content, options) {
      if (!isEncrypted(key)) return access.publish(key, content, options);
      const sealed = await sealedBy(decryptor, { ...key, content }, options.signal ?? closing);
      return access.publish(key, sealed.content, { ...options, encryptedDataKey: sealed.encryptedDataKey });
    },
    remove: (key, signal) => access.remove(key, signal),
  };
}

type Key = Parameters<ConfigAccess['get']>[0];

async function plain(
  decryptor: ConfigDecryptor | undefined,
  { dataId, group }: Key,
  { content, encryptedDataKey }: ConfigDocument,
  signal: AbortSignal,
): Promise<string> {
  if (decryptor === undefined) {
    throw new ConfigCipherError(
      `${group}/${dataId}: is encrypted (expected: a decryptor, by loadConfig({ decryptor }))`,
    );
  }
  try {
    return await decryptor.decrypt({ dataId, group, content, encryptedDataKey }, signal);
  } catch (error) {
    throw new ConfigCipherError(`${group}/${dataId}: cannot be decrypted (${reasonOf(error)})`);
  }
}

async function sealedBy(
  decryptor: ConfigDecryptor | undefined,
  document: Key & { readonly content: string },
  signal: AbortSignal,
): Promise<Sealed> {
  const name = `${document.group}/${document.dataId}`;
  if (decryptor === undefined || !('encrypt' in decryptor)) {
    throw new ConfigCipherError(`${name}: is to be encrypted (expected: a decryptor that can encrypt)`);
  }
  try {
    return await (decryptor as ConfigCipher).encrypt(document, signal);
  } catch (error) {
    throw new ConfigCipherError(`${name}: cannot be encrypted (${reasonOf(error)})`);
  }
}
