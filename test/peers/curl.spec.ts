import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startTestService, type TestService } from 'rookery/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestAuthority } from '../support/certificates.js';
import { isSkipped, peer, type Ran, run } from '../support/peers.js';
import { ReferenceApp } from '../support/reference-app.js';
import { tokens } from '../support/tokens.js';
import { TrialModule } from '../support/trial.module.js';

describe.skipIf(isSkipped('curl'))('curl', () => {
  let program: string;
  let app: ReferenceApp;

  beforeAll(async () => {
    program = await peer('curl');
    app = await ReferenceApp.start();
  });

  afterAll(() => app?.close());

  /** Version, status and body. */
  async function ask(...args: string[]): Promise<{ version: string; status: number; body: string }> {
    const { code, stdout, stderr } = await run(program, [
      '-sS',
      '--write-out',
      '\n%{http_version} %{http_code}',
      ...args,
    ]);
    expect([code, stderr]).toEqual([0, '']);
    const text = stdout.toString();
    const at = text.lastIndexOf('\n');
    const [version = '', status] = text.slice(at + 1).split(' ');
    return { version, status: Number(status), body: text.slice(0, at) };
  }

  describe.each([
    ['HTTP/1.1', '1.1', ['--http1.1']],
    ['HTTP/2 with prior knowledge', '2', ['--http2-prior-knowledge']],
    // The offer to change to HTTP/2 is not taken, and does no harm.
    ['HTTP/1.1 with an offer of h2c', '1.1', ['--http2']],
  ])('over %s', (_, version, flags) => {
    it('reads a user', async () => {
      const answer = await ask(...flags, `${app.url}/api/v1/users/1`);

      expect(answer).toMatchObject({ version, status: 200 });
      expect(JSON.parse(answer.body)).toMatchObject({
        code: 200,
        data: { id: '1', displayName: 'Alice' },
        message: 'success',
      });
    });

    it('creates a user', async () => {
      const user = { displayName: 'Curl', email: `curl-${version}-${flags.join('')}@example.com`, role: 'viewer' };
      const answer = await ask(
        ...flags,
        '--json',
        JSON.stringify(user),
        '-H',
        `authorization: Bearer ${tokens.writer()}`,
        `${app.url}/api/v1/users`,
      );

      expect(answer).toMatchObject({ version, status: 201 });
      expect(JSON.parse(answer.body)).toMatchObject({ code: 201, data: user });
    });

    it('is told what is wrong', async () => {
      const answer = await ask(...flags, '--json', '{"title":', `${app.url}/api/v1/users`);

      expect(answer).toMatchObject({ version, status: 400 });
      expect(JSON.parse(answer.body)).toMatchObject({ reason: 'MALFORMED_BODY' });
    });

    it('downloads a file, and a part of it', async () => {
      const sample = await readFile(join(app.files, 'sample.bin'));
      const whole = await run(program, ['-sS', ...flags, `${app.url}/api/v1/files/sample.bin`]);
      const part = await run(program, ['-sS', ...flags, '-r', '1000-1999', `${app.url}/api/v1/files/sample.bin`]);

      expect(whole.stdout.equals(sample)).toBe(true);
      expect(part.stdout.equals(sample.subarray(1000, 2000))).toBe(true);
    });

    it('unpacks what is compressed', async () => {
      const plain = await ask(...flags, `${app.url}/openapi.json`);
      const packed = await ask(...flags, '--compressed', `${app.url}/openapi.json`);

      expect(packed.body).toBe(plain.body);
    });
  });

  describe('over TLS', () => {
    let authority: TestAuthority;
    let secure: TestService;

    beforeAll(async () => {
      authority = new TestAuthority();
      const { certFile, keyFile } = authority.issue('server');
      secure = await startTestService(TrialModule, {
        set: { 'server.tls.certFile': certFile, 'server.tls.keyFile': keyFile },
      });
    });

    afterAll(async () => {
      await secure?.close();
      authority?.[Symbol.dispose]();
    });

    const askSecure = (...args: string[]): Promise<Ran> =>
      run(program, ['-sS', '--cacert', authority.caFile, '--write-out', ' %{http_version}', ...args]);

    it.each([
      ['2', '--http2'],
      ['1.1', '--http1.1'],
    ])('agrees on HTTP/%s', async (version, flag) => {
      const { stdout, stderr, code } = await askSecure(flag, `${secure.url}/health/live`);

      expect([code, stderr]).toEqual([0, '']);
      expect(stdout.toString()).toMatch(new RegExp(`"status":"ok".* ${version.replace('.', '\\.')}$`));
    });

    it('does not trust a stranger', async () => {
      const { code } = await run(program, ['-sS', `${secure.url}/health/live`]);

      expect(code).toBe(60);
    });
  });
});
