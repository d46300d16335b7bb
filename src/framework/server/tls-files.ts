import { createHash, X509Certificate } from 'node:crypto';
import { type FSWatcher, realpathSync, watch } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { createSecureContext } from 'node:tls';
import { readRegularFileSync } from '../core/index.js';
import { TlsFilesError } from './server.errors.js';
import type { TlsOptions } from './server.options.js';

/** A certificate and key that were found to belong together. */
export interface TlsMaterial {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** Authorities of client certificates. */
  readonly ca: Buffer | undefined;
  /** End of the leaf certificate's validity, as in the certificate. */
  readonly validTo: string;
  /** Hash of the files; tells whether there is anything new. */
  readonly digest: string;
}

/** How often the files are looked at; the defaults are for production. */
export interface TlsFilesTiming {
  /** Quiet time after a change before the files are read, in ms: whoever writes is to be done with all of them. */
  readonly debounceMs?: number;
  /** Time after which they are read without a sign, in ms: network file systems give none. */
  readonly pollMs?: number;
}

// A bundle of all public authorities has a quarter of it.
const maxPemBytes = 1_048_576;

/**
 * Keeps the TLS files read. The directories are watched, not the files: a rename, and the swap of Kubernetes' `..data`
 * link, replace what a watched file was. What does not fit together, such as a new certificate beside the old key,
 * is reported and not taken; the next change brings the rest.
 */
export class TlsFiles {
  readonly #options: TlsOptions;
  readonly #log: (message: string, fields: object) => void;
  readonly #onChange: (material: TlsMaterial) => void;
  readonly #debounceMs: number;
  readonly #poll: NodeJS.Timeout;
  #watchers: FSWatcher[] = [];
  #pending: NodeJS.Timeout | undefined;
  #material: TlsMaterial;
  #lastFailure: string | undefined;

  /** @throws TlsFilesError a file cannot be read or they do not fit together */
  constructor(
    options: TlsOptions,
    log: (message: string, fields: object) => void,
    onChange: (material: TlsMaterial) => void,
    timing: TlsFilesTiming = {},
  ) {
    this.#options = options;
    this.#log = log;
    this.#onChange = onChange;
    this.#debounceMs = timing.debounceMs ?? 100;
    this.#material = readTlsFiles(options);
    this.#watch();
    this.#poll = setInterval(() => this.#reload(), timing.pollMs ?? 30_000).unref();
  }

  /** The pair in use. */
  get material(): TlsMaterial {
    return this.#material;
  }

  close(): void {
    clearInterval(this.#poll);
    clearTimeout(this.#pending);
    for (const watcher of this.#watchers) watcher.close();
    this.#watchers = [];
  }

  #reload(): void {
    // Made anew each time: a link may lead elsewhere now, and a directory made anew is another one.
    this.#watch();
    let next: TlsMaterial;
    try {
      next = readTlsFiles(this.#options);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (reason !== this.#lastFailure) this.#log('TLS files not taken over; the former ones stay', { reason });
      this.#lastFailure = reason;
      return;
    }
    this.#lastFailure = undefined;
    if (next.digest === this.#material.digest) return;
    this.#material = next;
    this.#onChange(next);
    this.#log('TLS files taken over', { validTo: next.validTo });
  }

  #watch(): void {
    for (const watcher of this.#watchers) watcher.close();
    this.#watchers = [...directoriesOf(this.#options)].flatMap((directory) => {
      try {
        const watcher = watch(directory, { persistent: false }, () => this.#onEvent());
        // The directory went away, or the system has no more watches: the poll goes on.
        watcher.on('error', () => watcher.close());
        return [watcher];
      } catch {
        return [];
      }
    });
  }

  #onEvent(): void {
    clearTimeout(this.#pending);
    this.#pending = setTimeout(() => this.#reload(), this.#debounceMs).unref();
  }
}

/**
 * Reads the files of `server.tls` and proves that they can serve.
 *
 * @throws TlsFilesError with the setting and the file
 */
function readTlsFiles(options: TlsOptions): TlsMaterial {
  const cert = readPem('certFile', options.certFile);
  const key = readPem('keyFile', options.keyFile);
  const ca = options.clientCaFile === undefined ? undefined : readPem('clientCaFile', options.clientCaFile);
  const leaf = certificateOf('certFile', options.certFile, cert);
  if (ca !== undefined) certificateOf('clientCaFile', options.clientCaFile, ca);
  try {
    createSecureContext({ cert, key, ca });
  } catch (cause) {
    throw new TlsFilesError(
      'server.tls.keyFile',
      String(options.keyFile),
      `the private key of ${String(options.certFile)}`,
      { cause },
    );
  }
  const digest = createHash('sha256');
  for (const part of [cert, key, ca ?? '']) digest.update(part).update('\0');
  return { cert, key, ca, validTo: leaf.validTo, digest: digest.digest('hex') };
}

function readPem(setting: keyof TlsOptions, file: string | undefined): Buffer {
  let content: Buffer;
  try {
    content = readRegularFileSync(String(file), maxPemBytes);
  } catch (cause) {
    throw new TlsFilesError(`server.tls.${setting}`, String(file), 'a readable file', { cause });
  }
  // Of a half-written list of authorities OpenSSL takes the whole blocks at its head and is content.
  const text = content.toString('latin1');
  const blocks = text.split('-----BEGIN ').length;
  if (blocks < 2 || blocks !== text.split('-----END ').length || !/-----\s*$/.test(text)) {
    throw new TlsFilesError(`server.tls.${setting}`, String(file), 'whole PEM blocks');
  }
  return content;
}

function certificateOf(setting: keyof TlsOptions, file: string | undefined, pem: Buffer): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw new TlsFilesError(`server.tls.${setting}`, String(file), 'a PEM certificate', { cause });
  }
}

// Where the names are, and where the files they lead to are.
function directoriesOf(options: TlsOptions): Set<string> {
  const directories = new Set<string>();
  for (const file of [options.certFile, options.keyFile, options.clientCaFile]) {
    if (file === undefined) continue;
    directories.add(dirname(resolve(file)));
    try {
      directories.add(dirname(realpathSync(file)));
    } catch {
      // Not there at the moment; its directory will tell.
    }
  }
  return directories;
}
