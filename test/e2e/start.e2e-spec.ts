import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { ChildService } from '../support/child-service.js';
import { eventually } from '../support/eventually.js';
import { GrpcCaller } from '../support/grpc-caller.js';
import { http } from '../support/http-caller.js';
import { users } from '../support/trial-app.js';
import { temporaryFolder } from '../support/temporary-folder.js';

let child: ChildService;

afterEach(() => child.dispose());

/** How a start that fails ends: its exit code and the lines for the operator. */
async function failedStart(environment: Record<string, string>): Promise<{ code: number | null; lines: string[] }> {
  child = new ChildService(environment);
  const { code } = await child.exit;
  expect(child.stdout).not.toContain('"msg":"listening"');
  return { code, lines: child.stderr.trimEnd().split('\n') };
}

describe('a start that cannot succeed ends with 1 and one line that says why', () => {
  it('when the port is in use', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const ended = await failedStart({ PORT: String(port) });
    other.close();

    expect(ended).toEqual({
      code: 1,
      lines: [
        `cannot start: cannot listen on 127.0.0.1:${port}: the address is in use (another process, or PORT is wrong)`,
      ],
    });
    // Nest would tell it a second time, with a stack.
    expect(child.stdout).not.toContain('EADDRINUSE');
  });

  it.each([
    [{ DATABASE_URL: 'sqlite:/proc/nope/x' }, /^cannot start: .*\/proc\/nope/],
    [{ HOST: 'nope.invalid' }, /^cannot start: .*nope\.invalid.*server\.host/],
  ])('when it is started with %o', async (environment, expected) => {
    const { code, lines } = await failedStart(environment);

    expect(code).toBe(1);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(expected);
  });

  it.each([
    ['ROOKERY_SERVER__LIMITS__MAX_BODY_BYTES', 'plenty', /^cannot start: server\.limits\.maxBodyBytes: /],
    ['PORT', '70000', /^cannot start: server\.port: /],
    ['ROOKERY_LOG__LEVEL', 'loud', /^cannot start: log\.level: /],
    ['ROOKERY_AUTH__JWT__SECRET', 'too short', /^cannot start: auth\.jwt\.secret: /],
  ])('when %s is %s', async (name, value, expected) => {
    const { code, lines } = await failedStart({ [name]: value });

    expect(code).toBe(1);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(expected);
  });

  it('without telling a secret that is wrong', async () => {
    await failedStart({ ROOKERY_AUTH__JWT__SECRET: 'too short' });

    expect(child.stderr + child.stdout).not.toContain('too short');
  });

  it('when it is to run in production without a key', async () => {
    const { code, lines } = await failedStart({ ROOKERY_ENV: 'production', ROOKERY_AUTH__JWT__SECRET: '' });

    expect(code).toBe(1);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^cannot start: .*auth\.jwt/);
  });

  it('when NODE_ENV alone makes it production, and there is no key', async () => {
    const { code, lines } = await failedStart({
      ROOKERY_ENV: '',
      NODE_ENV: 'production',
      ROOKERY_AUTH__JWT__SECRET: '',
    });

    expect(code).toBe(1);
    expect(lines).toEqual([
      'warning: ROOKERY_ENV is not set and NODE_ENV is "production": the environment is production',
      expect.stringMatching(/^cannot start: .*auth\.jwt/),
    ]);
  });

  it('when a misspelt environment has no key: it names the environment that is meant', async () => {
    const { code, lines } = await failedStart({ ROOKERY_ENV: 'developmnet', ROOKERY_AUTH__JWT__SECRET: '' });

    expect(code).toBe(1);
    expect(lines[0]).toBe(
      'warning: ROOKERY_ENV: environment developmnet has no config/application-developmnet.yaml, the rules of production apply; did you mean development?',
    );
    expect(lines.slice(1)).toEqual([expect.stringMatching(/^cannot start: .*auth\.jwt/)]);
  });

  it.each(['../x', ' production', '..'])('when the environment is called %j', async (name) => {
    const { code, lines } = await failedStart({ ROOKERY_ENV: name });

    expect(code).toBe(1);
    expect(lines).toEqual([`cannot start: ROOKERY_ENV: ${JSON.stringify(name)} (expected: letters, digits, - and _)`]);
  });

  it('when PostgreSQL does not answer, without telling the password', async () => {
    const { code, lines } = await failedStart({
      DATABASE_URL: 'postgres://rookery:hunter2hunter2@127.0.0.1:1/rookery',
    });

    expect(code).toBe(1);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^cannot start: .*127\.0\.0\.1:1/);
    expect(child.stderr + child.stdout).not.toContain('hunter2');
  });

  it('when the database is none', async () => {
    const { code, lines } = await failedStart({ DATABASE_URL: 'mysql://root:hunter2hunter2@localhost/db' });

    expect(code).toBe(1);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^cannot start: database\.url: /);
    expect(child.stderr + child.stdout).not.toContain('hunter2');
  });

  it('with the stack as well where the log is to have details', async () => {
    const { code, lines } = await failedStart({ DATABASE_URL: 'sqlite:/proc/nope/x', ROOKERY_LOG__LEVEL: 'debug' });

    expect(code).toBe(1);
    expect(lines[0]).toMatch(/^cannot start: .*\/proc\/nope/);
    expect(lines.slice(1).filter((line) => /^ {4}at .*\/dist\/service\/database\//.test(line))).not.toEqual([]);
  });

  it('when the certificate is missing', async () => {
    const { code, lines } = await failedStart({
      ROOKERY_SERVER__TLS__CERT_FILE: '/none/tls.crt',
      ROOKERY_SERVER__TLS__KEY_FILE: '/none/tls.key',
    });

    expect(code).toBe(1);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^cannot start: .*\/none\/tls\.(crt|key)/);
  });
});

