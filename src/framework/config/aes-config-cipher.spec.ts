import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { AesConfigCipher } from './aes-config-cipher.js';

const newKey = (): string => randomBytes(32).toString('base64');
const document = { dataId: 'cipher-gcm-orders.yaml', group: 'G', content: 'password: grüße 🐦' };

describe('AesConfigCipher', () => {
  it('gives back what it encrypted, and shows nothing of it', () => {
    const cipher = new AesConfigCipher({ keys: [newKey()] });

    const sealed = cipher.encrypt(document);

    expect(cipher.decrypt({ ...document, ...sealed })).toBe(document.content);
    expect(Buffer.from(sealed.content, 'base64').toString('latin1')).not.toContain('password');
  });

  it('never encrypts the same way twice', () => {
    const cipher = new AesConfigCipher({ keys: [newKey()] });

    const [first, second] = [cipher.encrypt(document), cipher.encrypt(document)];

    expect(first.content).not.toBe(second.content);
    expect(first.encryptedDataKey).not.toBe(second.encryptedDataKey);
  });

  it('reads what an older key encrypted, and encrypts by the first', () => {
    const [older, newer] = [newKey(), newKey()];
    const sealed = new AesConfigCipher({ keys: [older] }).encrypt(document);
    const both = new AesConfigCipher({ keys: [newer, older] });

    expect(both.decrypt({ ...document, ...sealed })).toBe(document.content);
    expect(new AesConfigCipher({ keys: [newer] }).decrypt({ ...document, ...both.encrypt(document) })).toBe(
      document.content,
    );
  });

  const key = newKey();
  const sealed = new AesConfigCipher({ keys: [key] }).encrypt(document);
  const flipped = (text: string, at: number): string => {
    const bytes = Buffer.from(text, 'base64');
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    return bytes.toString('base64');
  };

  const changed: [
    string,
    { key?: string; dataId?: string; content?: string; encryptedDataKey?: string | undefined },
  ][] = [
    ['another key', { key: newKey() }],
    ['another data id', { dataId: 'cipher-gcm-others.yaml' }],
    ['a changed content', { content: flipped(sealed.content, 13) }],
    ['a changed tag', { content: flipped(sealed.content, Buffer.from(sealed.content, 'base64').length - 1) }],
    ['a changed data key', { encryptedDataKey: flipped(sealed.encryptedDataKey, 20) }],
    ['no data key', { encryptedDataKey: undefined }],
    ['a content that is plain text', { content: 'password: 1' }],
    ['no content', { content: '' }],
  ];

  it.each(changed)('refuses %s, and says nothing of key or content', (_what, { key: own = key, ...changes }) => {
    const cipher = new AesConfigCipher({ keys: [own] });
    const decrypt = (): string => cipher.decrypt({ ...document, ...sealed, ...changes });

    expect(decrypt).toThrow(/^(?:not encrypted by any of the keys for this data id, or changed since|no data key .*)$/);
  });

  it.each([[[]], [['short']], [[newKey(), randomBytes(16).toString('base64')]]])(
    'refuses keys %#, without saying them',
    (keys) => {
      expect(() => new AesConfigCipher({ keys })).toThrow(
        `keys: ${keys.length} (expected: one or more, 32 bytes each, in base64)`,
      );
    },
  );
});
