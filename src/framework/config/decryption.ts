import { unlessAborted } from '../nacos/index.js';
import type { RemoteContent } from './config.driver.js';
import { ConfigCipherError, type ConfigDecryptor, type EncryptedDocument, isEncrypted } from './config-cipher.js';
import { ConfigError } from './config.errors.js';

const limitMs = 10_000;

type Opened = { readonly text: string } | { readonly problem: string };

// Beside the contents and not in them: they go into the snapshot as they are.
const opened = new WeakMap<RemoteContent, Opened>();

/**
 * The text of a document, decrypted if need be.
 *
 * @param name what the document is called in messages
 * @throws ConfigError it is encrypted, and was not decrypted
 */
export function plainText(name: string, remote: RemoteContent): string | undefined {
  if (remote.content === undefined || remote.content.trim() === '' || !isEncrypted(remote)) return remote.content;
  const found = opened.get(remote);
  if (found === undefined)
    throw ConfigError.of(name, 'is encrypted (expected: a decryptor, by loadConfig({ decryptor }))');
  if ('problem' in found) throw ConfigError.of(name, found.problem);
  return found.text;
}

/** Decrypts documents, each one once as long as it stays the same. */
export class Decryption {
  readonly #decryptor: ConfigDecryptor | undefined;
  readonly #last = new Map<string, { readonly remote: RemoteContent; readonly text: string }>();

  constructor(decryptor: ConfigDecryptor | undefined) {
    this.#decryptor = decryptor;
  }

  /**
   * Makes `plainText()` know these documents: their text, or what is wrong with them. Does not throw.
   *
   * @returns whether all could be decrypted
   */
  async open(contents: readonly RemoteContent[], signal: AbortSignal): Promise<boolean> {
    if (this.#decryptor === undefined) return true;
    const decryptor = this.#decryptor;
    const results = await Promise.all(contents.map((remote) => this.#open(remote, decryptor, signal)));
    return results.every(Boolean);
  }

  async #open(remote: RemoteContent, decryptor: ConfigDecryptor, signal: AbortSignal): Promise<boolean> {
    const { dataId, group, content, encryptedDataKey } = remote;
    if (content === undefined || content.trim() === '' || !isEncrypted(remote)) return true;
    const name = `${group}/${dataId}`;
    const last = this.#last.get(name);
    const isKnown = last?.remote.content === content && last.remote.encryptedDataKey === encryptedDataKey;
    const result = isKnown
      ? { text: last.text }
      : await decrypted(decryptor, { dataId, group, content, encryptedDataKey }, signal);
    opened.set(remote, result);
    if ('text' in result) this.#last.set(name, { remote, text: result.text });
    return 'text' in result;
  }
}

async function decrypted(
  decryptor: ConfigDecryptor,
  document: EncryptedDocument,
  signal: AbortSignal,
): Promise<Opened> {
  try {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(limitMs)]);
    const text: unknown = await unlessAborted((async () => decryptor.decrypt(document, limit))(), limit);
    return typeof text === 'string' ? { text } : { problem: 'cannot be decrypted (the decryptor gave no text)' };
  } catch (error) {
    return { problem: `cannot be decrypted (${reasonOf(error)})` };
  }
}

/** What may be shown of an error: messages of others may quote what they were given. */
export function reasonOf(error: unknown): string {
  if (error instanceof ConfigCipherError) return error.message;
  return error instanceof Error ? error.name : 'no reason given';
}
