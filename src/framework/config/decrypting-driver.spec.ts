import { randomBytes } from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';
import { AesConfigCipher } from './aes-config-cipher.js';
import type { ConfigDocument, ConfigDriver, ConfigDriverEvents, RemoteContent } from './config.driver.js';
import { ConfigCipherError, type ConfigDecryptor } from './config-cipher.js';
import { DecryptingDriver } from './decrypting-driver.js';
import { remoteLayers } from './remote-layers.js';

const cipher = new AesConfigCipher({ keys: [randomBytes(32).toString('base64')] });
const dataId = 'cipher-gcm-orders.yaml';
const sealed = (content: string): RemoteContent & ConfigDocument => ({
  ...{ dataId, group: 'G', md5: 'm' },
  ...cipher.encrypt({ dataId, content }),
});
const plain: RemoteContent = { dataId: 'plain.yaml', group: 'G', content: 'b: 1' };
const signal = new AbortController().signal;

/** Brings what it is told to. */
class FakeDriver implements ConfigDriver {
  readonly name = 'nacos';
  readonly namespace = 'n';
  readonly endpoints = [];
  readonly published: unknown[] = [];
  readonly access = {
    get: () => Promise.resolve(sealed('a: 9')),
    publish: (...what: unknown[]) => Promise.resolve(`${this.published.push(what)}`),
    remove: () => Promise.resolve(),
  };
  events: ConfigDriverEvents | undefined;

  constructor(readonly contents: readonly RemoteContent[] = []) {}

  read(): Promise<readonly RemoteContent[]> {
    return Promise.resolve(this.contents);
  }

