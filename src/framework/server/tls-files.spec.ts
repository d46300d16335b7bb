import 'reflect-metadata';
import {
  copyFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { type KeyPair, TestAuthority } from '../../../test/support/certificates.js';
import { TlsFiles, type TlsFilesTiming, type TlsMaterial } from './tls-files.js';
import { TlsOptions } from './server.options.js';

const authority = new TestAuthority();
const [first, second] = [authority.issue('first'), authority.issue('second')];
const opened: TlsFiles[] = [];
let directories = 0;

afterEach(() => {
  vi.useRealTimers();
  for (const files of opened.splice(0)) files.close();
});
afterAll(() => authority[Symbol.dispose]());

const fileOf = (content: string | undefined): string => readFileSync(String(content), 'utf8');

/** An empty directory with the first pair in it, under the names that Kubernetes gives. */
function directoryWith(pair: KeyPair = first): string {
  directories += 1;
  const directory = authority.path(`mounted-${directories}`);
  mkdirSync(directory);
  place(pair, directory);
  return directory;
}

function place(pair: KeyPair, directory: string): void {
  copyFileSync(pair.certFile, join(directory, 'tls.crt'));
  copyFileSync(pair.keyFile, join(directory, 'tls.key'));
  copyFileSync(authority.caFile, join(directory, 'ca.crt'));
}

// Long polls: what these tests see, they see by the watch.
function watchFiles(directory: string, timing: TlsFilesTiming = { debounceMs: 20, pollMs: 60_000 }) {
  const taken: TlsMaterial[] = [];
  const logs: { message: string; fields: object }[] = [];
  const options: TlsOptions = {
    ...new TlsOptions(),
    certFile: join(directory, 'tls.crt'),
    keyFile: join(directory, 'tls.key'),
    clientCaFile: join(directory, 'ca.crt'),
  };
  const files = new TlsFiles(
    options,
    (message, fields) => logs.push({ message, fields }),
    (next) => taken.push(next),
    timing,
  );
  opened.push(files);
  return {
    files,
    logs,
    takes: async (pair: KeyPair) => {
      await vi.waitFor(() => expect(taken.at(-1)?.cert.toString()).toBe(fileOf(pair.certFile)), {
        timeout: 4000,
        interval: 5,
      });
      expect(files.material.key.toString()).toBe(fileOf(pair.keyFile));
      return taken;
    },
    rejects: async () => {
      await vi.waitFor(() => expect(logs.at(-1)?.message).toBe('TLS files not taken over; the former ones stay'), {
        timeout: 4000,
        interval: 5,
      });
      expect(taken).toEqual([]);
    },
  };
}

describe('TlsFiles', () => {
  it('takes over files that are written anew', async () => {
    const directory = directoryWith();
    const watched = watchFiles(directory);

    place(second, directory);

    await watched.takes(second);
    expect(watched.logs.at(-1)).toEqual({
      message: 'TLS files taken over',
      fields: { validTo: expect.stringMatching(/GMT$/) },
    });
  });

  it('takes over files that are renamed into place', async () => {
    const directory = directoryWith();
    const watched = watchFiles(directory);

    for (const [name, file] of [
      ['tls.crt', second.certFile],
      ['tls.key', second.keyFile],
    ] as const) {
      copyFileSync(file, join(directory, `.${name}`));
      renameSync(join(directory, `.${name}`), join(directory, name));
    }

    expect(await watched.takes(second)).toHaveLength(1);
  });

  it("takes over files behind the swap of Kubernetes' ..data link", async () => {
    const directory = authority.path('kubernetes');
    for (const [name, pair] of [
      ['..1', first],
      ['..2', second],
    ] as const) {
      mkdirSync(join(directory, name), { recursive: true });
      place(pair, join(directory, name));
    }
    symlinkSync('..1', join(directory, '..data'));
    for (const name of ['tls.crt', 'tls.key', 'ca.crt']) symlinkSync(join('..data', name), join(directory, name));
    const watched = watchFiles(directory);

    symlinkSync('..2', join(directory, '..data_tmp'));
    renameSync(join(directory, '..data_tmp'), join(directory, '..data'));
    rmSync(join(directory, '..1'), { recursive: true });

    expect(await watched.takes(second)).toHaveLength(1);
  });

  it('takes over files in the directory that links lead to', async () => {
    const real = directoryWith();
    const directory = authority.path('links');
    mkdirSync(directory);
    for (const name of ['tls.crt', 'tls.key', 'ca.crt']) symlinkSync(join(real, name), join(directory, name));
    const watched = watchFiles(directory);

    place(second, real);

    expect(await watched.takes(second)).toHaveLength(1);
  });

  it('takes over files that it got no sign of, at the next look', () => {
    vi.useFakeTimers();
    const directory = directoryWith();
    const { files } = watchFiles(directory, {});

    place(second, directory);
    vi.advanceTimersByTime(30_000);

    expect(files.material.cert.toString()).toBe(fileOf(second.certFile));
  });

  it('keeps the former pair while certificate and key do not belong together, and takes the pair once they do', async () => {
    const directory = directoryWith();
    const watched = watchFiles(directory);

    copyFileSync(second.certFile, join(directory, 'tls.crt'));
    await watched.rejects();
    expect(watched.files.material.cert.toString()).toBe(fileOf(first.certFile));
    copyFileSync(second.keyFile, join(directory, 'tls.key'));

    expect(await watched.takes(second)).toHaveLength(1);
  });

  it.each([
    ['half a certificate', 'tls.crt', (file: string) => truncateSync(file, 200)],
    [
      'a chain that breaks off in its second certificate',
      'tls.crt',
      (file: string) => writeFileSync(file, `${fileOf(first.certFile)}${fileOf(second.certFile).slice(0, 200)}`),
    ],
    [
      'a list of authorities that breaks off after a first line',
      'ca.crt',
      (file: string) => writeFileSync(file, `${fileOf(authority.caFile)}-----BEGIN CERTIFICATE-----\n`),
    ],
    ['an empty key', 'tls.key', (file: string) => truncateSync(file)],
    ['no key', 'tls.key', (file: string) => rmSync(file)],
  ])('keeps the former pair when it finds %s', async (_name, file, spoil) => {
    const directory = directoryWith();
    const watched = watchFiles(directory);

    spoil(join(directory, file));

    await watched.rejects();
    expect(watched.files.material.cert.toString()).toBe(fileOf(first.certFile));
  });

  it('reports the same trouble once, and again when it comes back', () => {
    vi.useFakeTimers();
    const directory = directoryWith();
    const { logs } = watchFiles(directory, {});

    rmSync(join(directory, 'tls.key'));
    vi.advanceTimersByTime(90_000);
    expect(logs).toHaveLength(1);
    place(second, directory);
    vi.advanceTimersByTime(30_000);
    rmSync(join(directory, 'tls.key'));
    vi.advanceTimersByTime(90_000);

    expect(logs.map(({ message }) => message)).toEqual([
      'TLS files not taken over; the former ones stay',
      'TLS files taken over',
      'TLS files not taken over; the former ones stay',
    ]);
  });

  it.each([
    ['certFile', 'a readable file', (directory: string) => rmSync(join(directory, 'tls.crt'))],
    ['certFile', 'whole PEM blocks', (directory: string) => truncateSync(join(directory, 'tls.crt'), 100)],
    ['certFile', 'a PEM certificate', (directory: string) => copyFileSync(first.keyFile, join(directory, 'tls.crt'))],
    ['keyFile', 'the private key of', (directory: string) => copyFileSync(second.keyFile, join(directory, 'tls.key'))],
  ])('names %s and expects %s when it cannot start', (setting, expectation, spoil) => {
    const directory = directoryWith();
    spoil(directory);

    expect(() => watchFiles(directory)).toThrow(
      expect.objectContaining({
        reason: 'SERVER_TLS_FILES',
        message: expect.stringMatching(new RegExp(`^server.tls.${setting}: .*expected: ${expectation}`)),
      }),
    );
  });

  it('notices nothing any more after close()', async () => {
    const directory = directoryWith();
    const [closed, open] = [watchFiles(directory), watchFiles(directory)];
    closed.files.close();
    closed.files.close();

    place(second, directory);

    await open.takes(second);
    expect(closed.files.material.cert.toString()).toBe(fileOf(first.certFile));
  });
});
