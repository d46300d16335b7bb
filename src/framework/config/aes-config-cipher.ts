import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { type ConfigCipher, ConfigCipherError, type EncryptedDocument, type Sealed } from './config-cipher.js';

const algorithm = 'aes-256-gcm';
const keyBytes = 32;
const ivBytes = 12;
const tagBytes = 16;

/** Keys of an `AesConfigCipher`. */
export interface AesConfigCipherOptions {
  /** 32 bytes each, in base64. The first encrypts, all decrypt: a new one is put before the old one. */
  readonly keys: readonly string[];
}

/**
 * AES-256-GCM in two steps, as Nacos has it: each content by a data key of its own, made at random, and that by a key that
 * only the services have. Both are bound to the data id: a content under another name is refused. Base64 of nonce (12
 * bytes), ciphertext and tag (16 bytes), for content and data key alike.
 *
 * Not what the plugin `aes` of the Nacos project does (AES-CBC, and the data key beside the content as it is), so data ids
 * for this one are better not called `cipher-aes-…`: `cipher-gcm-orders.yaml`.
 *
 * @example
 * await createService(AppModule, { config: { decryptor: new AesConfigCipher({ keys: [process.env.CONFIG_KEY ?? ''] }) } });
 * @see https://csrc.nist.gov/pubs/sp/800/38/d/final GCM; a nonce at random is good for 2^32 contents under one key, and each has its own
 */
export class AesConfigCipher implements ConfigCipher {
  readonly #keys: readonly Buffer[];

  /** @throws ConfigCipherError there is no key, or one is not 32 bytes in base64 */
  constructor({ keys }: AesConfigCipherOptions) {
    this.#keys = keys.map((key) => Buffer.from(key, 'base64'));
    if (keys.length === 0 || this.#keys.some(({ length }) => length !== keyBytes)) {
      throw new ConfigCipherError(`keys: ${keys.length} (expected: one or more, ${keyBytes} bytes each, in base64)`);
    }
  }

  /** The plain text. @throws ConfigCipherError the key is another one, or the content is not what was encrypted */
  decrypt({ dataId, content, encryptedDataKey }: EncryptedDocument): string {
    if (encryptedDataKey === undefined) throw new ConfigCipherError('no data key (expected: as publish() wrote it)');
    for (const key of this.#keys) {
      const dataKey = opened(encryptedDataKey, key, dataId);
      if (dataKey === undefined) continue;
      const text = opened(content, dataKey, dataId);
      if (text === undefined) break;
      return new TextDecoder('utf-8', { fatal: true }).decode(text);
    }
    throw new ConfigCipherError('not encrypted by any of the keys for this data id, or changed since');
  }

  /** The content by a new data key, and that by the first of the keys. */
  encrypt({ dataId, content }: { readonly dataId: string; readonly content: string }): Sealed {
    const dataKey = randomBytes(keyBytes);
    return {
      content: sealed(Buffer.from(content), dataKey, dataId),
      encryptedDataKey: sealed(dataKey, this.#keys[0] as Buffer, dataId),
    };
  }
}

function sealed(plain: Buffer, key: Buffer, dataId: string): string {
  const iv = randomBytes(ivBytes);
  const cipher = createCipheriv(algorithm, key, iv).setAAD(Buffer.from(dataId));
  return Buffer.concat([iv, cipher.update(plain), cipher.final(), cipher.getAuthTag()]).toString('base64');
}

/** `undefined` for what this key did not make. */
function opened(text: string, key: Buffer, dataId: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length < ivBytes + tagBytes) return undefined;
  const decipher = createDecipheriv(algorithm, key, bytes.subarray(0, ivBytes), { authTagLength: tagBytes });
  decipher.setAAD(Buffer.from(dataId)).setAuthTag(bytes.subarray(-tagBytes));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(ivBytes, -tagBytes)), decipher.final()]);
  } catch {
    return undefined;
  }
}
