import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Paths of a certificate and its key. */
export interface KeyPair {
  readonly certFile: string;
  readonly keyFile: string;
}

/** A certificate authority in a directory of its own, for `localhost` and 127.0.0.1. */
export class TestAuthority implements Disposable {
  readonly directory: string = mkdtempSync(join(tmpdir(), 'rookery-tls-'));
  readonly caFile: string = this.path('ca.crt');

  constructor(name = 'test authority') {
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', this.path('ca.key')];
    openssl(['req', '-x509', ...key, '-out', this.caFile, '-days', '2', '-subj', `/CN=${name}`]);
    writeFileSync(this.path('extensions'), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  /** Makes a key and a certificate for it whose subject is `name`. */
  issue(name: string): KeyPair {
    const pair = { certFile: this.path(`${name}.crt`), keyFile: this.path(`${name}.key`) };
    const request = this.path(`${name}.csr`);
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', pair.keyFile];
    openssl(['req', '-new', ...key, '-out', request, '-subj', `/CN=${name}`]);
    const signer = [
      '-CA',
      this.caFile,
      '-CAkey',
      this.path('ca.key'),
      '-CAcreateserial',
      '-extfile',
      this.path('extensions'),
    ];
    openssl(['x509', '-req', '-in', request, ...signer, '-days', '2', '-out', pair.certFile]);
    return pair;
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function openssl(parameters: readonly string[]): void {
  execFileSync('openssl', parameters, { stdio: ['ignore', 'ignore', 'pipe'] });
}