describe('a start in an environment of an unknown name', () => {
  it('has the rules of production, and says so in the log', async () => {
    const folder = await temporaryFolder();
    child = await ChildService.start({ ROOKERY_ENV: 'prod', ROOKERY_FILES__DIRECTORY: folder.path });
    const refused = await http(child.url, { path: '/metrics' });
    await folder.remove();

    expect(refused.status).toBe(401);
    expect(child.lines.filter(({ level }) => level === 'warn')).toMatchObject([
      {
        msg: 'ROOKERY_ENV: environment prod has no config/application-prod.yaml, the rules of production apply; did you mean production?',
      },
    ]);
    // Neither banner nor token.
    expect(child.stdout).not.toContain('is ready');
  });
});

describe('a start in development', () => {
  it('prints addresses, a request for each face and a token that works', async () => {
    const folder = await temporaryFolder();
    child = await ChildService.start({
      ROOKERY_ENV: 'development',
      ROOKERY_AUTH__JWT__SECRET: '',
      ROOKERY_FILES__DIRECTORY: folder.path,
    });
    await child.line('listening');
    const banner = await bannerOf(child);
    const [token = ''] = /eyJ[\w-]+\.[\w-]+\.[\w-]+/.exec(banner) ?? [];
    const created = await http(child.url, {
      method: 'POST',
      path: '/api/v1/users',
      body: { displayName: 'New', email: 'new@example.com', role: 'viewer' },
      token,
    });
    const caller = new GrpcCaller(child.address);
    const removed = await caller.call(users.remove, [{ id: '3' }], { token });
    caller.close();
    await folder.remove();

    expect(banner).toContain('is ready (development), on this machine only');
    expect(banner).toContain(`curl http://${child.address}/api/v1/users/1`);
    expect(banner).toContain(`grpcurl -plaintext -d '{"id": 1}' ${child.address} user.service.v1.UserService/GetUser`);
    expect(created.status).toBe(201);
    expect(removed.failure).toBeUndefined();
  });
});

async function bannerOf(service: ChildService): Promise<string> {
  await eventually('the token is printed', () => service.stdout.includes('eyJ'));
  return service.stdout;
}