  watch(events: ConfigDriverEvents): void {
    this.events = events;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** The values of all layers, in their order. */
const trees = (contents: readonly RemoteContent[]): unknown[] =>
  remoteLayers('nacos', contents).map(({ tree }) => ({ ...tree }));

/** A watched driver, and what it told. */
function watched(decryptor: ConfigDecryptor): { fake: FakeDriver; driver: DecryptingDriver; told: unknown[] } {
  const fake = new FakeDriver();
  const driver = new DecryptingDriver(fake, decryptor);
  const told: unknown[] = [];
  const tree = (contents: readonly RemoteContent[]): unknown => {
    try {
      return trees(contents);
    } catch (error) {
      return (error as Error).message;
    }
  };
  driver.watch({ onContents: (contents) => told.push(tree(contents)), onFailure: () => {}, onRecovery: () => {} });
  return { fake, driver, told };
}

describe('DecryptingDriver', () => {
  it('reads the encrypted form, of which the layers are plain', async () => {
    const contents = [sealed('a: 1'), plain, { dataId: 'cipher-absent', group: 'G', content: undefined }];
    const driver = new DecryptingDriver(new FakeDriver(contents), cipher);

    const read = await driver.read(signal);

    expect(read).toEqual(contents);
    expect(trees(read)).toEqual([{ a: 1 }, { b: 1 }, {}]);
  });

  it('makes contents of a snapshot ready', async () => {
    const contents = JSON.parse(JSON.stringify([sealed('a: 1')])) as RemoteContent[];

    await new DecryptingDriver(new FakeDriver(), cipher).prepare(contents);

    expect(trees(contents)).toEqual([{ a: 1 }]);
  });

  it('says which data id there is no decryptor for', async () => {
    const contents = await new DecryptingDriver(new FakeDriver([sealed('a: 1')]), undefined).read(signal);

    expect(() => trees(contents)).toThrow(
      'nacos:G/cipher-gcm-orders.yaml: is encrypted (expected: a decryptor, by loadConfig({ decryptor }))',
    );
  });

  it.each([
    [new Error('key s3cret, content a: 1'), 'Error'],
    [new ConfigCipherError('the key service is away'), 'the key service is away'],
    ['s3cret', 'no reason given'],
  ])(
    'says which data id cannot be decrypted, but nothing that the decryptor may have quoted: %s',
    async (thrown, said) => {
      const decryptor = {
        decrypt() {
          throw thrown;
        },
      };
      const contents = await new DecryptingDriver(new FakeDriver([sealed('a: 1'), plain]), decryptor).read(signal);

      expect(() => trees(contents)).toThrow(
        new RegExp(`^the configuration is not valid:\n  nacos:G/${dataId}: cannot be decrypted \\(${said}\\)$`),
      );
    },
  );

  it('gives up on a decryptor that never answers', async () => {
    vi.useFakeTimers();
    const aborted = new AbortController();
    const driver = new DecryptingDriver(new FakeDriver([sealed('a: 1')]), { decrypt: () => new Promise(() => {}) });

    const reading = driver.read(aborted.signal);
    aborted.abort(new Error('late'));
    const contents = await reading;
    vi.useRealTimers();

    expect(() => trees(contents)).toThrow('cannot be decrypted (Error)');
  });

  it('decrypts each content once', async () => {
    const decrypt = vi.fn<ConfigDecryptor['decrypt']>((document) => cipher.decrypt(document));
    const first = sealed('a: 1');
    const driver = new DecryptingDriver(new FakeDriver([first]), { decrypt });

    await driver.read(signal);
    const again = { ...first };
    await driver.prepare([again]);

    expect(trees([again])).toEqual([{ a: 1 }]);
    expect(decrypt).toHaveBeenCalledTimes(1);
  });

  it('tells of changes in their order, and of those that come during one only the last', async () => {
    const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let count = 0;
    const { fake, told } = watched({
      async decrypt(document) {
        await gates[count++]?.promise;
        return cipher.decrypt(document);
      },
    });

    for (const content of ['a: 1', 'a: 2', 'a: 3']) fake.events?.onContents([sealed(content)]);
    gates[0]?.resolve();
    await vi.waitFor(() => expect(count).toBe(2));
    gates[1]?.resolve();
    await vi.waitFor(() => expect(told).toHaveLength(1));

    expect(told).toEqual([[{ a: 3 }]]);
  });

  it('tells at once what needs no decrypting', () => {
    const { fake, told } = watched(cipher);

    fake.events?.onContents([plain]);

    expect(told).toEqual([[{ b: 1 }]]);
  });

  it('tells what cannot be decrypted once, and again when it can', async () => {
    vi.useFakeTimers();
    let isAway = true;
    const { fake, driver, told } = watched({
      decrypt(document) {
        if (isAway) throw new ConfigCipherError('away');
        return cipher.decrypt(document);
      },
    });

    fake.events?.onContents([sealed('a: 1')]);
    await vi.advanceTimersByTimeAsync(2500);
    isAway = false;
    await vi.advanceTimersByTimeAsync(10_000);
    await driver.close();
    vi.useRealTimers();

    expect(told).toEqual([expect.stringContaining('cannot be decrypted (away)'), [{ a: 1 }]]);
  });

  it('encrypts what is published under such a data id, and nothing else', async () => {
    const fake = new FakeDriver();
    const { access } = new DecryptingDriver(fake, cipher);

    await access?.publish({ dataId, group: 'G' }, 'a: 1', { type: 'yaml' });
    await access?.publish({ dataId: 'plain.yaml', group: 'G' }, 'b: 1', {});

    const [[, content, { encryptedDataKey }], second] = fake.published as [
      [unknown, string, { encryptedDataKey: string }],
      unknown,
    ];
    expect(cipher.decrypt({ dataId, group: 'G', content, encryptedDataKey })).toBe('a: 1');
    expect(second).toEqual([{ dataId: 'plain.yaml', group: 'G' }, 'b: 1', {}]);
    expect(await access?.get({ dataId, group: 'G' })).toMatchObject({ content: 'a: 9', md5: 'm' });
  });

  it.each([[undefined], [{ decrypt: () => '' }]])(
    'publishes no plain text where nothing can encrypt: %#',
    async (decryptor) => {
      const fake = new FakeDriver();
      const { access } = new DecryptingDriver(fake, decryptor);

      await expect(access?.publish({ dataId, group: 'G' }, 'a: 1', {})).rejects.toThrow(
        `G/${dataId}: is to be encrypted (expected: a decryptor that can encrypt)`,
      );
      expect(fake.published).toEqual([]);
    },
  );
});
