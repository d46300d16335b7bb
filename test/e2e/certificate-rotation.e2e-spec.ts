import { once } from 'node:events';
import { copyFileSync, readFileSync, renameSync } from 'node:fs';
import { connect, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type KeyPair, TestAuthority } from '../support/certificates.js';
import { ChildService } from '../support/child-service.js';
import { eventually } from '../support/eventually.js';
import { Http2Caller } from '../support/http2-caller.js';

let authority: TestAuthority;
let served: KeyPair;
let child: ChildService;

beforeAll(async () => {
  authority = new TestAuthority();
  const first = authority.issue('first');
  served = { certFile: authority.path('served.crt'), keyFile: authority.path('served.key') };
  copyFileSync(first.certFile, served.certFile);
  copyFileSync(first.keyFile, served.keyFile);
  child = await ChildService.start({
    ROOKERY_SERVER__TLS__CERT_FILE: served.certFile,
    ROOKERY_SERVER__TLS__KEY_FILE: served.keyFile,
  });
});

afterAll(async () => {
  await child.dispose();
  authority[Symbol.dispose]();
});

/** Puts a file in the place of another at once, as those who renew certificates do. */
function replace(from: string, to: string): void {
  copyFileSync(from, `${to}.new`);
  renameSync(`${to}.new`, to);
}

/** The subject that a new connection is shown. */
async function subject(): Promise<string> {
  const [host = '', port = ''] = child.address.split(':');
  const socket: TLSSocket = connect({ host, port: Number(port), ca: readFileSync(authority.caFile) });
  await once(socket, 'secureConnect');
  const { CN } = socket.getPeerCertificate().subject;
  socket.destroy();
  return String(CN);
}

describe('the service as built, with a certificate that is renewed', () => {
  it('shows the new one to new connections, keeps the old ones, and needs no restart', async () => {
    const before = await subject();
    const open = await Http2Caller.connect(`https://${child.address}`, { ca: readFileSync(authority.caFile) });
    const second = authority.issue('second');
    replace(second.keyFile, served.keyFile);
    replace(second.certFile, served.certFile);
    await eventually('the new certificate is shown', async () => (await subject()) === 'second');
    const onOld = await open.request({ ':path': '/health/live' });
    open.close();

    expect(before).toBe('first');
    expect(onOld.status).toBe(200);
  });

  it('keeps the one it has when key and certificate do not fit, says so, and takes the next pair', async () => {
    const third = authority.issue('third');
    const fourth = authority.issue('fourth');
    replace(third.certFile, served.certFile);
    await child.line('TLS files not taken over; the former ones stay');
    const during = await subject();
    replace(fourth.keyFile, served.keyFile);
    replace(fourth.certFile, served.certFile);
    await eventually('the next pair is shown', async () => (await subject()) === 'fourth');

    expect(during).toBe('second');
  });

  it('stops as ever', async () => {
    child.kill('SIGTERM');

    expect((await child.exit).code).toBe(0);
  });
});
