/** What belongs to an encrypted document. */
export interface EncryptedDocument {
  /** Begins with `cipher-`; by the custom of Nacos, the name of the algorithm is behind it: `cipher-<algorithm>-<name>`. */
  readonly dataId: string;
  readonly group: string;
  /** As the centre has it. */
  readonly content: string;
  /** The key of the content, itself encrypted; where whoever wrote it needed none, nothing. */
  readonly encryptedDataKey: string | undefined;
}

/**
 * Makes plain text of the documents whose data ids begin with `cipher-`: `loadConfig({ decryptor })`. What it makes stays in
 * memory; the snapshot on disk has the document as the centre has it.
 *
 * @example
 * const decryptor: ConfigDecryptor = {
 *   async decrypt({ content, encryptedDataKey }, signal) {
 *     return open(content, await kms.decrypt(encryptedDataKey, { signal }));
 *   },
 * };
 */
export interface ConfigDecryptor {
  /**
   * @param signal aborts after 10 s, and when the service stops
   * @returns the plain text
   * @throws anything: the last good values stay. The message is shown only of a `ConfigCipherError`, as others may hold keys
   */
  decrypt(document: EncryptedDocument, signal: AbortSignal): string | Promise<string>;
}

/** A decryptor that can also encrypt, which `NacosConfig.publish()` needs for such data ids. */
export interface ConfigCipher extends ConfigDecryptor {
  encrypt(
    document: { readonly dataId: string; readonly group: string; readonly content: string },
    signal: AbortSignal,
  ): Sealed | Promise<Sealed>;
}

/** An encrypted content, and its key, encrypted. */
export interface Sealed {
  readonly content: string;
  readonly encryptedDataKey: string;
}

/** A document cannot be decrypted or encrypted. The message is shown: it must hold no key and no content. */
export class ConfigCipherError extends Error {
  override readonly name = 'ConfigCipherError';
}

/** Whether a data id is that of an encrypted document. */
export function isEncrypted({ dataId }: { readonly dataId: string }): boolean {
  return dataId.startsWith('cipher-');
}
